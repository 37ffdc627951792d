"""Commands that make embeddings: ``pretrain``, ``embed``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, cast

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


def pretrain(
    catalog: CatalogOption = CATALOG,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the model.")] = MODEL,
    preset: Annotated[
        str, typer.Option(help="small, or netflix (3 layers of 768, as the original).")
    ] = "small",
    steps: Annotated[int, typer.Option(help="Most optimizer steps.")] = 600,
    seed: Annotated[int, typer.Option(help="Decides weights, split and masks.")] = 0,
    json: JsonOption = False,
) -> None:
    """Train a model on a catalog by Masked Shot Modeling; interrupted runs go on.

    Example: [bold]mediafm pretrain --out mediafm-model[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.model import Preset
    from mediafm.pretrain import TrainConfig
    from mediafm.pretrain import pretrain as train

    config = TrainConfig(preset=cast(Preset, preset), steps=steps, seed=seed)
    result = train(Catalog.open(catalog), out, config, reporter(json))
    verdict = result.verdict
    if json:
        print_json({"model": str(out), "steps": result.steps, "verdict": verdict.to_dict()})
        return
    if verdict.cosine:
        print_table(
            "Masked shots of validation titles",
            ["predicted by", "#cosine", "#reciprocal rank", "#median rank %"],
            [
                (
                    name,
                    f"{cosine:.3f}",
                    f"{verdict.reciprocal_rank[name]:.3f}",
                    f"{verdict.median_rank_percent[name]:.1f}",
                )
                for name, cosine in verdict.cosine.items()
            ],
        )
    say(verdict.text)
    say(f"next: mediafm embed --model {out} --catalog {catalog}")


def embed(
    catalog: CatalogOption = CATALOG,
    model: ModelOption = MODEL,
    version: Annotated[
        str, typer.Option(help="Name of the version; from the model by default.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Embed every shot of a catalog in the context of its title.

    Example: [bold]mediafm embed --model mediafm-model[/bold]
    """
    from mediafm.catalog import Catalog
    from mediafm.embed import embed as run

    result = run(Catalog.open(catalog), model, version, reporter(json))
    if json:
        print_json(asdict(result))
        return
    say(
        f"{result.shots} shots of {result.titles} titles embedded as {result.version.name} "
        f"({result.version.dim} wide), {result.skipped} titles were there"
    )
    say(f"next: mediafm similar TITLE@00:01:00 --catalog {catalog}")
