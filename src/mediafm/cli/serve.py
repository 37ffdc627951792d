"""``mediafm serve``: the HTTP API and the web page."""

from __future__ import annotations

import errno
import logging
import os
import socket
from pathlib import Path
from typing import Annotated, Any

import typer

from mediafm.cli.output import CATALOG, CatalogOption, VersionOption, say
from mediafm.cli.probing import PROBES, ProbesOption
from mediafm.errors import MediaFMError, MissingExtraError, describe_os_error


def serve(
    catalog: CatalogOption = CATALOG,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than this machine need a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free one.")] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with the token that every request must know; or MEDIAFM_TOKEN."),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A further name by which browsers reach it; may be repeated."),
    ] = None,
    media: Annotated[
        list[Path] | None,
        typer.Option(help="Folder that links in media folders may lead to; may be repeated."),
    ] = None,
    probes: ProbesOption = PROBES,
    labels: Annotated[
        Path, typer.Option("--labels", "-l", help="Folder of the label files for answers.")
    ] = Path("mediafm-labels"),
    cache: Annotated[
        Path | None, typer.Option(help="Folder for proxies and maps; the system's by default.")
    ] = None,
    version: VersionOption = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda: for queries.")] = "auto",
) -> None:
    """Open the catalog in a browser: see, search and cut; and as an HTTP API.

    Example: [bold]mediafm serve --catalog mediafm-catalog[/bold]
    """
    options = {
        "catalog": catalog,
        "probes": probes,
        "labels": labels,
        "version": version,
        "host": host,
        "port": port,
        "token": _token(token_file),
        "hosts": tuple(allow_host or ()),
        "media": tuple(media or ()),
        "device": device,
    }
    try:
        _serve(cache, options)
    except KeyboardInterrupt:
        say("stopped")


def _serve(cache: Path | None, options: dict[str, Any]) -> None:
    try:
        import uvicorn

        from mediafm.serve import Settings, create_app
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "starlette", "uvicorn"):
            raise
        raise MissingExtraError("FastAPI", extra="serve", purpose="the server") from None
    from mediafm.encoders.devices import resolve_devices
    from mediafm.serve.settings import default_cache

    settings = Settings(**options, cache=cache or default_cache())
    if settings.device not in ("auto", "cpu"):
        resolve_devices(settings.device)
    app = create_app(settings)
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
    # No access log: addresses hold what people look for. No warnings: of malformed requests.
    config = uvicorn.Config(
        app, access_log=False, log_level="error", server_header=False, timeout_graceful_shutdown=3,
        ws="none",
    )  # fmt: skip
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    bound = _listen(settings.host, settings.port)
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{shown}:{bound.getsockname()[1]}"
    titles = len(app.state.library.view().titles)
    say(f"{address}  {titles} titles; Ctrl-C ends it")
    if settings.probes != PROBES and not settings.probes.exists():  # it may come later
        say(f"note: {settings.probes}: no such folder; no probe is used until there is one")
    uvicorn.Server(config).run(sockets=[bound])


def _is_news(record: logging.LogRecord) -> bool:
    """Answers are left unfinished on purpose where a film is cut while it is sent; that is said."""
    return not record.getMessage().startswith("ASGI callable returned without completing")


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
        why = error.strerror or "no such address"
        raise MediaFMError(
            f"cannot listen there ({why.lower()})",
            where=f"{host}:{port}",
            do=f"choose another with {'--port' if taken else '--host'}",
        ) from None


def _token(file: Path | None) -> str | None:
    """The token, from a file or the environment: a command line is seen by everybody."""
    if file is None:
        return os.environ.get("MEDIAFM_TOKEN") or None
    try:
        token = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise MediaFMError(f"cannot be read ({describe_os_error(error)})", where=file) from None
    except UnicodeError:
        raise MediaFMError("holds no text", where=file, do="write the token into it") from None
    if not token:
        raise MediaFMError("is empty", where=file, do="write the token into it")
    return token
