"""Commands that make embeddings: ``pretrain``, ``embed``."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mediafm.cli.output import (
    CATALOG,
    MODEL,
    CatalogOption,
    JsonOption,
    ModelOption,
    print_json,
    print_table,
    reporter,
    say,
)
from mediafm.errors import ModelError

if TYPE_CHECKING:
    from mediafm.model import Layers
    from mediafm.pretrain import Estimate, TrainConfig, Verdict


def pretrain(
    context: typer.Context,
    catalog: CatalogOption = CATALOG,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the model.")] = MODEL,
    size: Annotated[
        str,
        typer.Option(
            help="small, netflix (3 layers of 768, as the original), large, or a number of layers."
        ),
    ] = "small",
    steps: Annotated[int, typer.Option(help="Most optimizer steps.")] = 400,
    seed: Annotated[int, typer.Option(help="Decides weights, windows and masks.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any other option: --set mask_span=3; --options lists them."),
    ] = None,
    options: Annotated[
        bool, typer.Option("--options", help="Explain all options that --set takes, and stop.")
    ] = False,
    cache: Annotated[
        Path | None,
        typer.Option(help="Training cache; in the user's cache folder by default."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would cost, and do nothing.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Train a model on a catalog by Masked Shot Modeling; interrupted runs go on.

    Several GPUs or machines: torchrun --nproc-per-node 8 -m mediafm pretrain ...

    Example: [bold]mediafm pretrain --out mediafm-model[/bold]
    """
    if options:
        _show_options(json)
        return
    from mediafm.catalog import Catalog
    from mediafm.pretrain import estimate_run
    from mediafm.pretrain import pretrain as train

    first = os.environ.get("RANK", "0") == "0"  # under torchrun one process speaks for all
    named = {"size": size, "steps": steps, "seed": seed, "device": device}
    typed = {name for name in named if _is_typed(context, name)}
    config = _config(settings or [], typed, **named)
    source = Catalog.open(catalog)
    if dry_run and first:
        cost = estimate_run(source, config, cache=cache)
        if json:
            print_json(asdict(cost))
        else:
            _show_cost(cost, config)
    if dry_run:
        return
    result = train(source, out, config, reporter(json), cache=cache)
    verdict = result.verdict
    if not first:
        return
    if json:
        print_json({"model": str(out), "steps": result.steps, "verdict": verdict.to_dict()})
        return
    _show_verdict(verdict)
    say(f"next: mediafm embed --model {out} --catalog {catalog}")


def _show_verdict(verdict: Verdict) -> None:
    if verdict.cosine:
        print_table(
            "Masked shots of validation titles",
            [
                *("predicted by", "#cosine", "#reciprocal rank", "#median rank %"),
                *(f"#{modality}" for modality in verdict.modality),
            ],
            [
                (
                    name,
                    f"{cosine:.3f}",
                    f"{verdict.reciprocal_rank[name]:.3f}",
                    f"{verdict.median_rank_percent[name]:.1f}",
                    *(f"{by[name]:.3f}" for by in verdict.modality.values()),
                )
                for name, cosine in verdict.cosine.items()
            ],
        )
    say(verdict.text)


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _config(settings: list[str], said: set[str], **named: Any) -> TrainConfig:
    """Options by name, as a user types them; ``said`` have an option of their own."""
    import dataclasses
    import typing

    from pydantic import TypeAdapter, ValidationError

    from mediafm.pretrain import TrainConfig

    kinds = typing.get_type_hints(TrainConfig)
    names = [field.name for field in dataclasses.fields(TrainConfig)]
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip().replace("-", "_")
        if name not in names:
            raise ModelError(
                f"--set {setting}: there is no such option",
                do=f"choose {', '.join(names)} (mediafm pretrain --options explains them)",
            )
        if not equals:
            raise ModelError(f"--set {setting}: the value is missing", do=f"--set {name}=VALUE")
        if name in said:
            raise ModelError(f"{name} is said twice", do="say it once")
        said.add(name)
        value: Any = text.strip()
        if typing.get_origin(kinds[name]) is tuple:
            value = tuple(part.strip() for part in value.split(",") if part.strip())
        try:
            named[name] = TypeAdapter(kinds[name]).validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise ModelError(f"--set {setting}: {reason[:1].lower()}{reason[1:]}") from None
    return TrainConfig(**named)


def _show_options(json: bool) -> None:
    import dataclasses
    import inspect
    import re

    from mediafm.pretrain import TrainConfig

    told = inspect.getdoc(TrainConfig) or ""
    meanings = {
        name: re.sub(r"\s+", " ", text).replace("``", "")
        for name, text in re.findall(r"^    (\w+): (.*?)(?=^    \w+: |\Z)", told, re.M | re.S)
    }
    rows = []
    for field in dataclasses.fields(TrainConfig):
        plain = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        rows.append((field.name, "" if plain is None else str(plain), meanings[field.name]))
    if json:
        print_json([dict(zip(("name", "default", "meaning"), row, strict=True)) for row in rows])
    else:
        print_table("Options of --set", ["name", "default", "meaning"], rows)


def _show_cost(cost: Estimate, config: TrainConfig) -> None:
    def gb(value: float) -> str:
        return f"{value * 1000:,.0f} MB" if value < 1 else f"{value:,.1f} GB"

    print_table(
        "What this run would cost",
        ["", "#this catalog", "#80 million shots"],
        [
            ("training shots", f"{cost.shots:,}", "80,000,000"),
            ("steps", f"{cost.steps:,}", ""),
            ("epochs", f"{cost.epochs:,.1f}", "1"),
            (
                "arithmetic",
                f"{cost.flops_per_shot * cost.shots * cost.epochs / 1e15:,.2f} PFLOP",
                f"{cost.original_epoch_pflop:,.1f} PFLOP",
            ),
            ("time at the speed measured now", _time(cost.seconds), _time(cost.original_epoch_s)),
            ("training cache", gb(cost.cache_gb), gb(cost.original_cache_gb)),
            ("checkpoints", gb(cost.checkpoint_gb), gb(cost.checkpoint_gb)),
        ],
    )
    say(
        f"{cost.parameters / 1e6:,.1f} million parameters, "
        f"{cost.flops_per_shot / 1e6:,.0f} MFLOP per shot forward and backward"
    )
    say(
        f"measured here, now: {cost.shots_per_s:,.0f} shots/s (some steps, "
        f"{cost.slowest_shots_per_s:,.0f} .. {cost.fastest_shots_per_s:,.0f}), "
        f"{cost.shots_per_s * cost.flops_per_shot / 1e9:,.0f} GFLOP/s, {gb(cost.memory_gb)} memory"
    )
    if cost.shots < config.batch_shots:
        say(f"the catalog fills only {cost.shots:,} of the {config.batch_shots:,} shots of a batch")
    for what, size in (
        ("this catalog", cost.cache_gb),
        ("80 million shots", cost.original_cache_gb),
    ):
        if size > cost.free_gb:
            say(f"the training cache of {what} does not fit: {gb(cost.free_gb)} are free there")


def _time(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.0f} seconds"


def embed(
    catalog: CatalogOption = CATALOG,
    model: ModelOption = MODEL,
    version: Annotated[
        str, typer.Option(help="Name of the version; from the model by default.")
    ] = "",
    layers: Annotated[
        str,
        typer.Option(
            help="last, as the original, or all: wider, and linear heads read more of it."
        ),
    ] = "last",
    json: JsonOption = False,
) -> None:
    """Embed every shot of a catalog in the context of its title.

    Example: [bold]mediafm embed --model mediafm-model[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.embed import embed as run

    if layers not in ("last", "all"):
        raise ModelError(f"--layers {layers}: there is no such choice", do="say last or all")
    chosen: Layers = "all" if layers == "all" else "last"
    result = run(Catalog.open(catalog), model, version, reporter(json), layers=chosen)
    if json:
        print_json(asdict(result))
        return
    say(
        f"{result.shots} shots of {result.titles} titles embedded as {result.version.name} "
        f"({result.version.dim} wide), {result.skipped} titles were there"
    )
    if result.current:
        say(f"next: mediafm similar TITLE@00:01:00 --catalog {catalog}")
    else:
        name = result.version.name
        say(f"not current yet: readers see it after mediafm version promote {name} -c {catalog}")
