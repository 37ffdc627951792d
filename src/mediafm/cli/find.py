"""Commands that find shots, clips and titles: ``similar`` and ``search``."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mediafm.catalog import Catalog
from mediafm.cli.output import (
    CATALOG,
    CatalogOption,
    JsonOption,
    VersionOption,
    print_json,
    print_table,
    say,
)
from mediafm.cli.pictures import (
    PictureOption,
    check_picture,
    clip_rows,
    draw,
    found_row,
    shot_rows,
    title_rows,
)
from mediafm.errors import MediaFMError
from mediafm.timeline import format_time, parse_time

if TYPE_CHECKING:
    from mediafm.report import Row
    from mediafm.search import Filter, Hit

Count = Annotated[
    int, typer.Option("--count", "-n", min=1, max=1_000_000, help="How many to find.")
]
InTitle = Annotated[
    list[str] | None, typer.Option("--title", help="Only this title; may be repeated.")
]
InSeries = Annotated[
    list[str] | None, typer.Option("--series", help="Only this series; may be repeated.")
]
InGenre = Annotated[
    list[str] | None, typer.Option("--genre", help="Only titles of it; may be repeated.")
]
WithTag = Annotated[
    list[str] | None, typer.Option("--tag", help="Only titles with it; may be repeated.")
]
After = Annotated[str | None, typer.Option(help="Only what begins at this time or later.")]
Before = Annotated[str | None, typer.Option(help="Only what ends by this time.")]


def similar(
    place: Annotated[
        str, typer.Argument(help="A shot, TITLE@3:10; a clip, TITLE@3:10-3:24; or a title.")
    ],
    catalog: CatalogOption = CATALOG,
    count: Count = 10,
    version: VersionOption = None,
    features: Annotated[
        str,
        typer.Option(
            "--features",
            "-f",
            help="context; out of it: fused, what all encoders say of each shot alone, or one "
            "modality.",
        ),
    ] = "context",
    elsewhere: Annotated[bool, typer.Option(help="Only in other titles.")] = False,
    title: InTitle = None,
    series: InSeries = None,
    genre: InGenre = None,
    tag: WithTag = None,
    after: After = None,
    before: Before = None,
    picture: PictureOption = None,
    json: JsonOption = False,
) -> None:
    """Find what is like a shot, a clip or a title, in context or out of it.

    Example: [bold]mediafm similar big-buck-bunny@00:03:10[/bold]
    """
    from mediafm.search import parse_clip, similar_clips, similar_titles
    from mediafm.search import similar as similar_shots

    check_picture(picture)
    opened = Catalog.open(catalog)
    where = _filter(title, series, genre, tag, after, before)
    rows: list[Row] = []
    if opened.find(place) or "@" not in place:
        title_id = opened.title(place).title_id
        if after is not None or before is not None:
            raise MediaFMError(
                "titles are compared as a whole", do="leave --after and --before out"
            )
        hits = similar_titles(
            opened, title_id, count, version=version, features=features, where=where
        )
        query: dict[str, Any] = {"title_id": title_id}
        what = f"Titles like {title_id}"
        rows = title_rows(opened, hits, title_id)
    else:
        title_id, start, end = parse_clip(place)
        if end is None:
            shot, hits = similar_shots(
                opened, title_id, start, count, version=version, features=features,
                elsewhere=elsewhere, where=where,
            )  # fmt: skip
            query = {"title_id": title_id, **asdict(shot)}
            rows = shot_rows(hits, (title_id, shot.index))
            what = f"Like shot {shot.index} of {title_id}, {shot.span}"
        else:
            if end <= start:
                what = "ends where it starts" if end == start else "ends before it starts"
                raise MediaFMError(f"'{place}' {what}", do="name two times, the earlier first")
            span = opened.clip(title_id, start, end).clip.span
            hits = similar_clips(
                opened, title_id, span, count, version=version, features=features,
                elsewhere=elsewhere, where=where,
            )  # fmt: skip
            query = {"title_id": title_id, "span": asdict(span)}
            rows = clip_rows(opened, hits, (title_id, span))
            what = f"Clips like {title_id}, {span}"
    if json:
        print_json({"query": query, "features": features, "hits": [*map(asdict, hits)]})
    else:
        _show(what, hits, whole="span" not in query)
        if not hits:
            say("nothing else is there to compare it with")
    draw(opened, picture, rows if hits else [], what, quiet=json)


def _show(what: str, hits: list[Hit], whole: bool) -> None:
    if not hits:
        return
    if whole:
        rows: list[tuple[object, ...]] = [
            (rank, hit.title_id, f"{hit.score:.3f}", because(hit.because))
            for rank, hit in enumerate(hits, 1)
        ]
        print_table(what, ["#", "=title", "#cosine", "alike in"], rows)
        return
    rows = [
        (
            rank,
            hit.title_id,
            hit.shot,
            format_time(hit.span.start),
            format_time(hit.span.end),
            f"{hit.score:.3f}",
            because(hit.because),
            _short(hit.text),
        )
        for rank, hit in enumerate(hits, 1)
    ]
    columns = ["#", "=title", "#shot", "from", "to", "#cosine", "alike in", "said"]
    print_table(what, columns, rows)


def search(
    query: Annotated[str, typer.Argument(help="What the shot shows, or what is said in it.")],
    catalog: CatalogOption = CATALOG,
    count: Count = 10,
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this way: words (of the timed text), text (its meaning), video, audio; "
            "may be repeated."
        ),
    ] = None,
    title: InTitle = None,
    series: InSeries = None,
    genre: InGenre = None,
    tag: WithTag = None,
    after: After = None,
    before: Before = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    picture: PictureOption = None,
    json: JsonOption = False,
) -> None:
    """Find shots by a sentence: in their timed text, and where the encoder can, in pictures.

    Example: [bold]mediafm search "the bridge blows up"[/bold]
    """
    from mediafm.search import check_query, query_encoders
    from mediafm.search import search as find

    check_picture(picture)
    opened = Catalog.open(catalog)
    where = _filter(title, series, genre, tag, after, before)
    check_query(query)  # before encoders are loaded, which takes seconds
    where.within(opened)
    encoders = query_encoders(opened, device, by)
    answer = find(opened, query, count, encoders=encoders, where=where, by=by)
    rows = [found_row(answer.found)] if answer.found else []
    heading = f"“{_short(query)}”, by {', '.join(answer.by)}"
    if json:
        print_json(asdict(answer))
        draw(opened, picture, rows, heading, quiet=True)
        return
    print_table(
        f"{_short(query)}  (looked for in {', '.join(answer.by)})",
        ["#", "=title", "#shot", "from", "why", "said"],
        [
            (
                rank,
                hit.title_id,
                hit.shot,
                format_time(hit.span.start),
                because(hit.because),
                _short(hit.cue or hit.text),
            )
            for rank, hit in enumerate(answer.found, 1)
        ],
    )
    for note in answer.notes:
        say(note)
    if not answer.found:
        say("nothing stands out")
    draw(opened, picture, rows, heading)


def _filter(
    titles: list[str] | None,
    series: list[str] | None,
    genres: list[str] | None,
    tags: list[str] | None,
    after: str | None,
    before: str | None,
) -> Filter:
    from mediafm.search import Filter

    return Filter(
        titles or (),
        series or (),
        genres or (),
        tags or (),
        parse_time(after) if after else 0,
        parse_time(before) if before else None,
    )


def because(reasons: dict[str, float]) -> str:
    """``text 0.81, video 0.40``: what speaks for a hit, most of all first."""
    ordered = sorted(reasons.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {value:.2f}" for name, value in ordered if value >= 0.005) or "-"


def _short(text: str) -> str:
    return textwrap.shorten(text, 60, placeholder="…")
