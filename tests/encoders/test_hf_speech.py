"""wav2vec2, HuBERT and WavLM, each against its recipe written out for one clip alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("transformers")

import sound_kit as kit
import tiny
import torch
from sound_kit import EXACT, RATE, sound
from transformers import Wav2Vec2FeatureExtractor

from mediafm.encoders.hf import speech as hf_speech
from mediafm.encoders.hf.audio import cover
from mediafm.encoders.hf.speech import Grid

pytestmark = pytest.mark.usefixtures("module_cache")

# 400 samples in the first convolutions, 320 from one frame to the next; 10 s hold 498.75 frames.
FIELD, STEP, WINDOW = 400, 320, 400 + 498 * 320
GROUP = ["wav2vec2", "wav2vec2-pickled", "hubert", "wavlm"]


def plain_speech(folder, clip):
    """The recipe of transformers for one window after the other."""
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(folder)
    whole = max((len(clip) - FIELD) // STEP, 0) * STEP + FIELD
    windows = [clip[:whole]]
    if len(clip) < FIELD:
        windows = [np.concatenate([clip, np.zeros(FIELD - len(clip), np.float32)])]
    if whole > WINDOW:
        n = int(np.ceil(len(clip) / WINDOW))
        windows = [clip[(i * (len(clip) - WINDOW)) // (n - 1) :][:WINDOW] for i in range(n)]
    means = []
    for window in windows:
        inputs = extractor(window, sampling_rate=RATE, return_tensors="pt")
        with torch.no_grad():
            states_1FD = kit.plain_network(folder)(**inputs).last_hidden_state
        means.append(states_1FD[0].mean(0).numpy())
    return np.mean(means, axis=0)


EDGES = [0, 1, 399, 400, 401, 719, 720, 721, 1600, 20_000, 20_001, 20_319, 20_320]
LONG = [WINDOW - 1, WINDOW, 160_000, 160_001, WINDOW + STEP - 1, WINDOW + STEP, 480_000, 480_001]
lengths = st.lists(st.sampled_from(EDGES) | st.integers(1, 40_000), max_size=5)


@pytest.mark.parametrize("name", kit.SPEECH)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(short=lengths, long=st.lists(st.sampled_from(LONG), max_size=1), twice=st.booleans())
def test_a_clip_has_the_vector_that_it_has_alone(folder, load, name, short, long, twice):
    counts = [*short, *long, *(short if twice else [])]
    clips = [sound(count, seed) for seed, count in enumerate(counts)]
    found_ND = load(name).encode_clips(clips)
    assert (found_ND.shape, found_ND.dtype) == ((len(clips), 32), np.float32)
    for clip, found_D in zip(clips, found_ND, strict=True):
        np.testing.assert_allclose(found_D, plain_speech(folder(name), clip), **EXACT)


@pytest.mark.parametrize("name", ["wav2vec2", "wavlm-layer"])
def test_all_edges_in_one_call(folder, load, name):
    clips = [sound(count, seed) for seed, count in enumerate([*EDGES, *LONG])]
    for clip, found_D in zip(clips, load(name).encode_clips(clips), strict=True):
        np.testing.assert_allclose(found_D, plain_speech(folder(name), clip), **EXACT)


@pytest.mark.parametrize("name", GROUP)
def test_padding_would_change_what_group_norm_gives(folder, load, name):
    """The trap: the way every tutorial batches gives other vectors; ours does not."""
    short, long = sound(16_080), sound(48_080, 1)
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(folder(name))
    alone_D = plain_speech(folder(name), short)
    for mask in (False, True):
        inputs = extractor(
            [short, long],
            sampling_rate=RATE,
            padding=True,
            return_attention_mask=mask,
            return_tensors="pt",
        )
        with torch.no_grad():
            padded_FD = kit.plain_network(folder(name))(**inputs).last_hidden_state[0]
        padded_D = padded_FD[: (16_080 - FIELD) // STEP + 1].mean(0).numpy()
        assert np.abs(padded_D - alone_D).max() > 0.01
    found_ND = load(name).encode_clips([short, long])
    np.testing.assert_allclose(found_ND[0], alone_D, **EXACT)


def batch_sizes(monkeypatch, encoder, clips):
    sizes = []
    real = encoder._run
    monkeypatch.setattr(encoder, "_run", lambda model, w: sizes.append(len(w)) or real(model, w))
    encoder.encode_clips(clips)
    return sizes


@pytest.mark.parametrize("name", kit.SPEECH)
def test_what_goes_through_the_network_together(monkeypatch, load, name):
    clips = [sound(count) for count in (16_000, 16_050, 24_000, 16_000)]  # 49, 49, 74, 49 frames
    sizes = batch_sizes(monkeypatch, load(name), clips)
    assert sizes == ([1, 3] if name in GROUP else [4])


def test_memory_is_bounded(monkeypatch, load):
    monkeypatch.setitem(hf_speech.BATCH_SECONDS, "cpu", 20)
    for name in ("wav2vec2", "wav2vec2-layer"):
        assert batch_sizes(monkeypatch, load(name), [sound(600_000)]) == [2, 2]


@pytest.mark.parametrize(
    "name,over",
    [
        ("make_wav2vec2", {"add_adapter": True, "output_hidden_size": 20}),
        ("make_hubert", {"conv_pos_batch_norm": True}),
    ],
)
def test_layer_norm_with_something_that_a_mask_does_not_reach(tmp_path, name, over):
    folder = getattr(tiny, name)(tmp_path / name, norm="layer", **over)
    source = kit.opened(folder)
    clips = [sound(count) for count in (16_080, 20_000, 48_080)]
    found_ND = source.load(["cpu"]).encode_clips(clips)
    assert found_ND.shape == (3, source.info.dim) == (3, over.get("output_hidden_size", 32))
    for clip, found_D in zip(clips, found_ND, strict=True):
        np.testing.assert_allclose(found_D, plain_speech(folder, clip), **EXACT)


def test_without_normalisation(tmp_path):
    """As ``microsoft/wavlm-base-plus``: loud and soft differ."""
    folder = tiny.make_wavlm(tmp_path / "raw")
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"do_normalize": False}))
    source = kit.opened(folder)
    assert source.info.settings["normalised"] == "no"
    clips = [sound(20_000), sound(20_000) / 8 + 0.1]
    for clip, found_D in zip(clips, source.load(["cpu"]).encode_clips(clips), strict=True):
        np.testing.assert_allclose(found_D, plain_speech(folder, clip), **EXACT)


def test_grid():
    kernels, strides = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)
    grid = Grid.of(kernels, strides)
    assert grid == Grid(FIELD, STEP)
    for count in (0, 399, 400, 719, 720, 160_000):
        assert grid.fit(count) == max((count - FIELD) // STEP * STEP + FIELD, FIELD)
        network = torch.nn.Sequential(
            *[
                torch.nn.Conv1d(1, 1, kernel, stride)
                for kernel, stride in zip(kernels, strides, strict=True)
            ]
        )
        frames = network(torch.zeros(1, 1, count)).shape[-1] if count >= FIELD else 0
        assert grid.frames(count) == frames


@given(count=st.integers(2, 10_000), size=st.integers(1, 500))
def test_windows_cover_evenly(count, size):
    size = min(size, count - 1)
    starts = cover(count, size)
    assert (starts[0], starts[-1]) == (0, count - size)
    assert len(starts) == -(-count // size)
    gaps = np.diff(starts)
    assert gaps.max() <= size  # no sample is left out
    assert gaps.max() - gaps.min() <= 1


def test_least(load):
    for name in kit.SPEECH:
        assert (load(name).sample_rate, load(name).least) == (RATE, 1360)  # four frames of 0.1 s
    assert (load("clap").sample_rate, load("clap").least) == (48_000, 24_000)


def test_dropout_and_its_like_are_off(tmp_path):
    rates = dict.fromkeys(
        ["hidden_dropout", "attention_dropout", "activation_dropout", "layerdrop"], 0.5
    )
    masks = {"mask_time_prob": 0.5, "mask_feature_prob": 0.5}
    folder = tiny.make_wav2vec2(tmp_path / "noisy", **rates, **masks)
    encoder = kit.opened(folder).load(["cpu"])
    first, second = (encoder.encode_clips([sound(20_000)]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first[0], plain_speech(folder, sound(20_000)), **EXACT)
