"""mediafm: contextual embeddings for every shot of a catalog."""
