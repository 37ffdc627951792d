"""A small catalog to search in."""

import numpy as np
import pytest

from mediafm.catalog import Catalog, EncoderRecord, TitleRecord, VersionRecord
from mediafm.timeline import US, Cue, Shot, Span

ENCODERS = {
    "video": EncoderRecord("video", "eye", "e1", 6),
    "text": EncoderRecord("text", "reader", "r1", 4),
}
LENGTHS = {"sea": [2, 3, 1, 4, 2, 5, 3, 2], "city": [4, 1, 2, 2, 3, 1, 6], "farm": [3, 3, 3, 3, 3]}
ABOUT = {
    "sea": {"genres": ("Drama",), "tags": ("water", "Storm"), "series_id": "places"},
    "city": {"genres": ("Crime", "Drama"), "series_id": "places"},
    "farm": {"genres": ("Comedy",), "tags": ("animals",)},
}
CUES = {
    "sea": [(0.5, 1.5, "The storm is near"), (6, 8, "Bring in the boats")],
    "city": [(0, 3, "A storm of protest"), (5, 6, "Taxi!")],
    "farm": [(4, 5, "The cows, the boats of the land")],
}


def vectors(name, dim):
    """Each title around a point of its own."""
    number = sorted(LENGTHS).index(name)
    rng = np.random.default_rng([number, dim])
    x_NF = np.eye(dim)[number] * 2 + rng.normal(size=(len(LENGTHS[name]), dim))
    return x_NF / np.linalg.norm(x_NF, axis=1, keepdims=True)


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog.create(tmp_path / "catalog")
    catalog.create_version(VersionRecord("v", "f", 8))
    for name, lengths in LENGTHS.items():
        ends = np.cumsum(lengths).tolist()
        spans = [Span((end - n) * US, end * US) for end, n in zip(ends, lengths, strict=True)]
        with catalog.writer(name, ENCODERS) as w:
            w.add_shots([Shot(i, span) for i, span in enumerate(spans)])
            w.add_cues([Cue(Span(int(a * US), int(b * US)), t) for a, b, t in CUES[name]])
            w.add_features("video", 0, vectors(name, 6))
            said = np.array(
                [any(s.touches(Span(int(a * US), int(b * US))) for a, b, _ in CUES[name])
                 for s in spans]
            )  # fmt: skip
            w.add_features("text", 0, vectors(name, 4), said)
            record = w.commit(TitleRecord(name, "", title=name, **ABOUT[name]))
        catalog.append_embeddings("v", [(name, record.ingest_id, vectors(name, 8))])
    catalog.promote("v")
    return catalog
