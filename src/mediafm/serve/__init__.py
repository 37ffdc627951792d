"""The HTTP API and the web page: ``mediafm serve``."""

from mediafm.serve.app import create_app
from mediafm.serve.settings import Settings

__all__ = ["Settings", "create_app"]
