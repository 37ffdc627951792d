"""The timeline of long titles, in a real browser: pictures, moving about, the ruler."""

import io
import itertools
import re

import pytest
from browser_kit import until, watched
from PIL import Image
from playwright.sync_api import expect

from mediafm.timeline import US

T = "title-003"  # it has no film: the clock plays it

RECORD = """
window.frames = 0;
const plan = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (call) => { window.frames++; return plan(call); };
window.held = new Set();
const make = window.createImageBitmap.bind(window);
window.createImageBitmap = async (...given) => {
  const bitmap = await make(...given);
  window.held.add(bitmap);
  return bitmap;
};
const close = ImageBitmap.prototype.close;
ImageBitmap.prototype.close = function () { window.held.delete(this); close.call(this); };
window.marks = [];
const { clearRect, fillText } = CanvasRenderingContext2D.prototype;
const ruler = (g) => g.canvas.className === 'tl-ruler';
CanvasRenderingContext2D.prototype.clearRect = function (...given) {
  if (ruler(this)) window.marks = [];
  clearRect.apply(this, given);
};
CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
  if (ruler(this) && text.includes(':')) window.marks.push([text, x]);
  fillText.call(this, text, x, y);
};
"""
"""Counts what the page plans, keeps and writes."""


@pytest.fixture
def page(browser, served):
    with watched(browser, served.url, "1920") as page:
        page.add_init_script(RECORD)
        yield page


def opened(page, shots=2400, seconds=3, **facts):
    """Shows a title of so many shots; gives the pages of its filmstrip that were asked for."""
    strip = {"width": 128, "height": 72, "columns": 10, "per_page": 100, "pages": -(-shots // 100)}
    length = seconds * US
    asked = []

    def title(route):
        about = {**route.fetch().json(), "duration": shots * length, "shots": shots, **facts}
        route.fulfill(json=about)

    def timeline(route):
        start = [i * length for i in range(shots)]
        end = [one + length for one in start]
        more = {"start": start, "end": end, "forced": [False] * shots, "strip": strip}
        route.fulfill(json={**route.fetch().json(), **more})

    def sprites(route):
        number = int(re.search(r"strip/(\d+)", route.request.url)[1])
        asked.append(number)
        rows = -(-min(100, shots - 100 * number) // 10)
        route.fulfill(body=jpeg(1280, 72 * rows), content_type="image/jpeg")

    keyframe = jpeg(320, 180)
    page.route(f"**/api/titles/{T}", title)
    page.route(f"**/api/titles/{T}/timeline", timeline)
    page.route("**/strip/*.jpg*", sprites)
    page.route("**/keyframes/*.jpg*", lambda r: r.fulfill(body=keyframe, content_type="image/jpeg"))
    page.goto(f"/titles/{T}")
    page.get_by_role("slider", name="Timeline").wait_for()
    page.wait_for_load_state("networkidle")
    return asked


def jpeg(width, height):
    out = io.BytesIO()
    Image.new("RGB", (width, height), (40, 90, 60)).save(out, "JPEG")
    return out.getvalue()


def nearer(page, times):
    for _ in range(times):
        page.get_by_role("button", name="Nearer (+)").click()
    page.wait_for_timeout(200)


def time(page):
    """Where the playhead is, seconds."""
    line = page.get_by_role("slider", name="Timeline")
    return int(line.get_attribute("aria-valuenow")) / 1000


def head(page):
    """Where the playhead is drawn, pixels."""
    page.wait_for_timeout(120)
    text = page.locator(".tl-playhead").evaluate("one => one.style.transform")
    return float(re.search(r"-?[\d.]+(e-?\d+)?", text.replace("translateX", ""))[0])


def middle(page):
    """A place on the tracks, and the width of the timeline."""
    box = page.get_by_role("slider", name="Timeline").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + 60, box["width"]


# ---- pictures


@pytest.mark.slow
def test_a_long_title_fetches_its_pictures_once_and_rests(page):
    asked = opened(page)
    until(page, lambda: len(asked) > 14)
    page.wait_for_timeout(1500)
    assert len(asked) == len(set(asked))
    before = page.evaluate("frames")
    page.wait_for_timeout(1000)
    assert page.evaluate("frames") - before <= 2
    assert len(asked) == len(set(asked))
    kept = "[...held].reduce((sum, one) => sum + one.width * one.height * 4, 0)"
    assert page.evaluate(kept) < 14 * 1280 * 720 * 4
    # Near, where few pages are in sight, they are sharp; those passed by are not kept for ever.
    nearer(page, 10)
    x, y, width = middle(page)
    page.mouse.move(x, y)
    for _ in range(30):
        page.mouse.wheel(width, 0)
        page.wait_for_timeout(30)
    until(page, lambda: page.evaluate("[...held].some((one) => one.width === 1280)"))
    page.wait_for_timeout(600)
    assert page.evaluate(kept) <= 16 * 1280 * 720 * 4


# ---- moving


@pytest.mark.slow
def test_scrubbing_beyond_the_edge_goes_on_little_by_little(page):
    opened(page, 400, 18)
    nearer(page, 6)
    _, _, width = middle(page)
    box = page.get_by_role("slider", name="Timeline").bounding_box()
    left, top = box["x"], box["y"] + 6
    page.mouse.click(left + 10, top)
    first = time(page)
    page.mouse.click(left + width - 10, top)
    per_pixel = (time(page) - first) / (width - 20)
    page.mouse.move(left + width - 10, top)
    page.mouse.down()
    before = time(page)
    for step in range(1, 11):
        page.mouse.move(left + width - 10 + 4 * step, top)
    assert -0.2 * per_pixel <= time(page) - before < 150 * per_pixel
    assert width - 40 <= head(page) <= width + 1
    page.mouse.up()
    # At the left, where the frame that is sought begins a little before the edge.
    nearer(page, 14)
    start = time(page)
    page.mouse.move(left + 60, top)
    page.mouse.down()
    page.mouse.move(left + 3, top)
    page.mouse.move(left + 1, top)
    page.mouse.move(left, top)
    assert -60 <= head(page) <= 60
    page.mouse.up()
    assert abs(time(page) - start) < 5


@pytest.mark.slow
def test_one_can_look_elsewhere_while_it_plays(page):
    opened(page, 400, 18)
    nearer(page, 12)
    x, y, width = middle(page)
    page.mouse.move(x, y)
    page.keyboard.press("l")
    until(page, lambda: time(page) > 0)
    page.mouse.wheel(3 * width, 0)
    until(page, lambda: head(page) < -width)
    page.wait_for_timeout(500)
    assert head(page) < -width
    page.keyboard.press("k")
    page.wait_for_timeout(200)
    assert head(page) < -width
    # Once it plays anew, the view is with it again.
    page.keyboard.press("l")
    until(page, lambda: 0 <= head(page) <= width)
    page.mouse.wheel(3 * width, 0)
    until(page, lambda: head(page) < -width)
    page.keyboard.press("k")
    page.keyboard.press("ArrowRight")  # who steps wants to see where
    page.keyboard.press("ArrowRight")
    until(page, lambda: 0 <= head(page) <= width)


def test_a_click_on_the_thumb_moves_nothing(page):
    opened(page, 400, 18)
    nearer(page, 14)
    bar = page.get_by_role("scrollbar", name="What the timeline shows").bounding_box()
    thumb = page.locator(".tl-thumb")
    y = bar["y"] + bar["height"] / 2
    before = thumb.bounding_box()["x"]
    page.mouse.click(bar["x"] + bar["width"] * 0.6, y)
    until(page, lambda: thumb.bounding_box()["x"] != before)
    page.wait_for_timeout(200)
    for place in (2, 14):
        box = thumb.bounding_box()
        assert box["width"] == pytest.approx(16, abs=0.5)
        before = head(page)
        page.mouse.click(box["x"] + place, y)
        assert head(page) == before
    # It stays under the hand that drags it.
    box = thumb.bounding_box()
    page.mouse.move(box["x"] + 5, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 105, y, steps=4)
    until(page, lambda: thumb.bounding_box()["x"] == pytest.approx(box["x"] + 100, abs=1))
    page.mouse.up()


# ---- the ruler


@pytest.mark.parametrize(
    "rate,start",
    [("24000/1001", "01:00:00:00"), ("30000/1001", "00:58:30;10"), ("25/1", "10:00:00:12")],
)
def test_the_ruler_marks_whole_seconds_of_the_timecode(page, rate, start):
    opened(page, 200, frame_rate=rate, timecode=start)
    nearer(page, 2)
    page.wait_for_function("() => marks.length > 2")
    marks = page.evaluate("marks")
    seconds = [[int(part) for part in text.split(":")] for text, _ in marks]
    seconds = [h * 3600 + m * 60 + s for h, m, s in seconds]
    step = seconds[1] - seconds[0]
    assert step in (10, 15, 30, 60)
    assert all(one % step == 0 for one in seconds)
    assert {b - a for a, b in itertools.pairwise(seconds)} == {step}
    gaps = [b[1] - a[1] for a, b in itertools.pairwise(marks)]
    assert max(gaps) - min(gaps) <= 2
    nearer(page, 9)  # where marks are frames, they say so
    expect(page.locator(".tl-ruler")).to_be_visible()
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d[:;]\d\d", text) for text, _ in page.evaluate("marks"))


def test_whole_seconds_are_found_at_every_rate(page):
    page.goto("/")
    wrong = page.evaluate(
        """async () => {
          const { wordsOf } = await import('/assets/js/parts/words.js');
          const wrong = [];
          const starts = ['00:00:00:00', '01:00:00:00', '00:59:58:20', '23:59:50:00',
            '00:08:59;29', '09:59:30;02'];
          const seconds = (text) =>
            text.slice(0, 8).split(':').reduce((sum, one) => sum * 60 + Number(one), 0);
          function check(words, n) {
            const time = Math.round(words.second(n));
            const here = words.time(time);
            const first = here[8] === ';' && n % 60 === 0 && n % 600 !== 0;
            const skipped = words.frame < 20000 ? 4 : 2;
            if (seconds(here) !== n % 86400) return `${here} is not ${n}`;
            if (Number(here.slice(9)) !== (first ? skipped : 0)) return `${here} begins no second`;
            const at = words.secondAt(time);
            return at > n || at < n - 3 ? `${at} is not near ${n}` : null;
          }
          for (const rate of ['24/1', '25/1', '24000/1001', '30000/1001', '60000/1001']) {
            for (const timecode of starts) {
              const words = wordsOf({ frame_rate: rate, timecode });
              const from = words.secondAt(0) + 3;
              for (let n = from; n < from + 1300; n++) {
                const why = check(words, n);
                if (why) wrong.push([rate, timecode, why]);
              }
            }
          }
          return wrong.slice(0, 5);
        }"""
    )
    assert wrong == []
