"""``mediafm suggest accept | reject | correct``: what people say of suggestions, as labels."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mediafm.cli.output import CATALOG, CatalogOption, JsonOption, VersionOption, print_json, say
from mediafm.cli.probing import PROBES, ProbesOption, counted
from mediafm.errors import MediaFMError

if TYPE_CHECKING:
    from mediafm.suggest.feedback import Answer

Kind = Annotated[
    str,
    typer.Argument(metavar="KIND", help="clips, artwork, ad-breaks, scenes or tags."),
]
Place = Annotated[
    str,
    typer.Argument(metavar="PLACE", help="TITLE@FROM-TO of a clip or of tags, else TITLE@TIME."),
]
TaskOption = Annotated[
    str | None,
    typer.Option("--task", help="Task or task file; of tags clip-tone by default."),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option("--labels", "-l", help="Folder of the label files; mediafm-labels by default."),
]


def accept(
    kind: Kind,
    place: Place,
    catalog: CatalogOption = CATALOG,
    task: TaskOption = None,
    labels: LabelsOption = None,
    probes: ProbesOption = PROBES,
    version: VersionOption = None,
    json: JsonOption = False,
) -> None:
    """Say that a suggestion is right: a label row that `mediafm probe fit` learns from.

    Example: [bold]mediafm suggest accept clips big-buck-bunny@3:10-3:24[/bold]
    """
    _answer("accepted", kind, place, (catalog, version, probes), task, labels, json)


def reject(
    kind: Kind,
    place: Place,
    catalog: CatalogOption = CATALOG,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this tag is wrong, by name or id; the others are right. May be repeated."
        ),
    ] = None,
    task: TaskOption = None,
    labels: LabelsOption = None,
    probes: ProbesOption = PROBES,
    version: VersionOption = None,
    json: JsonOption = False,
) -> None:
    """Say that a suggestion is wrong; of tags, that none applies, or that some do not.

    Example: [bold]mediafm suggest reject ad-breaks big-buck-bunny@4:02[/bold]
    """
    _answer("rejected", kind, place, (catalog, version, probes), task, labels, json, tags=tag)


def correct(
    kind: Kind,
    place: Place,
    catalog: CatalogOption = CATALOG,
    to: Annotated[
        str | None, typer.Option("--to", metavar="TIME[-TIME]", help="Where it should have been.")
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            help="A tag that applies, by name or id; name all that do, each with a --tag."
        ),
    ] = None,
    task: TaskOption = None,
    labels: LabelsOption = None,
    probes: ProbesOption = PROBES,
    version: VersionOption = None,
    json: JsonOption = False,
) -> None:
    """Say what would have been right: another place, or other tags.

    Example: [bold]mediafm suggest correct clips big-buck-bunny@3:10-3:24 --to 3:08-3:30[/bold]
    """
    _answer("corrected", kind, place, (catalog, version, probes), task, labels, json, to, tag)


def _answer(
    answer: Answer,
    kind: str,
    text: str,
    where: tuple[str, str | None, Path],
    task_name: str | None,
    labels: Path | None,
    json: bool,
    to: str | None = None,
    tags: list[str] | None = None,
) -> None:
    from mediafm.catalog import Catalog
    from mediafm.suggest import FittedProbes
    from mediafm.suggest.feedback import judge, judge_tags, place, record, task_of
    from mediafm.suggest.tags import tags_in_answer

    task = task_of(kind, labels, task_name)
    notes: list[str] = []
    uri, version, folder = where
    catalog = Catalog.open(uri)
    clip = place(catalog, kind, text)
    if kind == "tags":
        if to is not None:
            raise MediaFMError("--to names a place", do="name the tags that apply, with --tag")
        held = FittedProbes(catalog, folder, version)
        named, suggested, notes = tags_in_answer(answer, task, clip, held, tags or [])
        rows = [judge_tags(clip, answer, task, suggested, named)]
    else:
        if tags:
            raise MediaFMError(f"{kind} have no tags", do="leave --tag out")
        if answer == "corrected" and to is None:
            raise MediaFMError("a correction names another place", do="name it with --to TIME")
        other = None
        if to is not None:
            other = place(catalog, kind, to if "@" in to else f"{clip.title_id}@{to}")
        rows = judge(clip, answer, other)
    written = record(task, rows)
    if json:
        print_json({**asdict(written), "file": str(written.file), "notes": notes})
        return
    for row in rows:
        changed = ", which replaces an earlier answer" if written.replaced else ""
        value = row.value or "(nothing applies)"
        say(f"{row.clip.title_id} {row.clip.span}: {written.column} = {value}{changed}")
    say(f"{counted(written.total, 'row')} in {written.file}")
    for note in notes:
        say(note)
    held_ = [catalog.find(title_id) for title_id in written.titles]
    if len({record.series_id or record.title_id for record in held_ if record}) > 1:
        say(f"next: mediafm probe fit {task_name or task.name} --labels {written.file}")
    else:
        say("next: answers in other series, too: a probe is measured on series it has not seen")
