"""Contextual embeddings of a whole catalog, as a version."""

from mediafm.embed.embedder import Embedder
from mediafm.embed.run import EmbedResult, check_encoders, embed
from mediafm.model import Layers

__all__ = ["EmbedResult", "Embedder", "Layers", "check_encoders", "embed"]
