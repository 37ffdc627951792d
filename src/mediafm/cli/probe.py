"""``mediafm probe``: tasks, heads, tags, and the gate between two versions."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mediafm.cli import fitted
from mediafm.cli.output import (
    CATALOG,
    CatalogOption,
    JsonOption,
    VersionOption,
    print_json,
    print_table,
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
    counted,
    judgements,
    load_tasks,
    measured_on,
    named,
    number,
    open_bench,
    show_judgements,
    show_labels,
    show_skipped,
    signed,
)
from mediafm.errors import MediaFMError, describe_os_error
from mediafm.strict_json import without_nan

if TYPE_CHECKING:
    from mediafm.probes.artifact import Probe

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
            help="What the head reads; repeat to compare with the first; concatenated and context "
            "by default. Joined by +: context, fused, window, neighbours, concatenated, untrained, "
            "or a modality; each may look around (context:sides2, :window4, :around1, :step2).",
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
            say(f"{task}: {measured_on(own, int(found[-1]['groups']))}")
            title = f"{task}: {own.task.metric}, chance {found[-1]['chance']:.3f}"
            print_table(
                title, ["features", "#value", "#95%", f"#more than {rows[0][0]}", "#seconds"], rows
            )
    if json:
        labelled = {task: about_labels(own) for task, own in study.labels.items()}
        print_json({"measured": without_nan(found), "labels": labelled, "skipped": study.skipped})
    else:
        show_skipped(study.skipped)
    if study.skipped:
        raise typer.Exit(1)


@app.command("fit")
def fit(
    name: Annotated[str, typer.Argument(metavar="TASK", help="Task file or name.")],
    catalog: CatalogOption = CATALOG,
    labels: LabelsOption = None,
    features: Annotated[
        list[str] | None,
        typer.Option("--features", "-f", help="What the head reads, joined by +; see eval."),
    ] = None,
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
    from mediafm.probes.artifact import check_folder
    from mediafm.probes.features import spec_text
    from mediafm.probes.fit import fit_probe
    from mediafm.probes.labels import load_labels
    from mediafm.probes.study import Contender

    if features and len(features) > 1:
        raise MediaFMError(
            "a probe has one description of clips", do=f"join: -f {'+'.join(features)}"
        )
    spelt = features[0] if features else FEATURES
    bench = open_bench(catalog, model, None, json)
    [task] = load_tasks([name], labels)
    own = load_labels(task, bench.catalog)
    if not json:
        show_labels(own)
    check_folder(probes / task.name)  # before minutes of work
    before = _held(probes / task.name)
    contender = Contender(spelt, spelt, (version,) if version else (), alone, not no_global)
    check_model(model, [bench.spec(contender)])
    made = fit_probe(bench, own, contender)
    probe, run = made.probe, made.run
    probe.save(probes / task.name)
    if json:
        print_json(
            {
                "probe": str(probes / task.name),
                **probe.measured,
                "not_told_apart": made.untold,
                **about_labels(own),
            }
        )
        return
    value, span = cells(made.interval)
    say(
        f"{task.name}: {run.metric} {value} ({span}), chance {run.chance:.3f}; "
        f"{measured_on(own, probe.measured['groups'])}"
    )
    if made.interval.low <= run.chance:
        say("it is not shown to be better than chance")
    if made.untold:
        names = ", ".join(made.untold)
        say(f"the same for every clip, for want of anything to tell by: {names}")
    if before is not None:
        was = number(before.measured.get("value"))
        say(f"it replaces one on {spec_text(before.spec)} ({before.measured.get('metric')} {was})")
    say(f"fitted on {counted(probe.measured['fitted_on'], 'clip')}: probe in {probes / task.name}")
    folder = "" if probes == PROBES else f" --probes {shlex.quote(str(probes))}"
    say(f"next: mediafm probe apply {task.name}{folder} --out {task.name}.parquet")


def _held(folder: Path) -> Probe | None:
    """The probe that a new one replaces."""
    from mediafm.probes.artifact import Probe

    try:
        return Probe.load(folder)
    except MediaFMError:
        return None


@app.command("gate")
def gate(
    ours: Annotated[str, typer.Argument(metavar="VERSION", help="The version in question.")],
    theirs: Annotated[str, typer.Argument(metavar="AGAINST", help="The one it would replace.")],
    names: Annotated[list[str], typer.Argument(metavar="TASK...", help="Task files or names.")],
    catalog: CatalogOption = CATALOG,
    labels: LabelsOption = None,
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
    found, study = gate_versions(bench, load_tasks(names, labels), ours, theirs, features)
    passed = passes(found, study.skipped)
    if json:
        print_json({"passed": passed, **judgements(found, study)})
    else:
        show_judgements(ours, theirs, found, study, passed)
    if not passed:
        raise typer.Exit(1)


app.command("apply")(fitted.apply)
app.command("list")(fitted.list_)
