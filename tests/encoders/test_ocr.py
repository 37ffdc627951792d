"""Text on keyframes, rendered and read back."""

from __future__ import annotations

import importlib.util
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from mediafm.encoders.base import EncoderInfo, TitleView
from mediafm.encoders.registry import open_encoder
from mediafm.encoders.spec import parse_spec
from mediafm.errors import EncoderError, MissingExtraError
from mediafm.timeline import US, Shot, Span


def test_it_takes_no_sentences():
    pytest.importorskip("rapidocr_onnxruntime")
    assert open_encoder("ocr", "ocr:use-multilingual").queries is False


class Letters:
    """A text encoder that counts letters."""

    info = EncoderInfo("text", "letters", 26)

    def encode(self, texts):
        assert all(texts)
        self.seen = list(texts)
        return np.array([[t.lower().count(chr(97 + i)) for i in range(26)] for t in texts])

    def load(self, devices):
        return self


def keyframe(*lines, size=8):
    """A picture of 720 lines, scaled to 180 as keyframes are; ``size`` is in the small picture."""
    rng = np.random.default_rng(len(lines))
    coarse = Image.fromarray(rng.integers(0, 110, (5, 8, 3), dtype=np.uint8))
    picture = coarse.resize((1280, 720), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for i, line in enumerate(lines):
        font = ImageFont.load_default(size * 4)
        draw.text((90, 120 + 240 * i), line, fill=(245, 245, 235), font=font)
    out = io.BytesIO()
    picture.resize((320, 180), Image.Resampling.LANCZOS).save(out, "JPEG", quality=85)
    return out.getvalue()


def view(*jpegs):
    shots = [Shot(i, Span(i * US, (i + 1) * US)) for i in range(len(jpegs))]
    return TitleView("a", Path("a.mp4"), shots, [], lambda: jpegs)


@pytest.fixture(scope="module")
def encoder():
    pytest.importorskip("rapidocr_onnxruntime")
    from mediafm.encoders.ocr import ScreenTextSource

    return ScreenTextSource("ocr", Letters()).load(["cpu"])


def test_lines_are_read_from_top_to_bottom(encoder):
    lines = encoder.read(keyframe("HARBOUR HOTEL", "Chapter Seven", size=10)).split("\n")
    assert [line.replace(" ", "") for line in lines] == ["HARBOURHOTEL", "ChapterSeven"]


@pytest.mark.parametrize("size", [7, 20])
def test_small_and_large_letters(encoder, size):
    assert "departures" in encoder.read(keyframe("DEPARTURES", size=size)).lower()


def test_shots_without_text_are_absent(encoder):
    x_ND, present_N = encoder.encode_shots(view(keyframe("ZEBRA"), None, keyframe()))
    assert present_N.tolist() == [True, False, False]
    assert (x_ND.shape, x_ND.dtype) == ((3, 26), np.float32)
    assert [chr(97 + i) for i in np.flatnonzero(x_ND[0])] == sorted("zebra")
    assert not x_ND[1:].any()
    x_ND, present_N = encoder.encode_shots(view(None, None))
    assert (x_ND.any(), present_N.any()) == (False, False)
    assert encoder.encode_shots(view())[0].shape == (0, 26)


def test_by_name():
    pytest.importorskip("rapidocr_onnxruntime")
    source, text = (
        open_encoder("ocr", "ocr:use-multilingual"),
        open_encoder("text", "use-multilingual"),
    )
    assert (source.info.modality, source.info.dim) == ("ocr", text.info.dim)
    assert source.info.name == "ocr:use-multilingual"
    assert source.info.settings["text"] == text.info.fingerprint
    assert source.info.fingerprint != text.info.fingerprint
    with pytest.raises(EncoderError, match="no text encoder 'sign-reader'"):
        open_encoder("ocr", "ocr:sign-reader")


def test_missing_extra(monkeypatch):
    from mediafm.encoders.ocr import open_ocr

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if "rapid" in name else real(name, *a)
    )
    monkeypatch.setitem(sys.modules, "rapidocr_onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mediafm\[ocr\]'"):
        open_ocr(parse_spec("ocr:use-multilingual"), "ocr")
