"""A catalog as far as the training cache looks at it, and what a store must hold."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
from shot_kit import DIMS, make_titles

from mediafm.catalog import EncoderRecord, TitleRecord
from mediafm.timeline import Shot, Span

ENCODERS = {m: EncoderRecord(m, f"{m}-encoder", f"{m}0000", d) for m, d in DIMS.items()}


class Source:
    """A catalog, as far as the cache looks at it; may fail after some titles."""

    uri = "memory://titles"

    def __init__(self, titles, fail_after=None, versions=None):
        self.held = {t.title_id: t for t in titles}
        self.fail_after, self.versions, self.given = fail_after, versions or {}, []

    def titles(self):
        return [
            TitleRecord(t.title_id, t.ingest_id, series_id=t.group, shots=len(t))
            for t in self.held.values()
        ]

    def encoders(self):
        return ENCODERS

    def metadata_encoder(self):
        return replace(ENCODERS["text"], modality="metadata")

    def feature_versions(self):
        return self.versions

    def title_features(self, ids=None):
        for title_id in self.held if ids is None else ids:
            if self.fail_after is not None and len(self.given) >= self.fail_after:
                raise KeyboardInterrupt
            self.given.append(title_id)
            yield self.held[title_id]


def odd_titles():
    """Titles without a modality, without metadata, without a shot."""
    titles = make_titles(6, 20, seed=3)
    del titles[0].features["audio"], titles[0].present["audio"]
    titles[1].metadata.clear()
    titles[2].present["text"][:] = False
    titles[2].features["text"][:] = 0
    titles[4].metadata["tags"] = np.arange(5, dtype=np.float16)
    nothing = {m: np.zeros((0, d), np.float16) for m, d in DIMS.items()}
    titles[3] = replace(
        titles[3],
        times_N2=np.zeros((0, 2), np.int64),
        features=nothing,
        present={m: np.zeros(0, np.bool_) for m in DIMS},
    )
    return titles


def check_same(store, titles):
    """Every title comes back; modalities that it lacks come as absent."""
    assert [t.title_id for t in store.titles] == [t.title_id for t in titles]
    assert len(store) == sum(map(len, titles))
    for index, title in enumerate(titles):
        found = store.title(index)
        assert (found.title_id, found.ingest_id, found.group) == (
            title.title_id,
            title.ingest_id,
            title.group,
        )
        np.testing.assert_array_equal(found.times_N2, title.times_N2)
        for name in store.widths:
            if name in title.features:
                np.testing.assert_array_equal(found.features[name], title.features[name])
                np.testing.assert_array_equal(found.present[name], title.present[name])
            else:
                assert found.features[name].shape == (len(title), store.widths[name])
                assert not found.features[name].any()
                assert not found.present[name].any()
        assert found.metadata.keys() == title.metadata.keys()
        for name, m_D in title.metadata.items():
            np.testing.assert_array_equal(found.metadata[name], m_D)


def run(script, *args, **env):
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    )


def fill(catalog, names, seed=0, encoders=None, dims=DIMS):
    """Writes titles to a real catalog as they are in the kit."""
    for title in make_titles(len(names), 12, seed=seed, dims=dims):
        name = names[int(title.title_id[-2:])]
        with catalog.writer(name, encoders or ENCODERS) as w:
            edges = enumerate(title.times_N2.tolist())
            w.add_shots([Shot(i, Span(start, end)) for i, (start, end) in edges])
            for m in dims:
                w.add_features(m, 0, title.features[m], title.present[m])
            w.set_metadata("synopsis", title.metadata["synopsis"])
            w.commit(TitleRecord(name, ""))
