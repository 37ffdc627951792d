"""``mediafm probe``: tasks, heads, tags, and the gate between two versions."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

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
    FEATURES,
    PROBES,
    AloneOption,
    LabelsOption,
    ModelOption,
    NoGlobalOption,
    ProbesOption,
    WorkOption,
    about_labels,
    cells,
    check_model,
    judgements,
    load_tasks,
    named,
    number,
    open_bench,
    plain,
    show_judgements,
    show_labels,
    show_skipped,
    signed,
)
from mediafm.errors import MediaFMError, describe_os_error

app = typer.Typer(
    name="probe",
    help="Linear heads on frozen embeddings: measure them, fit them, tag with them.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@app.command("tasks")
def tasks(
    write: Annotated[
        Path | None, typer.Option(help="Copy the task files to this folder, to change them.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """List the built-in tasks, or copy their files.

    Example: [bold]mediafm probe tasks --write tasks[/bold]
    """
    from mediafm.probes.task import built_in, load_task

    found = [load_task(name) for name in built_in()]
    if json:
        print_json(
            [asdict(task) | {"labels": task.labels.name, "taxonomy": None} for task in found]
        )
    elif write is None:
        rows = [(t.name, t.kind, t.metric, t.labels.name, t.about) for t in found]
        print_table("Tasks", ["name", "kind", "metric", "labels", "what is asked"], rows)
        say("next: mediafm probe eval NAME --labels FILE; or --write FOLDER to change them")
    if write is None:
        return
    try:
        write.mkdir(parents=True, exist_ok=True)
        for name in built_in():
            if (write / f"{name}.toml").exists():
                raise MediaFMError("is there already", where=write / f"{name}.toml")
        for path in built_in().values():
            shutil.copyfile(path, write / path.name)
    except OSError as error:
        raise MediaFMError(f"cannot be written ({describe_os_error(error)})", where=write) from None
    if not json:
        say(f"{len(found)} task files in {write}")


@app.command("eval")
def evaluate(
    names: Annotated[list[str], typer.Argument(metavar="TASK...", help="Task files or names.")],
    catalog: CatalogOption = CATALOG,
    labels: LabelsOption = None,
    features: Annotated[
        list[str] | None,
        typer.Option(
            "--features",
            "-f",
            help="What the head reads; repeat to compare with the first. Joined by +: context, "
            "fused, window, neighbours, concatenated, untrained, or a modality.",
        ),
    ] = None,
    version: VersionOption = None,
    model: ModelOption = None,
    alone: AloneOption = False,
    no_global: NoGlobalOption = False,
    work: WorkOption = None,
    json: JsonOption = False,
) -> None:
    """Measure features by tasks, with groups held out: values, intervals, differences.

    Example: [bold]mediafm probe eval clip-tone -l tones.csv -f concatenated -f context[/bold]
    """
    from mediafm.probes.bootstrap import mean_interval
    from mediafm.probes.gate import compare
    from mediafm.probes.metrics import METRICS
    from mediafm.probes.study import Contender, Measurement

    bench = open_bench(catalog, model, work, json)
    contenders = [
        Contender(
            named(text, alone, no_global), text, (version,) if version else (), alone, not no_global
        )
        for text in dict.fromkeys(map(str.strip, features or ["concatenated", FEATURES]))
    ]
    # Typing errors, before anything is measured.
    check_model(model, [bench.spec(contender) for contender in contenders])
    if version:
        bench.catalog.version(version)
    study = bench.run(load_tasks(names, labels), contenders)
    found: list[dict[str, Any]] = []
    for task, own in study.labels.items():
        rows: list[tuple[object, ...]] = []
        first: Measurement | None = None
        for name, measurement in study.of(task).items():
            run = measurement.runs[0]
            interval = mean_interval(METRICS[run.metric], measurement.predictions)
            gain = compare(measurement, first) if first else None
            first = first or measurement
            found.append(
                {
                    "task": task,
                    "features": name,
                    "metric": run.metric,
                    **asdict(interval),
                    "chance": run.chance,
                    "clips": len(run.predictions.title_N),
                    "groups": len(run.predictions.groups),
                    "fitted_on": run.fitted,
                    "penalties": run.penalties,
                    "gain": asdict(gain) if gain else None,
                }
            )
            rows.append((name, *cells(interval), signed(gain), f"{run.seconds:.1f}"))
        if json:
            continue
        show_labels(own)
        if rows:
            title = f"{task}: {own.task.metric}, chance {found[-1]['chance']:.3f}"
            print_table(
                title, ["features", "#value", "#95%", f"#more than {rows[0][0]}", "#seconds"], rows
            )
    if json:
        labelled = {task: about_labels(own) for task, own in study.labels.items()}
        print_json({"measured": plain(found), "labels": labelled, "skipped": study.skipped})
    else:
        show_skipped(study.skipped)
    if study.skipped:
        raise typer.Exit(1)


@app.command("fit")
def fit(
    name: Annotated[str, typer.Argument(metavar="TASK", help="Task file or name.")],
    catalog: CatalogOption = CATALOG,
    labels: LabelsOption = None,
    features: Annotated[str, typer.Option("--features", "-f", help="See eval.")] = FEATURES,
    version: VersionOption = None,
    model: ModelOption = None,
    alone: AloneOption = False,
    no_global: NoGlobalOption = False,
    probes: ProbesOption = PROBES,
    json: JsonOption = False,
) -> None:
    """Measure a probe with groups held out, then fit it and keep it.

    It is fitted on all clips; where the task splits by a value, on all but the measured ones.

    Example: [bold]mediafm probe fit clip-tone --labels tones.csv[/bold]
    """
    from mediafm.probes.artifact import Probe, check_folder
    from mediafm.probes.bootstrap import mean_interval
    from mediafm.probes.evaluate import fit_all
    from mediafm.probes.iab import display_names
    from mediafm.probes.labels import load_labels
    from mediafm.probes.metrics import METRICS
    from mediafm.probes.study import Contender

    bench = open_bench(catalog, model, None, json)
    [task] = load_tasks([name], labels)
    own = load_labels(task, bench.catalog)
    if not json:
        show_labels(own)
    check_folder(probes / task.name)  # before minutes of work
    contender = Contender(features, features, (version,) if version else (), alone, not no_global)
    spec = bench.spec(contender)
    check_model(model, [spec])
    [run] = bench.measure(own, contender)
    fitted = fit_all(own, bench.vectors(own, spec, version), seed=bench.seed)
    interval = mean_interval(METRICS[run.metric], [run.predictions])
    measured = {
        "metric": run.metric,
        **asdict(interval),
        "chance": run.chance,
        "clips": len(run.predictions.title_N),
        "groups": len(run.predictions.groups),
    }
    made_by = bench.made_by(spec, version)
    used = "" if "model" not in made_by or model else bench.catalog.version(version).name
    probe = Probe(
        task.name,
        fitted.head,
        spec,
        made_by,
        display_names(task, own.classes),
        plain(measured),
        used,
    )
    probe.save(probes / task.name)
    if json:
        print_json({"probe": str(probes / task.name), **probe.measured, **about_labels(own)})
        return
    value, span = cells(interval)
    say(
        f"{task.name}: {run.metric} {value} ({span}) on clips of other groups, chance "
        f"{run.chance:.3f}; {measured['clips']} clips, {len(own.classes)} classes"
    )
    say(f"probe in {probes / task.name}")
    say(f"next: mediafm probe apply {task.name} --out {task.name}.parquet")


@app.command("apply")
def apply(
    name: Annotated[str, typer.Argument(metavar="PROBE", help="A fitted probe.")],
    catalog: CatalogOption = CATALOG,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help=".parquet, .csv or .jsonl file.")
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
    if clips and target.exists() and clips.exists() and target.samefile(clips):
        raise MediaFMError("is the file of the clips", where=target, do="name another --out")
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
    found = run(
        probe,
        bench.catalog,
        wanted,
        version=version,
        embedder=embedder,
        titles=titles,
        failed=failed,
        progress=reporter(json),
    )
    done = write_tags(target, probe, found, every=every)
    if json:
        rows = [str(problem) for problem in wrong]
        print_json({"tags": str(target), **asdict(done), "failed": failed, "wrong": rows})
    else:
        what = "shots" if wanted is None else "clips"
        say(f"{done.given} tags on {done.clips} {what} of {done.titles} titles in {target}")
        for line in [*failed, *summary(wrong)]:
            say(f"  {line}")
    if failed or wrong:
        raise typer.Exit(1)


@app.command("list")
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


@app.command("gate")
def gate(
    ours: Annotated[str, typer.Argument(metavar="VERSION", help="The version in question.")],
    theirs: Annotated[str, typer.Argument(metavar="AGAINST", help="The one it would replace.")],
    names: Annotated[list[str], typer.Argument(metavar="TASK...", help="Task files or names.")],
    catalog: CatalogOption = CATALOG,
    features: Annotated[str, typer.Option("--features", "-f", help="See eval.")] = FEATURES,
    work: WorkOption = None,
    json: JsonOption = False,
) -> None:
    """Say per task whether a version is better, the same or worse; fails if worse anywhere.

    Exit status: 0 if no task is worse, 1 if one is, or if one cannot be judged.

    Example: [bold]mediafm probe gate new old tasks/clip-tone.toml[/bold]
    """
    from mediafm.probes.gate import gate_versions, passes

    bench = open_bench(catalog, None, work, json)
    found, study = gate_versions(bench, load_tasks(names, None), ours, theirs, features)
    passed = passes(found, study.skipped)
    if json:
        print_json({"passed": passed, **judgements(found, study)})
    else:
        show_judgements(ours, theirs, found, study, passed)
    if not passed:
        raise typer.Exit(1)
