"""Checkpoints in the format of transformers: ``hf:NAME`` and ``hf:FOLDER``."""
