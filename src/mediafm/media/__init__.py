"""Media files, timed text and metadata: what a title is made of."""
