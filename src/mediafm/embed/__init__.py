"""Contextual embeddings of a whole catalog, as a version."""

from mediafm.embed.run import EmbeddingStore, EmbedResult, check_encoders, embed

__all__ = ["EmbedResult", "EmbeddingStore", "check_encoders", "embed"]
