"""Real servers for tests."""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from mediafm.serve import Settings, create_app

MARKUP = '<img src=x onerror="document.title=1">'
"""What a page must show as text."""

ORIGIN = "http://localhost:8000"


@dataclass(frozen=True)
class Served:
    """A server that runs.

    Args:
        url: Where.
        settings: What it was told.
        app: The application in it.
    """

    url: str
    settings: Settings
    app: FastAPI


@contextlib.contextmanager
def serving(settings: Settings) -> Iterator[Served]:
    """Runs a server in a thread, on a free port."""
    app = create_app(settings)
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="warning", access_log=False,
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    socket = config.bind_socket()
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([socket],), daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.02)
    port = socket.getsockname()[1]
    try:
        yield Served(f"http://127.0.0.1:{port}", dataclasses.replace(settings, port=port), app)
    finally:
        server.should_exit = True
        thread.join(10)
        socket.close()


def get(client, path, status=200, **params):
    """What the API says."""
    answer = client.get(f"/api/{path}", params=params)
    assert answer.status_code == status, answer.text
    return answer.json()
