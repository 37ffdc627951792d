"""A small catalog with planted labels, and models over it."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from mediafm.catalog import Catalog
from mediafm.embed import embed
from mediafm.ingest.importer import import_features
from mediafm.model import MediaFM, Modality, ModelConfig

DIMS = {"audio": 4, "video": 8}
SECONDS = 4
"""Length of a shot."""


def make_catalog(folder: Path, titles: int = 8, shots: int = 24, seed: int = 0) -> Catalog:
    """Titles ``t0 ..`` in series of two; each shot has a mood of three, which its features show.

    Moods change every few shots, so that the neighbours know it too; audio is missing in places.
    """
    rng = np.random.default_rng(seed)
    centres = {name: rng.normal(size=(3, dim)) for name, dim in DIMS.items()}
    rows = []
    for number in range(titles):
        moods = moods_of(number, shots)
        for shot, mood in enumerate(moods):
            row = {
                "title_id": f"t{number}",
                "series_id": f"s{number // 2}",
                "season": 1 + number * 2 // titles,
                "start": float(shot * SECONDS),
                "end": float((shot + 1) * SECONDS),
            }
            for name, dim in DIMS.items():
                x = centres[name][mood] + rng.normal(size=dim) * 0.8
                row[name] = None if name == "audio" and shot % 5 == 3 else x.tolist()
            rows.append(row)
    pq.write_table(pa.Table.from_pylist(rows), folder / "shots.parquet")
    import_features(folder / "shots.parquet", folder / "catalog", source="kit")
    return Catalog.open(folder / "catalog")


def moods_of(number: int, shots: int = 24) -> list[int]:
    """The mood of each shot of a title."""
    rng = np.random.default_rng([number, 77])
    moods = np.repeat(rng.integers(0, 3, shots), rng.integers(2, 6, shots))
    return moods[:shots].tolist()


def write_csv(path: Path, rows: list[dict]) -> Path:
    """Rows of any columns as a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)
    return path


def mood_rows(titles: int = 8, shots: int = 24) -> list[dict]:
    """One row per shot with its mood by name, and whether another one begins."""
    rows = []
    for number in range(titles):
        moods = moods_of(number, shots)
        for shot, mood in enumerate(moods):
            rows.append(
                {
                    "title_id": f"t{number}",
                    "start": shot * SECONDS,
                    "end": (shot + 1) * SECONDS,
                    "mood": ("calm", "glad", "grim")[mood],
                    "change": int(shot > 0 and mood != moods[shot - 1]),
                    "rate": round(0.05 + 0.02 * mood + 0.001 * ((shot * 7) % 5), 4),
                }
            )
    return rows


def write_task(folder: Path, name: str = "mood", **fields) -> Path:
    """A task file beside ``labels.csv`` of :func:`mood_rows`."""
    values = {
        "kind": "multi-class",
        "labels": "labels.csv",
        "column": "mood",
        "split": {"by": "series", "folds": 3},
        **fields,
    }
    split = values.pop("split")
    lines = [f"{key} = {_toml(value)}" for key, value in values.items()]
    lines += ["[split]", *(f"{key} = {_toml(value)}" for key, value in split.items())]
    path = folder / f"{name}.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _toml(value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value) if isinstance(value, int | float) else f'"{value}"'


def make_model(catalog: Catalog, folder: Path, seed: int = 0, metadata: dict | None = None):
    """A model with random weights for the catalog, saved."""
    torch.manual_seed(100 + seed)  # another network than the untrained one of any seed
    blocks = {m: Modality(e.dim, e.fingerprint) for m, e in catalog.encoders().items()}
    fields = {name: Modality(dim) for name, dim in (metadata or {}).items()}
    config = ModelConfig(
        blocks, fields, hidden=16, layers=1, heads=2, max_shots=32, overlap=8, dropout=0.0
    )
    model = MediaFM(config)
    model.fusion.fit(list(catalog.title_features()))
    model.eval().save_pretrained(folder)
    return model


def make_version(catalog: Catalog, folder: Path, name: str = "one", seed: int = 0, **options):
    """A model, saved, and its embeddings in the catalog."""
    model = make_model(catalog, folder, seed, **options)
    embed(catalog, folder, name, device="cpu")
    catalog.refresh()
    return model
