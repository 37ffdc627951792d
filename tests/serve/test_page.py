"""The page, driven in a real browser as its users do."""

import itertools
import json
import re
from pathlib import Path
from urllib.parse import quote

import opentimelineio as otio
import pytest
from browser_kit import forgiven, timecode, until, watched
from playwright.sync_api import expect
from serve_kit import MARKUP

from mediafm.catalog import Catalog
from mediafm.timeline import US

T = "title-000"


@pytest.fixture
def page(browser, served):
    with watched(browser, served.url) as page:
        yield page


@pytest.fixture
def shots(served):
    return Catalog.open(served.settings.catalog).shots(T)


@pytest.fixture
def title(page):
    """The page of a title with a film, once the film is there."""
    page.goto(f"/titles/{T}")
    page.wait_for_function("() => document.querySelector('video')?.readyState >= 2")
    return page


def at(page, shot, rate=24):
    """Waits until the player is at the start of a shot; the film's zero is one o'clock."""
    frames = round(shot.span.start * rate / US)
    seconds, frame = divmod(frames, rate)
    minutes, second = divmod(seconds, 60)
    field = page.get_by_role("textbox", name="Timecode")
    expect(field).to_have_value(f"01:{minutes:02d}:{second:02d}:{frame:02d}")


# ---- catalog, search


def test_the_catalog_opens(page):
    page.goto("/")
    expect(page.get_by_role("heading", name="Catalog")).to_be_visible()
    expect(page.locator(".title-card")).to_have_count(6)
    expect(page).to_have_title("Catalog · mediafm")
    poster = page.locator(".title-card img").first
    page.wait_for_function(
        "image => image.complete && image.naturalWidth > 0", arg=poster.element_handle()
    )
    page.get_by_role("combobox", name="Kind").select_option("movie")
    expect(page.get_by_text("3 titles of 6")).to_be_visible()
    assert "kind=movie" in page.url
    page.reload()
    expect(page.locator(".title-card")).to_have_count(3)


def test_titles_are_looked_for_and_not_found(page):
    page.goto("/")
    page.get_by_role("searchbox", name="Titles with these words").fill("salt")
    expect(page.locator(".title-card")).to_have_count(1)
    page.get_by_role("searchbox", name="Titles with these words").fill("nothing like it")
    expect(page.get_by_text("No title is like that.")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(page.locator(".title-card")).to_have_count(6)


def test_a_pointer_over_a_poster_looks_through_the_title(page):
    page.goto("/")
    card = page.locator(".title-card", has_text="The Long Quay")
    picture = card.locator(".picture")
    picture.hover(position={"x": 20, "y": 60})
    expect(card.locator(".skim")).to_be_visible()
    first = card.locator(".skim").evaluate("one => one.style.backgroundPosition")
    picture.hover(position={"x": 200, "y": 60})
    assert card.locator(".skim").evaluate("one => one.style.backgroundPosition") != first


def test_search_from_anywhere_and_open_what_was_found(page):
    page.goto("/")
    page.get_by_role("heading", name="Catalog").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("kettle on")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="“kettle on”")).to_be_visible()
    expect(page.locator(".shot-card mark").first).to_have_text("kettle")
    first = page.locator(".shot-card").first
    expect(first).to_contain_text("words")
    opened = first.get_by_role("link").first
    address = opened.get_attribute("href")
    opened.click()
    page.wait_for_url(f"**{address}")
    page.get_by_role("tab", name="Shot").wait_for()
    page.go_back()
    expect(page.get_by_role("heading", name="“kettle on”")).to_be_visible()


def test_a_search_that_finds_nothing_says_so(page):
    page.goto("/search?q=zeppelin")
    expect(page.get_by_text("Nothing stands out")).to_be_visible()
    page.goto("/search?q=...")
    expect(page.get_by_role("alert")).to_contain_text("there is nothing to look for")
    forgiven(page, "400")  # the browser says it, too


# ---- a title


def test_a_film_plays(title):
    title.get_by_role("button", name="Play (Space)").click()
    title.wait_for_function("() => document.querySelector('video').currentTime > 0.6")
    title.get_by_role("button", name="Pause").click()
    assert title.evaluate("document.querySelector('video').paused")
    assert timecode(title) > "01:00:00:12"


def test_j_k_l_shuttle(title):
    title.keyboard.press("l")
    title.wait_for_function("() => !document.querySelector('video').paused")
    title.keyboard.press("l")
    title.wait_for_function("() => document.querySelector('video').playbackRate === 2")
    title.wait_for_function("() => document.querySelector('video').currentTime > 1.5")
    title.keyboard.press("k")
    title.wait_for_function("() => document.querySelector('video').paused")
    before = timecode(title)
    title.keyboard.press("j")
    until(title, lambda: timecode(title) < before)
    title.keyboard.press("k")


def test_shots_and_frames_are_stepped_by_keyboard(title, shots):
    for number in (1, 2, 3):
        title.keyboard.press("ArrowDown")
        at(title, shots[number])
    expect(title.get_by_role("status").filter(has_text="Shot 3")).to_be_attached()
    title.keyboard.press("ArrowUp")
    at(title, shots[2])
    start = timecode(title)
    title.keyboard.press("ArrowRight")
    title.keyboard.press("ArrowRight")
    until(title, lambda: int(timecode(title)[-2:]) == (int(start[-2:]) + 2) % 24)
    title.keyboard.press("ArrowLeft")
    title.keyboard.press("ArrowLeft")
    at(title, shots[2])
    # What the film shows is that shot's picture, not its neighbour's.
    title.wait_for_function("() => !document.querySelector('video').seeking")
    time = title.evaluate("document.querySelector('video').currentTime")
    assert shots[2].span.contains(round(time * US))


def test_a_clip_is_marked_and_goes_into_the_basket(title, shots):
    title.keyboard.press("ArrowDown")
    title.keyboard.press("i")
    for _ in range(3):
        title.keyboard.press("ArrowDown")
    title.keyboard.press("o")
    title.keyboard.press("b")
    expect(title.get_by_role("button", name="Basket, 1 clip")).to_be_visible()
    [clip] = title.evaluate("JSON.parse(localStorage.getItem('mediafm.basket'))")
    assert clip["title_id"] == T
    assert abs(clip["span"]["start"] - shots[1].span.start) < 1000
    assert abs(clip["span"]["end"] - shots[4].span.start) < US / 20


def test_the_timecode_is_copied_and_gone_to(title, shots):
    title.keyboard.press("ArrowDown")
    at(title, shots[1])
    title.keyboard.press("c")
    expect(title.get_by_text(re.compile("copied"))).to_be_visible()
    copied = title.evaluate("navigator.clipboard.readText()")
    assert copied == timecode(title)
    title.keyboard.press("Home")
    at(title, shots[0])
    title.keyboard.press("g")
    title.get_by_role("textbox", name="Timecode").fill(copied)
    title.keyboard.press("Enter")
    at(title, shots[1])


def test_alike_in_and_out_of_context(title, shots):
    title.keyboard.press("ArrowDown")
    title.keyboard.press("s")
    panel = title.get_by_role("tabpanel", name="More like this")
    links = panel.locator("article a")
    expect(links.first).to_be_visible()
    inside = [link.get_attribute("href") for link in links.all()]
    with title.expect_response(lambda answer: "features=fused" in answer.url):
        panel.get_by_role("radio", name="Out of context").check()
    expect(links.first).not_to_have_attribute("href", inside[0])
    outside = [link.get_attribute("href") for link in links.all()]
    assert inside != outside
    other = next(path for path in outside if f"/{T}" not in path)
    panel.locator(f'article a[href="{other}"]').click()
    title.wait_for_url(f"**{other}")


def test_the_timeline_seeks_where_it_is_clicked(title, shots):
    line = title.get_by_role("slider", name="Timeline")
    box = line.bounding_box()
    title.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 8)
    whole = shots[-1].span.end
    title.wait_for_function(
        "half => Math.abs(document.querySelector('video').currentTime - half) < 8",
        arg=whole / US / 2,
    )
    title.get_by_role("button", name="Nearer (+)").click()
    title.get_by_role("button", name="Fit", exact=True).click()
    line.focus()
    title.keyboard.press("ArrowDown")
    expect(title.get_by_role("status").filter(has_text="Shot")).to_be_attached()


def test_a_tag_is_corrected_and_becomes_a_label(title, served):
    title.get_by_role("tab", name="Tags").click()
    panel = title.get_by_role("tabpanel", name="Tags")
    card = panel.get_by_role("article").filter(has_text="clip-tone").first
    card.get_by_role("button", name=re.compile("^Correct")).click()
    keep = title.get_by_role("checkbox", name="lonely")
    for box in title.get_by_role("checkbox", checked=True).all():
        if box.is_visible() and panel.get_by_role("checkbox").count():
            box.uncheck()
    keep.check()
    with title.expect_response("**/api/answers") as waited:
        title.get_by_role("button", name=re.compile("Keep|Save|Done")).first.click()
    assert waited.value.status == 200
    rows = (served.settings.labels / "tones.csv").read_text()
    assert "lonely" in rows
    title.reload()
    title.get_by_role("tab", name="Tags").click()
    expect(title.get_by_text("Corrected").first).to_be_visible()


def test_a_suggestion_is_accepted(title, served):
    title.get_by_role("tab", name="Suggestions").click()
    panel = title.get_by_role("tabpanel", name="Suggestions")
    with title.expect_response("**/api/answers") as waited:
        panel.get_by_role("button", name=re.compile("^Accept")).first.click()
    assert waited.value.status == 200
    assert ",1," in (served.settings.labels / "clips.csv").read_text()


def test_text_of_others_is_text(page, served):
    """A title, an id and a synopsis that are markup; a cue, too."""
    page.goto("/")
    expect(page.get_by_text(MARKUP).first).to_be_visible()
    page.goto(f"/titles/{quote(MARKUP, safe='')}")
    expect(page.get_by_role("heading", level=1)).to_contain_text(MARKUP)
    page.get_by_role("tab", name="About").click()
    expect(page.get_by_role("tabpanel", name="About")).to_contain_text(MARKUP)
    page.goto(f"/search?q={quote(MARKUP)}")
    page.get_by_role("heading", name=MARKUP).wait_for()
    assert page.title() != "1"
    assert page.locator("img[src=x]").count() == 0


def test_a_title_without_a_film_is_stepped_by_its_pictures(page):
    page.goto("/titles/title-003")
    page.get_by_role("slider", name="Timeline").wait_for()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("status").filter(has_text="Shot 1")).to_be_attached()
    before = timecode(page)
    page.keyboard.press(" ")
    until(page, lambda: timecode(page) > before)
    page.keyboard.press("k")


# ---- basket


def test_a_basket_is_exported(title, shots, tmp_path):
    for number in (1, 2):
        title.keyboard.press("b")
        title.keyboard.press("ArrowDown")
        at(title, shots[number])
    title.get_by_role("button", name="Basket, 2 clips").click()
    drawer = title.get_by_role("complementary", name="Basket")
    drawer.get_by_role("textbox", name="Name of clip 1").fill("opening")
    drawer.get_by_role("textbox", name="Name of the edit").fill("my film")
    drawer.get_by_role("button", name="Later: opening").click()
    for form, check in ((".otio", check_otio), (".edl", check_edl)):
        drawer.get_by_role("combobox", name="Form of the file").select_option(form)
        with title.expect_download() as waited:
            drawer.get_by_role("button", name="Export").click()
        path = tmp_path / waited.value.suggested_filename
        waited.value.save_as(path)
        assert path.name == f"my film{form}"
        check(path, shots)


def check_otio(path: Path, shots):
    edit = otio.adapters.read_from_file(str(path))
    clips = list(edit.find_clips(shallow_search=False))
    video = [clip for clip in clips if clip.parent().kind == "Video"]
    assert [clip.name for clip in video][-1] == "opening"
    lengths = [round(clip.source_range.duration.to_seconds() * US) for clip in video]
    assert lengths == pytest.approx([shots[1].span.duration, shots[0].span.duration], abs=2)


def check_edl(path: Path, _shots):
    assert len(re.findall(r"^\d{3} ", path.read_text(), re.M)) == 2


def test_the_basket_is_there_again_and_can_be_emptied_and_not(page, title):
    title.keyboard.press("b")
    title.goto("/")
    title.get_by_role("button", name="Basket, 1 clip").click()
    drawer = title.get_by_role("complementary", name="Basket")
    drawer.get_by_role("button", name="Empty the basket").click()
    expect(drawer.get_by_text("Nothing in it yet.")).to_be_visible()
    title.get_by_role("button", name="Undo").click()
    expect(title.get_by_role("button", name="Basket, 1 clip")).to_be_visible()
    title.keyboard.press("Escape")
    title.evaluate("localStorage.setItem('mediafm.basket', '[{\"broken\": true}, 5]')")
    title.reload()
    expect(title.get_by_role("button", name="Basket, 0 clips")).to_be_visible()


# ---- time


def test_timecodes_are_those_of_the_standard(page):
    """The page's arithmetic against OpenTimelineIO's, over a day, drop-frame and not."""
    page.goto("/")
    asked = []
    whole = ("24/1", "25/1", "24000/1001", "30/1", "30000/1001", "60000/1001")
    rates = [*((rate, False) for rate in whole), ("30000/1001", True), ("60000/1001", True)]
    frames = (0, 1, 23, 1799, 1800, 1801, 17981, 17982, 17983, 107892, 1_000_003)
    for (rate, drop), frame in itertools.product(rates, frames):
        top, bottom = map(int, rate.split("/"))
        us = -(-frame * bottom * US // top)
        time = otio.opentime.RationalTime(frame, top / bottom)
        expected = otio.opentime.to_timecode(time, top / bottom, drop)
        asked.append((us, rate, "00:00:00;00" if drop else "00:00:00:00", expected))
    found = page.evaluate(
        """async asked => {
          const { timecode } = await import('/assets/js/time.js');
          return asked.map(([us, rate, start]) => timecode(us, rate, start));
        }""",
        [one[:3] for one in asked],
    )
    assert [(*one[:3], got) for one, got in zip(asked, found, strict=True)] == asked


def test_a_timecode_goes_on_from_where_the_file_starts(page):
    page.goto("/")
    found = page.evaluate(
        """async () => {
          const { timecode } = await import('/assets/js/time.js');
          return [
            timecode(0, '25/1', '10:00:00:00'), timecode(1000000, '25/1', '09:59:59:10'),
            timecode(0, '30000/1001', '00:59:59;29'), timecode(33367, '30000/1001', '00:00:59;29'),
            timecode(40000, '25/1', '23:59:59:24'), timecode(0, '30000/1001', null),
            timecode(0, '30000/1001', '00:00:00:00'), timecode(5000000, null, null),
          ];
        }"""
    )
    assert found == [
        "10:00:00:00", "10:00:00:10", "00:59:59;29", "00:01:00;02", "00:00:00:00", "00:00:00;00",
        "00:00:00:00", "00:00:05:00",
    ]  # fmt: skip
    assert json.dumps(found)
