"""Small titles for the catalog tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from mediafm.catalog import Catalog, EncoderRecord, TitleRecord, snapshot
from mediafm.catalog.tables import PinnedTable, open_latest
from mediafm.timeline import US, Cue, Shot, Span

VIDEO = EncoderRecord("video", "clip", "aaaa1111", 8, {"weights": "v1", "frames": "8"})
OTHER_VIDEO = EncoderRecord("video", "siglip", "bbbb2222", 6, {"weights": "w9", "frames": "8"})
TEXT = EncoderRecord("text", "use", "cccc3333", 4)
OTHER_TEXT = EncoderRecord("text", "e5", "dddd4444", 6)
SMELL = EncoderRecord("smell", "nose", "eeee5555", 3)
ENCODERS = {"video": VIDEO, "text": TEXT}


def vectors(seed: int, shots: int, dim: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((shots, dim)).astype(np.float32)


def make_shots(count: int) -> list[Shot]:
    return [Shot(i, Span(i * US, (i + 1) * US), i % 2 == 1) for i in range(count)]


def write_title(
    catalog: Catalog, title_id: str, *, shots: int = 5, seed: int = 0, **fields
) -> TitleRecord:
    """Writes a title whose every row can be told from its seed."""
    with catalog.writer(title_id, ENCODERS) as w:
        w.add_shots(make_shots(shots))
        w.add_cues([Cue(Span(0, US), f"{title_id} {seed}")])
        w.add_keyframes([(i, f"{title_id} {seed} {i}".encode()) for i in range(shots)])
        w.add_features("video", 0, vectors(seed, shots, 8))
        w.add_features("text", 0, vectors(seed + 1, shots, 4), np.arange(shots) % 3 != 0)
        w.set_metadata("synopsis", np.full(4, seed % 100))
        return w.commit(
            TitleRecord(title_id, "", title=f"{title_id} {seed}", **{"year": seed, **fields})
        )


def check_title(catalog: Catalog, title_id: str) -> None:
    """Everything that a title's seed says must be there, exactly once."""
    title = catalog.title(title_id)
    seed = title.year
    assert title.title == f"{title_id} {seed}"
    assert catalog.shots(title_id) == make_shots(title.shots)
    assert [cue.text for cue in catalog.cues(title_id)] == [f"{title_id} {seed}"]
    expected = [f"{title_id} {seed} {i}".encode() for i in range(title.shots)]
    assert catalog.keyframes(title_id) == expected
    x_ND, present_N = catalog.features(title_id, "video")
    assert present_N.all()
    np.testing.assert_array_equal(x_ND, vectors(seed, title.shots, 8).astype(np.float16))
    [features] = catalog.title_features([title_id])
    np.testing.assert_array_equal(features.features["video"], x_ND)
    np.testing.assert_array_equal(features.present["text"], np.arange(title.shots) % 3 != 0)
    np.testing.assert_array_equal(features.metadata["synopsis"], np.full(4, seed % 100))
    assert len(features) == title.shots


def stored_ingests(catalog: Catalog) -> set[str]:
    """Every ingest that has a row in any table, committed or not."""
    found = set()
    for name in snapshot.list_tables(catalog._store):
        if name in ("encoders", "failures", "promotions", "validations", "versions"):
            continue
        uri = catalog._store.table(name)
        dataset = open_latest(uri)
        if dataset is not None:
            found |= set(PinnedTable(uri, dataset, {}).runs)
    return found


def made(encoder, title):
    """What an encoder says of a title: its vectors and which of them count."""
    seed = int(encoder.fingerprint[:4], 16) + (title.year or 0)
    return vectors(seed, title.shots, encoder.dim), np.arange(title.shots) % 2 == 0


def fill(catalog, encoder, names=None):
    """As a user would: what is missing by now, title by title."""
    held = catalog.encoded_ingests(encoder.modality, encoder.fingerprint)
    count = 0
    for title in catalog.titles():
        if title.ingest_id not in held and (names is None or title.title_id in names):
            row = (title.title_id, title.ingest_id, *made(encoder, title))
            count += catalog.append_features(encoder, [row])
    return count


def fill_metadata(catalog, encoder):
    fields = {"synopsis": np.full(encoder.dim, 7), "tags": np.arange(encoder.dim)}
    rows = [(t.title_id, t.ingest_id, fields) for t in catalog.titles()]
    return catalog.append_metadata(encoder, rows)


def check_made(catalog, encoder):
    """All titles have an encoder's vectors, and nothing else in the modality."""
    assert catalog.encoders()[encoder.modality] == encoder
    for title in catalog.titles():
        x_ND, present_N = made(encoder, title)
        found_ND, found_N = catalog.features(title.title_id, encoder.modality)
        np.testing.assert_array_equal(found_N, present_N)
        expected_ND = np.where(present_N[:, None], x_ND, 0).astype(np.float16)
        np.testing.assert_array_equal(found_ND, expected_ND)


def rows_in(catalog, encoder, modality=None):
    name = snapshot.table_name(modality or encoder.modality, encoder.fingerprint)
    dataset = open_latest(catalog._store.table(name))
    return 0 if dataset is None else dataset.count_rows()


def marks(catalog):
    return snapshot.statuses(snapshot.mark_rows(catalog._store))


def start(script, *args):
    """Runs a script in a new interpreter that can import this file."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
    )
