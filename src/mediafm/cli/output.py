"""What commands have in common: options, tables, JSON, progress."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from mediafm.progress import Bars, Lines, Progress, Silent
from mediafm.timeline import US

CatalogOption = Annotated[
    str,
    typer.Option(
        "--catalog", "-c", envvar="MEDIAFM_CATALOG", help="Folder or object-store URI of it."
    ),
]
ModelOption = Annotated[Path, typer.Option("--model", "-m", help="Folder of the model.")]
VersionOption = Annotated[
    str | None, typer.Option(help="Version of the embeddings; the current one by default.")
]
Title = Annotated[str, typer.Argument(help="The title's id, as `mediafm info` lists it.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]

CATALOG = "mediafm-catalog"
MODEL = Path("mediafm-model")


def reporter(quiet: bool = False) -> Progress:
    """Progress for this terminal: bars where someone looks, lines in a log, nothing for JSON."""
    if quiet:
        return Silent()
    return Bars() if sys.stderr.isatty() else Lines()


def print_json(value: Any) -> None:
    """Writes a value as JSON to standard output."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def say(text: str = "") -> None:
    """Writes a line to standard output, as it is."""
    print(text, flush=True)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Draws a table.

    Columns whose name begins with ``#`` hold numbers, those with ``=`` what people copy: it stays
    on one line, and others make room.

    Args:
        title: What it shows.
        columns: Headings.
        rows: Cells, turned into text.
    """
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", title_style="bold")
    for column in columns:
        number = column.startswith("#")
        table.add_column(
            column.lstrip("#="),
            justify="right" if number else "left",
            overflow="fold",
            no_wrap=column.startswith("="),
        )
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console().print(table)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leaves it to the command's end, which knows that it is no error; rich exits with 1."""
        raise BrokenPipeError


def console() -> Console:
    """Where tables are drawn: as wide as the terminal, or 120 columns elsewhere."""
    terminal = _Console()
    return terminal if terminal.is_terminal else _Console(width=120)


def clock(time: int) -> str:
    """Microseconds as ``H:MM:SS`` for people."""
    minutes, seconds = divmod(round(time / US), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
