"""Vectors of clips: which shots, how they are averaged, in context and alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from probe_kit import SECONDS, make_catalog, make_version

from mediafm.catalog.clip import shots_of
from mediafm.embed import Embedder
from mediafm.errors import CatalogError, MediaFMError
from mediafm.probes.features import ClipFeatures, FeatureSpec, cut, read_out, spec_text
from mediafm.timeline import US, Clip, Span

MODALITIES = ["audio", "video"]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    found = make_catalog(folder, titles=4, shots=12)
    make_version(found, folder / "model")
    found.folder = folder
    return found


@pytest.fixture(scope="module")
def embedder(catalog):
    return Embedder.load(catalog.folder / "model", "cpu")


def spec(text, **options):
    return FeatureSpec.parse(text, MODALITIES, **options)


def seconds(start, end):
    return Span(round(start * US), round(end * US))


def test_a_clip_is_the_mean_of_its_shots_by_how_long_each_is_in_it(catalog):
    # One second of shot 1, all of shot 2, two seconds of shot 3.
    clip = Clip("t1", seconds(2 * SECONDS - 1, 3 * SECONDS + 2))
    [x_D] = ClipFeatures(catalog, spec("video")).of([clip])
    x_ND = catalog.features("t1", "video")[0].astype(np.float32)
    expected = (1 * x_ND[1] + SECONDS * x_ND[2] + 2 * x_ND[3]) / (SECONDS + 3)
    np.testing.assert_allclose(x_D, expected, atol=1e-6)


def test_a_modality_is_averaged_over_the_shots_that_have_it(catalog):
    clip = Clip("t0", seconds(2 * SECONDS, 4 * SECONDS))  # shot 3 has no audio
    [x_D] = ClipFeatures(catalog, spec("audio")).of([clip])
    np.testing.assert_allclose(x_D, catalog.features("t0", "audio")[0][2], atol=1e-6)
    [x_D] = ClipFeatures(catalog, spec("audio")).of([Clip("t0", seconds(3 * SECONDS, 4 * SECONDS))])
    assert not x_D.any()


def test_in_context_is_the_stored_pass_over_the_title(catalog, embedder):
    clip = Clip("t2", seconds(SECONDS, 4 * SECONDS))
    stored_NH = catalog.embeddings("one", "t2")
    [x_H] = ClipFeatures(catalog, spec("context"), "one").of([clip])
    np.testing.assert_allclose(x_H, stored_NH[1:4].mean(axis=0), atol=1e-6)
    # The same from the model itself, but for the half precision of the store.
    title = next(catalog.title_features(["t2"]))
    [whole_NH] = embedder.contextual([title])
    np.testing.assert_allclose(x_H, whole_NH[1:4].mean(axis=0), atol=2e-3)


def test_alone_the_model_sees_the_clip_only(catalog, embedder):
    clip = Clip("t2", seconds(SECONDS, 4 * SECONDS))
    features = ClipFeatures(catalog, spec("context", alone=True), "one", embedder)
    [alone_H] = features.of([clip])
    title = next(catalog.title_features(["t2"]))
    [expected_NH] = embedder.contextual([cut(title, clip.span)])
    np.testing.assert_allclose(alone_H, expected_NH.mean(axis=0), atol=1e-5)
    [inside_H] = ClipFeatures(catalog, spec("context"), "one").of([clip])
    assert np.abs(inside_H - alone_H).max() > 0.01


def test_the_whole_title_alone_is_the_title_in_context(catalog, embedder):
    clip = Clip("t3", seconds(0, 12 * SECONDS))
    [inside_H] = ClipFeatures(catalog, spec("context"), "one").of([clip])
    [alone_H] = ClipFeatures(catalog, spec("context", alone=True), "one", embedder).of([clip])
    np.testing.assert_allclose(inside_H, alone_H, atol=2e-3)


def test_without_metadata_is_computed_and_not_read(catalog, embedder):
    clips = [Clip("t0", seconds(0, SECONDS))]
    blind = ClipFeatures(catalog, spec("context", use_metadata=False), "one", embedder)
    np.testing.assert_allclose(
        blind.of(clips), ClipFeatures(catalog, spec("context"), "one").of(clips), atol=2e-3
    )  # this model has no metadata, so nothing changes


def test_untrained_is_another_network_by_seed_with_the_same_fusion(catalog, embedder):
    clips = [Clip("t0", seconds(0, SECONDS)), Clip("t1", seconds(0, SECONDS))]
    first, again, other = (
        ClipFeatures(catalog, spec("untrained"), None, embedder, seed=seed).of(clips)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01
    assert np.abs(first - ClipFeatures(catalog, spec("context"), "one").of(clips)).max() > 0.01
    title = next(catalog.title_features(["t0"]))
    np.testing.assert_array_equal(embedder.fused(title), embedder.untrained().fused(title))


def test_parts_stand_side_by_side(catalog, embedder):
    clips = [Clip("t0", seconds(0, SECONDS)), Clip("t3", seconds(4, 20))]
    joined = ClipFeatures(catalog, spec("context+fused+video"), "one", embedder).of(clips)
    parts = [
        ClipFeatures(catalog, spec(name), "one", embedder).of(clips)
        for name in ("context", "fused", "video")
    ]
    np.testing.assert_allclose(joined, np.concatenate(parts, axis=1), atol=2e-3)


def test_concatenated_is_every_modality_as_the_encoder_gave_it():
    assert spec("concatenated") == spec("audio+video")
    assert spec("concatenated:window4") == spec("audio:window4+video:window4")
    assert spec_text(spec("window")) == "fused:window4"
    assert spec_text(spec("context", alone=True, use_metadata=False)) == (
        "context, clip alone, without [GLOBAL]"
    )


@pytest.mark.parametrize("text", ["", "contxt", "context+", "video:window", "video:half2", "a b"])
def test_names_that_do_not_exist(text):
    with pytest.raises(MediaFMError, match="there are no features"):
        spec(text)


@pytest.mark.parametrize("text", ["video:window0", "video:around65"])
def test_reaches_that_are_none(text):
    with pytest.raises(MediaFMError, match="must be 1 to 64"):
        spec(text)


def test_several_readouts_share_the_shot_s_own_vector(catalog):
    clips = [Clip("t0", seconds(4 * SECONDS, 5 * SECONDS))]
    joined = ClipFeatures(catalog, spec("video:sides2:step8")).of(clips)
    assert joined.shape == (1, 8 * (1 + 2 + 1))
    x_ND, here_N = catalog.features("t0", "video")
    expected = [x_ND.astype(np.float32)]
    for how in (("sides", 2), ("step", 8)):
        expected += [x_NE for x_NE, _ in read_out(expected[0], here_N, *how)]
    np.testing.assert_allclose(joined[0], np.concatenate(expected, axis=1)[4], atol=1e-6)


def test_what_needs_the_model_says_so(catalog):
    for text, options in (("untrained", {}), ("fused", {}), ("context", {"alone": True})):
        with pytest.raises(MediaFMError, match="--model"):
            ClipFeatures(catalog, spec(text, **options))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 5_000_000), min_size=1, max_size=12),
    st.integers(0, 3_000_000),
    st.data(),
)
def test_the_shots_of_a_span_cover_it_once(lengths, begin, data):
    ends = begin + np.cumsum(lengths)
    times_N2 = np.stack([ends - np.array(lengths), ends], axis=1)
    start = data.draw(st.integers(begin, int(ends[-1]) - 1))
    end = data.draw(st.integers(start + 1, int(ends[-1])))
    first, covered_K = shots_of(times_N2, Span(start, end))
    assert covered_K.sum() == end - start
    assert (covered_K > 0).all()
    assert times_N2[first, 0] <= start < times_N2[first, 1]


def test_a_span_between_shots_is_refused():
    times_N2 = np.array([[0, 10], [20, 30]])
    with pytest.raises(CatalogError, match="no shot"):
        shots_of(times_N2, Span(12, 18))
    first, covered_K = shots_of(times_N2, Span(5, 25))  # a hole counts for nobody
    assert (first, covered_K.tolist()) == (0, [5.0, 5.0])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**9 - 1))
def test_readouts_are_what_their_names_say(n, reach, mask):
    x_NE = np.random.default_rng(n).normal(size=(n, 2)).astype(np.float32)
    here_N = np.array([bool(mask >> i & 1) for i in range(n)])
    x_NE[~here_N] = 0

    def mean(first, end):
        at = [i for i in range(max(first, 0), min(end, n)) if here_N[i]]
        return x_NE[at].mean(axis=0) if at else np.zeros(2)

    [(window, in_window_N)] = read_out(x_NE, here_N, "window", reach)
    [(step, _)] = read_out(x_NE, here_N, "step", reach)
    sides, around = (
        np.concatenate([x for x, _ in read_out(x_NE, here_N, kind, reach)], axis=1)
        for kind in ("sides", "around")
    )
    for i in range(n):
        np.testing.assert_allclose(window[i], mean(i - reach, i + reach + 1), atol=1e-5)
        assert in_window_N[i] == here_N[max(i - reach, 0) : i + reach + 1].any()
        both = here_N[max(i - reach, 0) : i].any() and here_N[i : i + reach].any()
        expected = (mean(i, i + reach) - mean(i - reach, i)) * both
        np.testing.assert_allclose(step[i], expected, atol=1e-5)
        np.testing.assert_allclose(sides[i, :2], mean(i - reach, i), atol=1e-5)
        np.testing.assert_allclose(sides[i, 2:], mean(i, i + reach), atol=1e-5)
        order = [s * d for d in range(1, reach + 1) for s in (-1, 1)]
        for place, shift in enumerate(order):
            there = x_NE[i + shift] if 0 <= i + shift < n else np.zeros(2)
            np.testing.assert_array_equal(around[i, 2 * place : 2 * place + 2], there)
