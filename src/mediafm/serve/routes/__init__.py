"""The addresses of the API, a module per kind of thing."""
