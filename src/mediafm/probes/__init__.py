"""Probes: linear heads on frozen embeddings, and what they measure."""
