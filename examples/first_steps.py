"""From generated films to similar shots: python examples/first_steps.py FOLDER."""

import sys
from pathlib import Path

from mediafm import Catalog, ingest
from mediafm.embed import embed
from mediafm.pretrain import TrainConfig, pretrain
from mediafm.sample import generate
from mediafm.search import similar


def main(folder: Path) -> None:
    films = generate(folder / "films", titles=4, seconds=20)
    ingest(films, folder / "catalog")
    catalog = Catalog.open(folder / "catalog")
    result = pretrain(catalog, folder / "model", TrainConfig(steps=100))
    print(result.verdict.text)
    embed(catalog, result.model, "first")
    catalog.refresh()
    for title in catalog.titles():
        shot, hits = similar(catalog, title.title_id, 5_000_000, count=1)
        print(f"{title.title_id} {shot.span} is most like {hits[0].title_id} {hits[0].span}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "first-steps"))
