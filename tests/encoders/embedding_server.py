"""A server on this machine that speaks OpenAI's protocol, well or badly, as a test scripts it."""

import base64
import hashlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np


def vector(text: str, dim: int) -> np.ndarray:
    """What the server makes of a text."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    row = np.random.default_rng(seed).standard_normal(dim)
    return (row / np.linalg.norm(row)).astype(np.float32)


@dataclass
class Seen:
    """A request as it came."""

    when: float
    path: str
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def texts(self) -> list[str]:
        return self.body["input"]


@dataclass
class Reply:
    """An answer; ``None`` as content is the right one."""

    status: int = 200
    content: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False


Step = Reply | Callable[[Seen, dict[str, Any]], Reply]


def changed(change: Callable[[dict[str, Any]], Any]) -> Step:
    """The right answer after a change in place, or what the change returns."""

    def step(seen: Seen, right: dict[str, Any]) -> Reply:
        return Reply(content=change(right) or right)

    return step


def after(event: threading.Event, reply: Reply) -> Step:
    """An answer that is held back until something has happened."""

    def step(seen: Seen, right: dict[str, Any]) -> Reply:
        assert event.wait(20), "what the answer was held back for did not happen"
        return reply

    return step


def all_at_once(count: int, reply: Reply) -> Step:
    """An answer that is held back until so many requests are there."""
    there = threading.Barrier(count)

    def step(seen: Seen, right: dict[str, Any]) -> Reply:
        there.wait(20)
        return reply

    return step


def refusal(status: int, message: str = "", code: str = "", **headers: str) -> Reply:
    """A refusal in OpenAI's shape; ``_`` in the names of headers stands for ``-``."""
    error = {"error": {"message": message, "type": code or "error", "code": code or None}}
    return Reply(status, error, {name.replace("_", "-"): value for name, value in headers.items()})


class EmbeddingServer:
    """Answers ``POST /v1/embeddings`` on 127.0.0.1.

    Args:
        dim: Width where a request does not name one.
        port: Port, 0 for a free one.

    Attributes:
        script: What to do with the first requests; then it does ``always``.
        always: What to do with all others; ``None`` is the right answer.
        seen: The requests that came.
    """

    def __init__(self, dim: int = 8, port: int = 0):
        self.dim = dim
        self.script: deque[Step] = deque()
        self.always: Step | None = None
        self.seen: list[Seen] = []
        self.in_flight = self.most_in_flight = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _next(self, seen: Seen) -> Reply:
        with self._lock:
            self.seen.append(seen)
            step = self.script.popleft() if self.script else self.always
        right = self._right(seen)
        if step is None:
            return Reply(content=right)
        reply = step(seen, right) if callable(step) else step
        if reply.content is None:
            reply = Reply(reply.status, right, reply.headers, reply.delay, reply.cut)
        return reply

    def _right(self, seen: Seen) -> dict[str, Any]:
        rows = [vector(text, seen.body.get("dimensions", self.dim)) for text in seen.texts]
        short = seen.body.get("encoding_format") == "base64"
        data = [
            {
                "object": "embedding",
                "index": i,
                "embedding": base64.b64encode(row.tobytes()).decode() if short else row.tolist(),
            }
            for i, row in enumerate(rows)
        ]
        return {"object": "list", "data": data, "model": seen.body["model"], "usage": {}}

    def _handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = json.loads(self.rfile.read(length))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with server._lock:
                    server.in_flight += 1
                    server.most_in_flight = max(server.most_in_flight, server.in_flight)
                try:
                    self._answer(server._next(Seen(time.monotonic(), self.path, body, headers)))
                except (BrokenPipeError, ConnectionResetError):
                    pass
                finally:
                    with server._lock:
                        server.in_flight -= 1

            def _answer(self, reply: Reply) -> None:
                time.sleep(reply.delay)
                content = reply.content
                if not isinstance(content, bytes):
                    content = json.dumps(content).encode()
                self.send_response(reply.status)
                self.send_header("Content-Length", str(len(content)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if reply.cut else content)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
