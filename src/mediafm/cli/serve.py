"""``mediafm serve``: the HTTP API and the web page."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

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
    try:
        import uvicorn

        from mediafm.serve import Settings, create_app
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "starlette", "uvicorn"):
            raise
        raise MissingExtraError("FastAPI", extra="serve", purpose="the server") from None
    from mediafm.serve.settings import default_cache

    settings = Settings(
        catalog=catalog,
        probes=probes,
        labels=labels,
        version=version,
        host=host,
        port=port,
        token=_token(token_file),
        hosts=tuple(allow_host or ()),
        media=tuple(media or ()),
        cache=cache or default_cache(),
        device=device,
    )
    app = create_app(settings)
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
    # No access log: addresses hold what people look for.
    config = uvicorn.Config(
        app, host=host, port=port, access_log=False, log_level="warning", server_header=False,
        timeout_graceful_shutdown=3,
    )  # fmt: skip
    try:
        socket = config.bind_socket()
    except SystemExit:
        raise MediaFMError(
            "cannot listen there", where=f"{host}:{port}", do="choose another with --port"
        ) from None
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{socket.getsockname()[1]}"
    titles = len(app.state.library.view().titles)
    say(f"{address}  {titles} titles; Ctrl-C ends it")
    uvicorn.Server(config).run(sockets=[socket])


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
