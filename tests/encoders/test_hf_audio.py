"""CLAP and Whisper, each against its recipe for one clip alone; what all sound encoders share."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("transformers")

import sound_kit as kit
import tiny
import torch
from sound_kit import EXACT, RATE, sound
from transformers import AutoTokenizer, ClapFeatureExtractor, WhisperFeatureExtractor

from mediafm.encoders import QueryEncoder
from mediafm.encoders.hf import clap as hf_clap
from mediafm.encoders.hf import speech as hf_speech
from mediafm.encoders.hf.audio import open_audio
from mediafm.encoders.spec import parse_spec
from mediafm.encoders.whisper import reference_noise
from mediafm.errors import EncoderError, MissingExtraError

pytestmark = pytest.mark.usefixtures("module_cache")


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
            vectors.append(kit.plain_network(folder).get_audio_features(**inputs).pooler_output[0])
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
            output = kit.plain_network(folder("clap")).get_text_features(**tokens)
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
        return (
            kit.plain_network(folder).encoder(inputs["input_features"]).last_hidden_state[0].numpy()
        )


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
    plain = kit.plain_network(folder("whisper")).encoder.state_dict()
    assert plain.keys() == model.state_dict().keys()
    assert all(torch.equal(plain[name], weight) for name, weight in model.state_dict().items())


def test_whisper_of_another_shape_is_refused(tmp_path):
    folder = tiny.make_whisper(tmp_path / "odd", max_source_positions=400)
    source = kit.opened(folder)
    with pytest.raises(EncoderError, match="its windows are not of 30 s"):
        source.load(["cpu"])


# All of them


def encode(encoder, clips):
    if hasattr(encoder, "encode_clips"):
        return encoder.encode_clips(clips)
    return np.concatenate([encoder.encode(clip) for clip in clips])


@pytest.mark.parametrize("name", kit.MAKERS)
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


@pytest.mark.parametrize("name", kit.MAKERS)
def test_no_clips(name, load):
    if name != "whisper":
        assert load(name).encode_clips([]).shape == (0, load(name).info.dim)


@pytest.mark.parametrize("name", kit.MAKERS)
def test_two_replicas_give_the_same(name, load):
    clips = [sound(count) for count in (30_000, 30_000, 170_000, 5000, 90_000)]
    one, two = encode(load(name), clips), encode(load(name, "", ("cpu", "cpu")), clips)
    np.testing.assert_allclose(two, one, **EXACT)


def cosine(x_ND, y_ND):
    norms = np.linalg.norm(x_ND, axis=1) * np.linalg.norm(y_ND, axis=1)
    return (x_ND * y_ND).sum(1) / norms


# Measured with these random networks, the smallest cosine: bfloat16 0.99993, float16 0.999999.
@pytest.mark.parametrize("dtype,least", [("bfloat16", 0.9998), ("float16", 0.99999)])
@pytest.mark.parametrize("name", kit.MAKERS)
def test_half_precision_agrees(name, load, dtype, least):
    clips = [sound(count) for count in (30_000, 170_000, 5000)]
    full = load(name)
    half = load(name, f"?dtype={dtype}")
    found = cosine(encode(half, clips), encode(full, clips))
    print(name, dtype, found.min())
    assert found.min() > least
    assert half.info.fingerprint != full.info.fingerprint
    assert half.info.settings["dtype"] == dtype


@pytest.mark.parametrize("name", kit.MAKERS)
def test_info_needs_no_weights(monkeypatch, folder, name):
    monkeypatch.setattr(hf_speech, "load_model", None)
    info = kit.opened(folder(name)).info
    assert (info.modality, info.name, info.identity) == ("audio", f"hf:{folder(name)}", "hf")
    assert info.dim == (24 if "clap" in name else 32)
    assert info.settings["rate"] == ("48000" if "clap" in name else "16000")
    moved = folder(name).parent / f"{name}-moved"
    if not moved.exists():
        moved.symlink_to(folder(name))
    again = kit.opened(moved).info
    assert again.name != info.name
    assert again.fingerprint == info.fingerprint
    assert len(
        {open_audio(parse_spec(f"hf:{folder(n)}"), "a").info.fingerprint for n in kit.MAKERS}
    ) == len(kit.MAKERS)


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
    source = kit.opened(folder)
    assert source.info.settings["normalised"] == "no"
    assert not source.load(["cpu"])._extractor.do_normalize


def test_no_tokenizer_matters_to_sentences_only(tmp_path):
    folder = tiny.make_clap(tmp_path / "mute", **kit.CLAP)
    for path in folder.glob("*token*"):
        path.unlink()
    encoder = kit.opened(folder).load(["cpu"])
    assert encoder.encode_clips([sound(5000)]).shape == (1, 24)
    with pytest.raises(EncoderError, match="has no tokenizer"):
        encoder.encode_queries(["rain"])


def test_missing_transformers(monkeypatch, folder):
    import importlib.util

    text = f"hf:{folder('wav2vec2')}"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mediafm\[hf\]'"):
        open_audio(parse_spec(text), "audio")
