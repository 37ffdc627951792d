"""``mediafm probe apply`` and ``list``: probes that are fitted."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mediafm.cli.output import (
    CATALOG,
    CatalogOption,
    JsonOption,
    VersionOption,
    print_json,
    print_table,
    reporter,
    say,
)
from mediafm.cli.probing import (
    PROBES,
    ModelOption,
    ProbesOption,
    check_model,
    counted,
    keep_apart,
    number,
    open_bench,
)
from mediafm.errors import MediaFMError


def apply(
    name: Annotated[str, typer.Argument(metavar="PROBE", help="A fitted probe.")],
    catalog: CatalogOption = CATALOG,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help=".parquet, .csv or .jsonl file; PROBE.parquet by default."
        ),
    ] = None,
    title: Annotated[
        list[str] | None, typer.Option(help="Only this title; may be repeated.")
    ] = None,
    clips: Annotated[
        Path | None,
        typer.Option(help="CSV or Parquet file of clips (title_id, start, end) to tag, not shots."),
    ] = None,
    version: VersionOption = None,
    model: ModelOption = None,
    every: Annotated[
        bool, typer.Option("--every", help="Also the classes below their threshold.")
    ] = False,
    probes: ProbesOption = PROBES,
    json: JsonOption = False,
) -> None:
    """Tag every shot of a catalog, or clips of a file, with a fitted probe.

    Exit status: 1 if a title could not be tagged, or a row of the file is wrong; the rest is
    written all the same.

    Example: [bold]mediafm probe apply clip-tone --out tones.parquet[/bold]
    """
    from mediafm.probes.apply import apply as run
    from mediafm.probes.apply import write_tags
    from mediafm.probes.artifact import Probe
    from mediafm.probes.clip_finder import read_clips
    from mediafm.probes.label_file import summary

    probe = Probe.load(probes / name)
    bench = open_bench(catalog, model, None, json)
    titles = list(dict.fromkeys(title or ()))
    for title_id in titles:
        bench.catalog.title(title_id)  # a name that is wrong is said before anything is written
    target = out or Path(f"{name}.parquet")
    keep_apart(target, clips)
    check_model(model, [probe.spec])
    wanted, wrong = read_clips(clips, bench.catalog) if clips else (None, [])
    version = version or probe.version_in(bench.catalog)
    probe.check(bench.made_by(probe.spec, version))
    embedder = bench.embedder(version) if probe.spec.needs_model else None
    if wanted is not None and titles:
        wanted = [clip for clip in wanted if clip.title_id in titles]
        if not wanted:
            raise MediaFMError("holds no clip of these titles", where=clips)
    failed: list[str] = []
    untagged: list[str] = []
    found = run(
        probe,
        bench.catalog,
        wanted,
        version=version,
        embedder=embedder,
        titles=titles,
        failed=failed,
        untagged=untagged,
        progress=reporter(json),
    )
    replaced = ", which replaces what was there" if target.exists() else ""
    done = write_tags(target, probe, found, every=every)
    if json:
        rows = [str(problem) for problem in wrong]
        print_json(
            {
                "tags": str(target),
                **asdict(done),
                "failed": failed,
                "wrong": rows,
                "untagged": untagged,
            }
        )
    else:
        what = "shot" if wanted is None else "clip"
        titles_ = counted(done.titles, "title")
        say(
            f"{counted(done.given, 'tag')} on {counted(done.clips, what)} of {titles_} in "
            f"{target}{replaced}"
        )
        for line in [*failed, *summary(wrong)]:
            say(f"  {line}")
        if untagged:
            more = f", and {len(untagged) - 1} titles more" if len(untagged) > 1 else ""
            say(f"not tagged: {untagged[0]}{more}")
    if failed or wrong:
        raise typer.Exit(1)


def list_(probes: ProbesOption = PROBES, json: JsonOption = False) -> None:
    """List the fitted probes.

    Example: [bold]mediafm probe list[/bold]
    """
    from mediafm.probes.artifact import list_probes
    from mediafm.probes.features import spec_text

    found, wrong = list_probes(probes)
    if json:
        rows = [
            {
                "name": p.name,
                "features": spec_text(p.spec),
                "classes": p.head.classes,
                "made_by": p.made_by,
                "version": p.version,
                "measured": p.measured,
                "fingerprint": p.fingerprint,
            }
            for p in found
        ]
        print_json({"probes": rows, "wrong": wrong})
        return
    if not found:
        say(f"no probes in {probes}; make one with mediafm probe fit TASK --labels FILE")
    else:
        print_table(
            f"Probes in {probes}",
            ["name", "features", "version", "#classes", "metric", "#value", "#chance"],
            [
                (
                    p.name,
                    spec_text(p.spec),
                    p.version or "-",
                    len(p.head.classes),
                    p.measured.get("metric", ""),
                    number(p.measured.get("value")),
                    number(p.measured.get("chance")),
                )
                for p in found
            ],
        )
    for line in wrong:
        say(f"  {line}")
