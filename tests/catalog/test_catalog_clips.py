"""Clips in context: what a span of a title is, and its vector."""

import numpy as np
import pytest
from catalog_kit import vectors, write_title

from mediafm.catalog import Catalog, VersionRecord
from mediafm.errors import CatalogError, MediaFMError
from mediafm.timeline import US


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog.create(tmp_path / "c")
    catalog.create_version(VersionRecord("v", "f", 5))
    for i in range(3):
        title = write_title(catalog, f"t{i}", seed=i, shots=4, series_id="s" if i < 2 else None)
        x_NH = vectors(i, 4, 5)
        x_NH /= np.linalg.norm(x_NH, axis=1, keepdims=True)
        catalog.append_embeddings("v", [(title.title_id, title.ingest_id, x_NH)])
    return catalog


def unit(x_H):
    return x_H / np.linalg.norm(x_H)


def test_a_clip_is_the_mean_of_its_shots_by_their_share(catalog):
    e_NH = catalog.embeddings("v", "t0")
    clip = catalog.clip("t0", US // 2, 3 * US)  # half of the first shot, two whole ones
    assert [shot.index for shot in clip.shots()] == [0, 1, 2]
    assert [cue.text for cue in clip.cues()] == ["t0 0"]
    np.testing.assert_allclose(clip.embedding(), unit(0.5 * e_NH[0] + e_NH[1] + e_NH[2]), atol=1e-6)
    one = catalog.clip("t0", "1.2", "0:01.9").embedding("v")
    np.testing.assert_allclose(one, unit(e_NH[1]), atol=1e-6)
    assert one.dtype == np.float32


def test_titles_and_series_have_vectors(catalog):
    whole = catalog.title_embedding("t1")
    np.testing.assert_allclose(whole, unit(catalog.embeddings(None, "t1").mean(axis=0)), atol=1e-6)
    np.testing.assert_allclose(
        catalog.series_embedding("s"), unit(catalog.title_embedding("t0") + whole), atol=1e-6
    )
    with pytest.raises(CatalogError, match=r"no series 'x'.*it has s"):
        catalog.series_embedding("x")


@pytest.mark.parametrize("span", [(3 * US, 2 * US), (4 * US, 5 * US), (2 * US, 2 * US)])
def test_a_span_without_a_shot_is_refused(catalog, span):
    with pytest.raises(CatalogError, match=r"t0: there is no clip .* runs from 00:00:00"):
        catalog.clip("t0", *span)


def test_what_is_no_place_is_said(catalog):
    with pytest.raises(CatalogError, match="no title 't9'"):
        catalog.clip("t9")
    with pytest.raises(MediaFMError, match=r'write "1\.5" for seconds'):
        catalog.clip("t0", 1.5)
    with pytest.raises(MediaFMError, match="'soon' is not a time"):
        catalog.clip("t0", "soon")
    with pytest.raises(CatalogError, match="no version 'w'"):
        catalog.clip("t0").embedding("w")
