"""An encoder behind an API on a test's own server, as quick as can be."""

import numpy as np
from embedding_server import vector

from mediafm.encoders.api.answers import Secret
from mediafm.encoders.api.client import Client, Endpoint, Patience
from mediafm.encoders.api.text import ApiText
from mediafm.encoders.base import EncoderInfo

KEY = "sk-proj-Zq7SECRETSECRETSECRET9xW"
QUICK = Patience(first=0.02, longest=0.05, outage=60.0, damaged=3)
ENDLESS = Patience(read=3600, first=3600, longest=3600, outage=1e6)
TEXTS = ["The door opens.", "Wer ist da?", "¿Quién?", "♪", "a\nb"]


class Notes(list):
    """What the user is told."""

    __call__ = list.append


def make(server, *, patience=QUICK, limits=None, key="", dim=8, notify=None, most=100_000, price=1):
    """An encoder of the server's; ``most`` tokens a request."""
    endpoint = Endpoint(server.url, "m", key=Secret(key))
    notify = Notes() if notify is None else notify
    client = Client(endpoint, limits=limits, patience=patience, notify=notify)
    info = EncoderInfo("text", "openai:m", dim, {"model": "m"})
    return ApiText(info, client, price=price, request_tokens=most)


def expected(texts, dim=8):
    """What the server makes of the texts."""
    return np.stack([vector(text, dim) for text in texts])
