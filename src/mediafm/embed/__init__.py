"""Contextual embeddings of a whole catalog, as a version."""

from mediafm.embed.embedder import Embedder
from mediafm.embed.run import EmbeddingStore, EmbedResult, check_encoders, embed
from mediafm.model import Layers

__all__ = ["EmbedResult", "Embedder", "EmbeddingStore", "Layers", "check_encoders", "embed"]
