"""A hub on this machine that speaks as much of the protocol as a download needs."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from mediafm.encoders.hf.hub import find_checkpoint
from mediafm.encoders.spec import parse_spec
from mediafm.errors import EncoderError

FAMILIES = {"clip": "CLIP", "siglip": "SigLIP", "bert": "BERT", "wav2vec2": "wav2vec2"}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """What the hub holds and how it behaves; may be changed while it runs.

    Args:
        repos: Name to folder.
    """

    def __init__(self, repos: dict[str, Path]):
        self.repos, self.url = repos, ""
        self.revisions = {"main": COMMIT, COMMIT: COMMIT, "v1": COMMIT, COMMIT[:7]: COMMIT}
        self.refusals: dict[str, tuple[int, str]] = {}  # name to status and error code
        self.cut_after: int | None = None  # bytes of a weight file after which to hang up
        self.cuts = 10**9  # how many times
        self.asked: list[str] = []

    def downloads(self) -> list[str]:
        """Names of the files that were fetched."""
        return [line.rpartition("/")[2] for line in self.asked if line.startswith("GET /") and
                "/resolve/" in line]  # fmt: skip

    def listing(self, name: str) -> dict[str, bytes]:
        folder = self.repos[name]
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code):
        headers = {"X_Error_Code": code} if code else {}
        self.answer(status, b"{}", **headers)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        hub, path = self.hub, self.path.partition("?")[0]
        hub.asked.append(f"{self.command} {path}")
        found = re.fullmatch(
            r"/(?:api/models/)?([\w.-]+/[\w.-]+)(?:/(revision|tree|resolve)/([^/]+))?(?:/(.+))?",
            path,
        )
        if found is None:
            return self.refuse(404, "")
        name, what, revision, file = found.groups()
        if name in hub.refusals:
            return self.refuse(*hub.refusals[name])
        if name not in hub.repos:
            return self.refuse(404, "RepoNotFound")
        commit = hub.revisions.get(revision or "main")
        if commit is None:
            return self.refuse(404, "RevisionNotFound")
        files = hub.listing(name)
        if what == "tree":
            rows = [
                {"type": "file", "path": path, "size": len(data), "oid": _oid(data)}
                for path, data in files.items()
            ]
            return self.answer(200, json.dumps(rows).encode(), Content_Type="application/json")
        if what == "resolve":
            return self.send_file(files.get(file), file, commit)
        info = {"id": name, "sha": commit, "siblings": [{"rfilename": path} for path in files]}
        return self.answer(200, json.dumps(info).encode(), Content_Type="application/json")

    def send_file(self, data, file, commit):
        if data is None:
            return self.refuse(404, "EntryNotFound")
        headers = {"ETag": f'"{_oid(data)}"', "X_Repo_Commit": commit}
        begun = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(begun[1]) if begun else 0
        if begun:
            headers["Content_Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        weights = file.endswith((".safetensors", ".bin"))
        if self.command == "GET" and weights and self.hub.cut_after is not None and self.hub.cuts:
            self.hub.cuts -= 1
            self.send_response(206 if begun else 200)
            for key, value in headers.items():
                self.send_header(key.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            self.wfile.write(data[start : start + self.hub.cut_after])
            self.wfile.flush()
            self.close_connection = True
            return None
        return self.answer(206 if begun else 200, data[start:], **headers)


def _oid(data):
    return hashlib.sha1(data).hexdigest()


@contextmanager
def running(hub: Hub):
    """Runs it at :attr:`Hub.url`."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reach(monkeypatch, url):
    """Lets the hub's client look there."""
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}"
    )


def find(text, families=FAMILIES):
    return find_checkpoint(parse_spec(text), families=families, purpose="pictures")


def error(text, families=FAMILIES):
    with pytest.raises(EncoderError) as caught:
        find(text, families)
    line = str(caught.value)
    assert "\n" not in line
    return line
