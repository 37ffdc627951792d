"""A title with pictures and words; makes `suggest_kit` and `probe_kit` importable."""

import sys
from pathlib import Path

import numpy as np
import pytest

from mediafm.catalog import Catalog, EncoderRecord, TitleRecord, VersionRecord
from mediafm.cli.main import main
from mediafm.suggest import FittedProbes
from mediafm.timeline import US, Cue, Shot, Span

sys.path.insert(0, str(Path(__file__).parents[1] / "probes"))
sys.path.insert(0, str(Path(__file__).parent))
from suggest_kit import jpeg

from probe_kit import make_catalog, make_version, mood_rows, write_csv, write_task  # isort: skip

LENGTHS = [2, 3, 4, 3, 2, 5, 3, 4, 2, 3, 4, 5, 3, 2, 4, 3, 2, 3, 4, 3]
SPEECH = [
    (1, 4, "This goes on"),
    (4.2, 6, "until here."),
    (12, 13.5, "Short."),
    (30, 36, "Long one."),
]


@pytest.fixture
def film(tmp_path):
    """One title of 64 seconds, embedded, with keyframes: every fourth blurred, shot 6 dark."""
    catalog = Catalog.create(tmp_path / "catalog")
    ends = np.cumsum(LENGTHS).tolist()
    spans = [Span((end - n) * US, end * US) for end, n in zip(ends, LENGTHS, strict=True)]
    with catalog.writer("film", {"video": EncoderRecord("video", "eye", "e1", 6)}) as w:
        w.add_shots([Shot(i, span) for i, span in enumerate(spans)])
        w.add_cues([Cue(Span(int(a * US), int(b * US)), text) for a, b, text in SPEECH])
        pictures = [jpeg(i, 6.0 if i % 4 == 3 else 0.0, i == 6) for i in range(len(spans))]
        w.add_keyframes(list(enumerate(pictures)))
        x_ND = np.random.default_rng(0).normal(size=(len(spans), 6))
        w.add_features("video", 0, x_ND)
        record = w.commit(TitleRecord("film", "", title="A film"))
    catalog.create_version(VersionRecord("v", "f", 8))
    x_NH = np.random.default_rng(1).normal(size=(len(spans), 8))
    x_NH /= np.linalg.norm(x_NH, axis=1, keepdims=True)
    catalog.append_embeddings("v", [("film", record.ingest_id, x_NH)])
    catalog.promote("v")
    return catalog


@pytest.fixture(scope="session")
def probed(tmp_path_factory):
    """Titles whose clips are worthy where the mood is glad, and probes that know."""
    folder = tmp_path_factory.mktemp("probed")
    catalog = make_catalog(folder)
    make_version(catalog, folder / "model")
    rows = mood_rows()
    for row in rows:
        row["worthy"] = int(row["mood"] == "glad")
    write_csv(folder / "labels.csv", rows)
    split = {"by": "title", "folds": 3}
    write_task(folder, "clip-retrieval", kind="binary", column="worthy", split=split)
    write_task(folder, "clip-popularity", kind="ranking", column="rate", split=split)
    write_task(folder, "ad-relevancy", kind="multi-label", split=split)
    write_task(folder, "clip-tone", kind="multi-label", split=split)
    for name in ("clip-retrieval", "clip-popularity", "ad-relevancy", "clip-tone"):
        probes = ["-c", str(folder / "catalog"), "--probes", str(folder / "probes")]
        assert main(["probe", "fit", str(folder / f"{name}.toml"), "-f", "video", *probes]) == 0
    return catalog, FittedProbes(catalog, folder / "probes")
