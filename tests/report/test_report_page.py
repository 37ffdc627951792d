import base64
import html.parser
import io
import json
import re

import numpy as np
from PIL import Image

from mediafm.report import plot
from mediafm.report.material import collect
from mediafm.report.page import shrink

EVIL = '</script><script>alert("1")</script><!--<script> {{style}} &amp; <b>'


def page_of(catalog, title_id, tmp_path):
    [path] = plot(catalog, title_id, tmp_path / "page.html")
    return path.read_text(encoding="utf-8")


def data_of(text):
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', text)[1]
    )


class Elements(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs


def test_the_page_needs_nothing_else(catalog, add, embed, tmp_path):
    add()
    embed("film")
    text = page_of(catalog, "film", tmp_path)
    # Base64 has no colon, so pictures cannot look like addresses.
    assert not re.search(r"https?:|@import|\burl\(", text)
    names = {name for name, _ in Elements(text).attributes}
    assert not names & {"src", "href", "srcset", "action"}
    assert "default-src 'none'" in text


def test_titles_and_cues_are_text_whatever_they_hold(catalog, add, embed, tmp_path):
    add(name=EVIL, cues=[EVIL, "\u2028 and 電影"])
    embed("film")
    text = page_of(catalog, "film", tmp_path)
    tags = Elements(text).tags
    assert tags.count("script") == 2
    assert "b" in tags  # ours, in the captions
    assert tags.count("b") == 2
    assert 'alert("1")</script>' not in text
    assert text.count(":root {") == 2  # a title does not pull in the style sheet again
    data = data_of(text)
    assert data["cues"][0][2] == EVIL
    assert data["cues"][1][2] == "and 電影"


def test_numbers_in_the_page_are_those_of_the_catalog(catalog, add, embed, tmp_path):
    add(shots=10)
    embed("film")
    data = data_of(page_of(catalog, "film", tmp_path))
    x = collect(catalog, "film", None).contextual_NH
    square = data["squares"]["contextual"]
    values = np.frombuffer(base64.b64decode(square["values"]), np.uint8).reshape(10, 10)
    shown = square["least"] + values / 255 * (square["most"] - square["least"])
    away = ~np.eye(10, dtype=bool)
    np.testing.assert_allclose(shown[away], (x @ x.T)[away], atol=0.005)
    assert data["shots"][3] == [6.0, 8.0]
    assert {shot for shot, _ in square["similar"][0][:3]} == {1, 2, 3}  # its scene
    assert len(square["novelty"]) == 9


def test_the_page_says_what_to_run(catalog, add, tmp_path):
    add()
    data = data_of(page_of(catalog, "film", tmp_path))
    assert list(data["squares"]) == ["raw"]
    assert data["missing"][1:] == ["mediafm pretrain", "mediafm embed"]


def test_long_titles_share_cells(catalog, add, tmp_path):
    add(shots=1001)
    data = data_of(page_of(catalog, "film", tmp_path))
    assert data["perCell"] == 2
    assert data["cells"] == 501
    assert len(base64.b64decode(data["squares"]["raw"]["values"])) == 501**2
    assert len(data["squares"]["raw"]["similar"]) == 1001


def noise(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (180, 320, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def test_keyframes_shrink_to_fit_and_at_last_are_left_out():
    frames = [noise(i) for i in range(20)] + [None]
    whole = sum(len(frame) for frame in frames if frame)
    assert shrink(frames, whole) == frames
    for limit in (whole // 2, whole // 20):
        small = shrink(frames, limit)
        assert all(small[:20])
        assert small[20] is None
        assert sum(len(frame) for frame in small if frame) <= limit
    few = shrink(frames, 5000)
    assert 0 < sum(len(frame) for frame in few if frame) <= 5000
    assert few.count(None) > 10
