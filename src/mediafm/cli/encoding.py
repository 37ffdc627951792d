"""Commands and options that choose encoders: ``encoders``, ``reencode``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mediafm.cli.output import (
    CATALOG,
    CatalogOption,
    JsonOption,
    print_json,
    print_table,
    reporter,
    say,
)
from mediafm.errors import EncoderError

if TYPE_CHECKING:
    from mediafm.encoders import EncoderChoice

_MODALITY = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_PANEL = "Encoders (left out: those of the catalog, or the embedded ones)"

SetOption = Annotated[
    str,
    typer.Option(
        "--encoders", help="A whole set: embedded, netflix or open.", rich_help_panel=_PANEL
    ),
]
VideoOption = Annotated[
    str, typer.Option(help="Picture encoder: NAME, hf:NAME or none.", rich_help_panel=_PANEL)
]
AudioOption = Annotated[
    str, typer.Option(help="Sound encoder: NAME, hf:NAME or none.", rich_help_panel=_PANEL)
]
TextOption = Annotated[
    str,
    typer.Option(help="Text encoder: NAME, hf:NAME, openai:NAME or none.", rich_help_panel=_PANEL),
]
WithOption = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="MODALITY=ENCODER",
        help="A further modality: audience=csv:signals.csv; may be repeated.",
        rich_help_panel=_PANEL,
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(help="auto, cpu, cuda, or a list: cuda:0,cuda:1.", rich_help_panel=_PANEL),
]
CacheOption = Annotated[
    bool,
    typer.Option(
        "--cache/--no-cache",
        help="Use vectors that were computed before, for any catalog.",
        rich_help_panel=_PANEL,
    ),
]


def choose(
    whole: str, video: str, audio: str, text: str, others: Sequence[str] | None
) -> EncoderChoice:
    """The encoders that a command line names: single ones go before the set."""
    from mediafm.encoders import EncoderChoice, preset

    base = preset(whole) if whole else EncoderChoice()
    further = {}
    for one in others or ():
        modality, is_, name = one.partition("=")
        if not is_ or not modality or not name:
            raise EncoderError(
                f"--with {one} names no modality", do="write --with audience=csv:signals.csv"
            )
        if modality in ("video", "audio", "text"):
            raise EncoderError(f"--with {one}: {modality} has an option of its own")
        if modality == "metadata" or not _MODALITY.fullmatch(modality):
            raise EncoderError(
                f"--with {one}: '{modality}' is no name for a modality",
                do="take a word of small letters, digits, - and _",
            )
        if modality in further:
            raise EncoderError(f"--with {modality}= was said twice")
        further[modality] = name
    return replace(
        base,
        video=video or base.video,
        audio=audio or base.audio,
        text=text or base.text,
        others={**base.others, **further},
    )


def reencode(
    catalog: CatalogOption = CATALOG,
    encoders: SetOption = "",
    video: VideoOption = "",
    audio: AudioOption = "",
    text: TextOption = "",
    others: WithOption = None,
    device: DeviceOption = "auto",
    cache: CacheOption = True,
    max_price: Annotated[
        float | None,
        typer.Option(help="Dollars that a paid encoder may cost at most, by estimate; 10."),
    ] = None,
    allow_missing: Annotated[
        bool, typer.Option(help="Go on without the vectors of titles that cannot be read.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Give a whole catalog other encoders, decoding only what they need.

    The catalog keeps its old vectors until every title has the new ones; an interrupted run goes
    on where it was.

    Example: [bold]mediafm reencode --text hf:intfloat/multilingual-e5-base[/bold]
    """
    from mediafm.ingest import IngestConfig
    from mediafm.ingest import reencode as run

    choice = choose(encoders, video, audio, text, others)
    config = IngestConfig(encoders=choice, device=device, cache=cache)
    report = run(catalog, config, reporter(json), allow_missing=allow_missing, max_price=max_price)
    if json:
        print_json(
            {
                "catalog": catalog,
                "encoders": report.encoders,
                "titles": len(report.done),
                "missing": report.missing,
                "failed": report.failed,
            }
        )
        return
    if not report.encoders:
        say(f"nothing to do: {catalog} has these encoders")
        return
    for modality, name in report.encoders.items():
        say(f"{modality}: now {name}")
    for title_id, reason in report.failed.items():
        say(f"  {title_id} goes without: {reason}")
    say(f"{len(report.done)} titles encoded (catalog {catalog})")
    say(f"next: mediafm pretrain --catalog {catalog}; models of the old encoders do not fit it")


def encoders(
    names: Annotated[
        list[str] | None, typer.Argument(help="Only these, as you would choose them.")
    ] = None,
    measure: Annotated[
        bool, typer.Option(help="Measure the speed of those that are here, on this machine.")
    ] = False,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """List encoders: width, licence, size, whether they are here, and how fast they are.

    Example: [bold]mediafm encoders --measure[/bold]
    """
    from mediafm.encoders import PRESETS
    from mediafm.encoders.cards import CARDS

    cards = [card for card in CARDS if not names or card.name in names]
    unknown = [name for name in names or () if name not in {card.name for card in cards}]
    rows: list[dict[str, Any]] = [
        {
            "modality": card.modality,
            "name": card.name,
            "sets": [s for s, c in PRESETS.items() if c.names.get(card.modality) == card.name],
            "dim": card.dim,
            "licence": card.licence,
            "download": card.download,
            "state": card.state,
            "about": card.about,
        }
        for card in cards
    ]
    rows += [_found(name) for name in unknown]
    if measure:
        for row in rows:
            row["speed"] = _speed(row, device)
    if json:
        print_json(rows)
        return
    for modality in ("video", "audio", "text"):
        some = [row for row in rows if row["modality"] == modality]
        if some:
            speed = ["speed"] if measure else []
            print_table(
                f"--{modality}",
                ["name", "set", "#dim", "licence", "#download", "state", *speed],
                [[_cell(row, column) for column in (*_COLUMNS, *speed)] for row in some],
            )
    if not names:
        say("Any checkpoint of these families: hf:NAME-ON-THE-HUB or hf:FOLDER")
        say("  --video  CLIP, SigLIP, SigLIP 2, X-CLIP, VideoMAE")
        say("  --audio  wav2vec2, HuBERT, WavLM, Whisper, CLAP")
        say("  --text   sentence-transformers; openai:MODEL for a service")
        say("  --with   MODALITY=csv:FILE, MODALITY=ocr:TEXT-ENCODER, MODALITY=py:FILE.py:CLASS")


_COLUMNS = ("name", "sets", "dim", "licence", "download", "state")


def _cell(row: dict[str, Any], column: str) -> str:
    value = row[column]
    if column == "sets":
        return ", ".join(value)
    if column == "download":
        return f"{value / 1e9:.1f} GB" if value >= 1e9 else f"{value / 1e6:.0f} MB" if value else ""
    return str(value)


def _found(name: str) -> dict[str, Any]:
    """An encoder that has no card: looked for as the modality that knows it."""
    from mediafm.encoders import open_encoder

    errors = []
    for modality in ("video", "audio", "text"):
        try:
            info = open_encoder(modality, name).info
        except EncoderError as error:
            errors.append(error)
            continue
        return {
            "modality": modality,
            "name": info.name,
            "sets": [],
            "dim": info.dim,
            "licence": "see card",
            "download": 0,
            "state": "here",
            "about": "",
        }
    raise next((error for error in errors if "did you mean" in error.what), errors[0])


def _speed(row: dict[str, Any], device: str) -> str:
    from mediafm.encoders import open_encoder
    from mediafm.encoders.cards import measure
    from mediafm.encoders.devices import resolve_devices

    if row["state"] != "here":
        return "-"
    modality, name = str(row["modality"]), str(row["name"])
    reporter().say(f"measuring {name}")
    encoder = open_encoder(modality, name).load(resolve_devices(device))
    return measure(encoder, modality) or "-"
