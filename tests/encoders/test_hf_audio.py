"""Sound encoders of transformers, each against its recipe written out for one clip alone."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("transformers")

import tiny
import torch
from transformers import (
    AutoModel,
    AutoTokenizer,
    ClapFeatureExtractor,
    Wav2Vec2FeatureExtractor,
    WhisperFeatureExtractor,
)

from mediafm.encoders import QueryEncoder
from mediafm.encoders.hf import clap as hf_clap
from mediafm.encoders.hf import speech as hf_speech
from mediafm.encoders.hf.audio import cover, open_audio
from mediafm.encoders.hf.speech import Grid
from mediafm.encoders.spec import parse_spec
from mediafm.encoders.whisper import reference_noise
from mediafm.errors import EncoderError, MissingExtraError

RATE = 16_000
EXACT = {"atol": 1e-5, "rtol": 1e-5}

# 400 samples in the first convolutions, 320 from one frame to the next; 10 s hold 498.75 frames.
FIELD, STEP, WINDOW = 400, 320, 400 + 498 * 320
# As the real ones, 1001 columns of mel fit; the smallest shape that does.
CLAP = {"audio_config": {"spec_size": 128, "num_mel_bins": 16}}


def speech(make, **over):
    # Not the usual 4: torch 2.13's bfloat16 convolution in groups of 8 channels is wrong on CPUs
    # with AMX (cosine 0.6). Published checkpoints have 48 and more channels in a group.
    return functools.partial(make, num_conv_pos_embedding_groups=2, **over)


SPEECH = {
    "wav2vec2": speech(tiny.make_wav2vec2),
    "wav2vec2-pickled": speech(tiny.make_wav2vec2_pretraining),
    "hubert": speech(tiny.make_hubert),
    "wavlm": speech(tiny.make_wavlm),
    "wav2vec2-layer": speech(tiny.make_wav2vec2, norm="layer"),
    "hubert-layer": speech(tiny.make_hubert, norm="layer"),
    "wavlm-layer": speech(tiny.make_wavlm, norm="layer"),
}
GROUP = ["wav2vec2", "wav2vec2-pickled", "hubert", "wavlm"]
LAYER = ["wav2vec2-layer", "hubert-layer", "wavlm-layer"]
MAKERS = {
    **SPEECH,
    "clap": functools.partial(tiny.make_clap, **CLAP),
    "clap-fused": functools.partial(tiny.make_clap, fused=True, **CLAP),
    "whisper": tiny.make_whisper,
}


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDIAFM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    @functools.cache
    def make(name):
        return MAKERS[name](tmp_path_factory.mktemp("checkpoints") / name)

    return make


@pytest.fixture(scope="module")
def load(folder):
    @functools.cache
    def one(name, options="", devices=("cpu",)):
        return open_audio(parse_spec(f"hf:{folder(name)}{options}"), "audio").load(devices)

    return one


@functools.cache
def sound(count, seed=0, rate=RATE):
    """Tones that come and go, over noise."""
    rng = np.random.default_rng([seed, count])
    t = np.arange(count) / rate
    tone = np.sin(2 * np.pi * rng.uniform(80, 900) * t) * (np.sin(2 * np.pi * 1.3 * t) > 0)
    return (0.3 * tone + 0.05 * rng.standard_normal(count)).astype(np.float32)


@functools.cache
def plain_network(folder):
    return AutoModel.from_pretrained(folder).eval()


# wav2vec2, HuBERT, WavLM


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
            states_1FD = plain_network(folder)(**inputs).last_hidden_state
        means.append(states_1FD[0].mean(0).numpy())
    return np.mean(means, axis=0)


EDGES = [0, 1, 399, 400, 401, 719, 720, 721, 1600, 20_000, 20_001, 20_319, 20_320]
LONG = [WINDOW - 1, WINDOW, 160_000, 160_001, WINDOW + STEP - 1, WINDOW + STEP, 480_000, 480_001]
lengths = st.lists(st.sampled_from(EDGES) | st.integers(1, 40_000), max_size=5)


@pytest.mark.parametrize("name", SPEECH)
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
            padded_FD = plain_network(folder(name))(**inputs).last_hidden_state[0]
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


@pytest.mark.parametrize("name", SPEECH)
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
    source = open_audio(parse_spec(f"hf:{folder}"), "audio")
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
    source = open_audio(parse_spec(f"hf:{folder}"), "audio")
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
    for name in SPEECH:
        assert (load(name).sample_rate, load(name).least) == (RATE, 1360)  # four frames of 0.1 s
    assert (load("clap").sample_rate, load("clap").least) == (48_000, 24_000)


def test_dropout_and_its_like_are_off(tmp_path):
    rates = dict.fromkeys(
        ["hidden_dropout", "attention_dropout", "activation_dropout", "layerdrop"], 0.5
    )
    masks = {"mask_time_prob": 0.5, "mask_feature_prob": 0.5}
    folder = tiny.make_wav2vec2(tmp_path / "noisy", **rates, **masks)
    encoder = open_audio(parse_spec(f"hf:{folder}"), "audio").load(["cpu"])
    first, second = (encoder.encode_clips([sound(20_000)]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first[0], plain_speech(folder, sound(20_000)), **EXACT)


# CLAP


def plain_clap(folder, clip):
    extractor = ClapFeatureExtractor.from_pretrained(folder)
    windows = [clip]
    if len(clip) > 480_000:
        n = int(np.ceil(len(clip) / 480_000))
        windows = [clip[(i * (len(clip) - 480_000)) // (n - 1) :][:480_000] for i in range(n)]
    vectors = []
    for window in windows:
        inputs = extractor(window, sampling_rate=48_000, return_tensors="pt")
        with torch.no_grad():
            vectors.append(plain_network(folder).get_audio_features(**inputs).pooler_output[0])
    return np.mean([vector.numpy() for vector in vectors], axis=0)


CLAP_LENGTHS = [1, 999, 24_000, 100_000, 240_001, 479_999, 480_000, 480_001, 1_000_000]


@pytest.mark.parametrize("name", ["clap", "clap-fused"])
def test_clap_gives_a_clip_the_vector_that_it_has_alone(monkeypatch, folder, load, name):
    monkeypatch.setattr(hf_clap, "BATCH", 5)
    counts = [*CLAP_LENGTHS, 24_000]
    clips = [sound(count, seed, 48_000) for seed, count in enumerate(counts)]
    found_ND = load(name).encode_clips(clips)
    assert (found_ND.shape, found_ND.dtype) == ((10, 24), np.float32)
    for clip, found_D in zip(clips, found_ND, strict=True):
        np.testing.assert_allclose(found_D, plain_clap(folder(name), clip), **EXACT)
    np.testing.assert_array_equal(found_ND, load(name).encode_clips(clips))  # nothing by chance
    assert load(name).encode_clips([np.zeros(0, np.float32)]).shape == (1, 24)


def test_clap_gives_fused_checkpoints_the_same_whoever_goes_along(load):
    """The feature extractor alone would call one of several short clips "longer", by chance."""
    clips = [sound(24_000, seed, 48_000) for seed in range(4)]
    alone = [load("clap-fused").encode_clips([clip])[0] for clip in clips]
    np.testing.assert_allclose(load("clap-fused").encode_clips(clips), alone, **EXACT)


def test_clap_hears_sentences(folder, load):
    texts = ["a man runs", "the dog barks , a car starts and music plays .", "rain " * 300]
    tokenizer = AutoTokenizer.from_pretrained(folder("clap"))
    found_ND = load("clap").encode_queries(texts)
    assert (found_ND.shape, found_ND.dtype) == ((3, 24), np.float32)
    for text, found_D in zip(texts, found_ND, strict=True):
        tokens = tokenizer(text, truncation=True, max_length=64, return_tensors="pt")
        with torch.no_grad():
            output = plain_network(folder("clap")).get_text_features(**tokens)
        np.testing.assert_allclose(found_D, output.pooler_output[0], **EXACT)
    assert load("clap").encode_queries([]).shape == (0, 24)


def test_only_clap_hears_sentences(load):
    assert isinstance(load("clap"), QueryEncoder)
    assert not isinstance(load("wav2vec2"), QueryEncoder)
    assert not isinstance(load("whisper"), QueryEncoder)


# Whisper


@pytest.fixture(scope="module")
def place(folder):
    """What noise gives at each place, less its mean."""
    states_FD = np.mean([plain_whisper(folder("whisper"), noise) for noise in reference_noise()], 0)
    return states_FD - states_FD.mean(0)


def plain_whisper(folder, samples):
    inputs = WhisperFeatureExtractor.from_pretrained(folder)(
        samples, sampling_rate=RATE, return_tensors="pt"
    )
    with torch.no_grad():
        return plain_network(folder).encoder(inputs["input_features"]).last_hidden_state[0].numpy()


@pytest.mark.parametrize(
    "count,steps", [(480_000, 1500), (100_000, 313), (320, 1), (321, 2), (1, 1), (479_999, 1500)]
)
def test_whisper_gives_states_less_those_of_noise(folder, load, place, count, steps):
    encoder = load("whisper")
    assert (encoder.sample_rate, encoder.window, encoder.step) == (RATE, 30_000_000, 20_000)
    found_FD = encoder.encode(sound(count))
    assert (found_FD.shape, found_FD.dtype) == ((steps, 32), np.float32)
    expected_FD = plain_whisper(folder("whisper"), sound(count)) - place
    np.testing.assert_allclose(found_FD, expected_FD[:steps], atol=2e-5)


def test_whisper_of_nothing(load):
    assert load("whisper").encode(np.zeros(0, np.float32)).shape == (0, 32)


def test_whisper_loads_the_encoder_half_only(folder, load):
    model = next(load("whisper")._turns)
    assert not any("decoder" in name for name, _ in model.named_parameters())
    plain = plain_network(folder("whisper")).encoder.state_dict()
    assert plain.keys() == model.state_dict().keys()
    assert all(torch.equal(plain[name], weight) for name, weight in model.state_dict().items())


def test_whisper_of_another_shape_is_refused(tmp_path):
    folder = tiny.make_whisper(tmp_path / "odd", max_source_positions=400)
    source = open_audio(parse_spec(f"hf:{folder}"), "audio")
    with pytest.raises(EncoderError, match="its windows are not of 30 s"):
        source.load(["cpu"])


# All of them


def encode(encoder, clips):
    if hasattr(encoder, "encode_clips"):
        return encoder.encode_clips(clips)
    return np.concatenate([encoder.encode(clip) for clip in clips])


@pytest.mark.parametrize("name", MAKERS)
def test_extreme_sound(name, load):
    count = 30_001
    square = np.where(sound(count) > 0, np.float32(1), np.float32(-1))
    clips = [
        np.zeros(count, np.float32),
        np.full(count, 0.7, np.float32),
        square,
        sound(count) * 100,
        sound(count) * 1e-6,
    ]
    found_ND = encode(load(name), clips)
    assert np.isfinite(found_ND).all()
    for clip, vector in zip(clips, np.split(found_ND, len(clips)), strict=True):
        np.testing.assert_allclose(encode(load(name), [clip]), vector, atol=1e-4)


@pytest.mark.parametrize("name", MAKERS)
def test_no_clips(name, load):
    if name != "whisper":
        assert load(name).encode_clips([]).shape == (0, load(name).info.dim)


@pytest.mark.parametrize("name", MAKERS)
def test_two_replicas_give_the_same(name, load):
    clips = [sound(count) for count in (30_000, 30_000, 170_000, 5000, 90_000)]
    one, two = encode(load(name), clips), encode(load(name, "", ("cpu", "cpu")), clips)
    np.testing.assert_allclose(two, one, **EXACT)


def cosine(x_ND, y_ND):
    norms = np.linalg.norm(x_ND, axis=1) * np.linalg.norm(y_ND, axis=1)
    return (x_ND * y_ND).sum(1) / norms


# Measured with these random networks, the smallest cosine: bfloat16 0.99993, float16 0.999999.
@pytest.mark.parametrize("dtype,least", [("bfloat16", 0.9998), ("float16", 0.99999)])
@pytest.mark.parametrize("name", MAKERS)
def test_half_precision_agrees(name, load, dtype, least):
    clips = [sound(count) for count in (30_000, 170_000, 5000)]
    full = load(name)
    half = load(name, f"?dtype={dtype}")
    found = cosine(encode(half, clips), encode(full, clips))
    print(name, dtype, found.min())
    assert found.min() > least
    assert half.info.fingerprint != full.info.fingerprint
    assert half.info.settings["dtype"] == dtype


@pytest.mark.parametrize("name", MAKERS)
def test_info_needs_no_weights(monkeypatch, folder, name):
    monkeypatch.setattr(hf_speech, "load_model", None)
    info = open_audio(parse_spec(f"hf:{folder(name)}"), "audio").info
    assert (info.modality, info.name, info.identity) == ("audio", f"hf:{folder(name)}", "hf")
    assert info.dim == (24 if "clap" in name else 32)
    assert info.settings["rate"] == ("48000" if "clap" in name else "16000")
    moved = folder(name).parent / f"{name}-moved"
    if not moved.exists():
        moved.symlink_to(folder(name))
    again = open_audio(parse_spec(f"hf:{moved}"), "audio").info
    assert again.name != info.name
    assert again.fingerprint == info.fingerprint
    assert len(
        {open_audio(parse_spec(f"hf:{folder(n)}"), "a").info.fingerprint for n in MAKERS}
    ) == len(MAKERS)


# What is wrong


def refuses(text, match):
    with pytest.raises(EncoderError, match=match) as caught:
        open_audio(parse_spec(text), "audio")
    assert "\n" not in str(caught.value)


def test_wrong_checkpoints_and_options(tmp_path, folder):
    bert = tiny.make_bert(tmp_path / "bert")
    refuses(f"hf:{bert}", "is a bert checkpoint, not a wav2vec2, .*Whisper one")
    good = folder("wav2vec2")
    refuses(f"hf:{good}?dtipe=float16", r"no option 'dtipe' \(did you mean 'dtype'\?\)")
    refuses(f"hf:{good}?dtype=int8", "no precision 'int8'; choose from float32, bfloat16, float16")
    refuses(f"hf:{tmp_path}/absent", "no such folder")


@pytest.mark.parametrize(
    "content,match", [(None, "has no preprocessor_config.json"), ("{", "cannot be read")]
)
def test_no_word_of_how_sound_is_prepared(tmp_path, content, match):
    folder = tiny.make_wav2vec2(tmp_path / "bare")
    path = folder / "preprocessor_config.json"
    path.unlink()
    if content:
        path.write_text(content)
    refuses(f"hf:{folder}", match)


def test_a_whole_processor_holds_the_feature_extractor(tmp_path):
    folder = tiny.make_wav2vec2(tmp_path / "new")
    path = folder / "preprocessor_config.json"
    recipe = json.loads(path.read_text()) | {"do_normalize": False}
    path.unlink()
    (folder / "processor_config.json").write_text(json.dumps({"feature_extractor": recipe}))
    source = open_audio(parse_spec(f"hf:{folder}"), "audio")
    assert source.info.settings["normalised"] == "no"
    assert not source.load(["cpu"])._extractor.do_normalize


def test_no_tokenizer_matters_to_sentences_only(tmp_path):
    folder = tiny.make_clap(tmp_path / "mute", **CLAP)
    for path in folder.glob("*token*"):
        path.unlink()
    encoder = open_audio(parse_spec(f"hf:{folder}"), "audio").load(["cpu"])
    assert encoder.encode_clips([sound(5000)]).shape == (1, 24)
    with pytest.raises(EncoderError, match="has no tokenizer"):
        encoder.encode_queries(["rain"])


def test_missing_transformers(monkeypatch, folder):
    import importlib.util

    text = f"hf:{folder('wav2vec2')}"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mediafm\[hf\]'"):
        open_audio(parse_spec(text), "audio")
