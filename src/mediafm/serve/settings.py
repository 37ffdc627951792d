"""What a server is told: where things lie, and who may ask."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from mediafm.errors import MediaFMError

LEAST_TOKEN, MOST_TOKEN = 16, 1000
"""Characters that a token must have, since shorter ones are guessed, and may have."""

_TOKEN = rf"[!-~]{{{LEAST_TOKEN},{MOST_TOKEN}}}"
_HOST = r"(\[[0-9a-f:.]+\]|[\w.-]+)"


def default_cache() -> Path:
    """The folder of what can be made again: ``MEDIAFM_SERVE_CACHE``, or the system's."""
    named = os.environ.get("MEDIAFM_SERVE_CACHE")
    return Path(named) if named else Path(platformdirs.user_cache_dir("mediafm")) / "serve"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a server is told.

    Args:
        catalog: Folder or object-store URI of the catalog.
        probes: Folder of the fitted probes.
        labels: Folder of the label files that answers go into.
        version: Version of the embeddings; the current one, as it changes, by default.
        host: Address to listen on.
        port: Port to listen on; 0 for any free one.
        token: What every request must know; needed wherever others can connect.
        hosts: Further names by which browsers reach the server.
        media: Further folders that media may lie in, where links lead out of a title's own.
        cache: Folder of what can be made again.
        device: Where encoders of queries run: ``auto``, ``cpu`` or ``cuda``.
    """

    catalog: str
    probes: Path = Path("mediafm-probes")
    labels: Path = Path("mediafm-labels")
    version: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = ()
    media: tuple[Path, ...] = ()
    cache: Path = field(default_factory=default_cache)
    device: str = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "hosts", tuple(name.lower() for name in self.hosts))
        token = self.token
        if token is not None and not re.fullmatch(_TOKEN, token):
            raise MediaFMError(
                f"the token must have {LEAST_TOKEN} to {MOST_TOKEN} ASCII characters and no space",
                do="make one: python -c 'import secrets; print(secrets.token_urlsafe())'",
            )
        if self.token is None and not self.local:
            raise MediaFMError(
                f"others could connect to {self.host}, and no token is set",
                do="set one in MEDIAFM_TOKEN or with --token-file, or listen on 127.0.0.1",
            )

        for name in self.hosts:
            if not re.fullmatch(_HOST, name):
                raise MediaFMError(
                    f"'{name}' is no name of a server",
                    do="write films.example, without http:// or port",
                )
        for folder in (self.probes, self.labels, self.cache):
            if folder.exists() and not folder.is_dir():
                raise MediaFMError("is a file, not a folder", where=folder, do="name a folder")
        for folder in self.media:
            if not folder.is_dir():
                raise MediaFMError("is no folder", where=folder, do="name one with --media")

    @property
    def local(self) -> bool:
        """Whether only programs of this machine can connect."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a name or address, without a port, is this machine and nobody else."""
    host = host.removeprefix("[").removesuffix("]")
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
