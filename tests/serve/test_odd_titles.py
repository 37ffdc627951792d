"""Titles as they come: long words, no name, no pictures; and the ends of titles."""

import dataclasses

import pytest
from browser_kit import SIZES, settled, timecode, until, watched
from playwright.sync_api import expect
from serve_kit import get, serving

import synthetic

pytestmark = pytest.mark.slow  # the ways that people take are in test_page.py

WORD = "Donaudampfschifffahrtsgesellschaft" * 8


@pytest.fixture(scope="module")
def odd(tmp_path_factory, library):
    """A title of long words, one whose name is blank, one without pictures."""
    folder = tmp_path_factory.mktemp("odd")
    catalog = synthetic.make_catalog(folder / "catalog", [12, 12])
    for number, (title_id, more) in enumerate(
        {
            "long": {"title": WORD, "series_id": WORD, "genres": (WORD,), "tags": (WORD,)},
            "blank": {"title": "   "},
            "unseen": {"title": "Unseen", "width": 0, "height": 0},
        }.items(),
        2,
    ):
        made = synthetic.plan(title_id, 12, number)
        record = synthetic.about(number, made, **more)
        record = synthetic.add_title(catalog, made, record, number)
        x_NH = synthetic.embeddings(made)
        catalog.append_embeddings("one", [(title_id, record.ingest_id, x_NH)])
    settings = dataclasses.replace(
        library, catalog=str(folder / "catalog"), labels=folder / "labels", cache=folder / "cache"
    )
    with serving(settings) as served:
        yield served


@pytest.mark.parametrize("size", ["1280", "phone"])
@pytest.mark.parametrize("path", ["/", "/titles/long", "/titles/title-000", f"/search?q={WORD}"])
def test_long_words_break_no_page(browser, odd, size, path):
    with watched(browser, odd.url, size) as page:
        page.goto(path)
        settled(page)
        if path == "/titles/long":
            page.get_by_role("tab", name="About").click()
            settled(page)
        wide = SIZES[size][0]  # a phone would make its window wider, and everything smaller
        assert page.evaluate("document.documentElement.scrollWidth") <= wide


def test_a_title_without_a_name_is_called_by_its_id(browser, odd):
    with watched(browser, odd.url) as page:
        page.goto("/")
        page.get_by_role("link", name="blank").click()
        expect(page.get_by_role("heading", name="blank")).to_be_visible()


def test_pictures_that_are_not_there_are_not_asked_for(browser, odd):
    """The browser would write each that fails into its console, which fails the test."""
    with watched(browser, odd.url) as page:
        page.goto("/titles/unseen")
        settled(page)
        page.keyboard.press("b")
        page.get_by_role("button", name="Basket, 1 clip").click()
        page.keyboard.press("Escape")
        page.get_by_role("tab", name="More like this").click()
        settled(page)
        page.goto("/search?q=kettle")
        settled(page)
        page.goto("/map")
        expect(page.get_by_text("60 shots", exact=True)).to_be_visible()
        page.locator(".atlas-group").filter(has_text="Unseen").click()
        panel = page.get_by_role("complementary", name="Selected shots")
        expect(panel.get_by_role("listitem").first).to_contain_text("Unseen")
        panel.get_by_role("button", name="Play").click()
        expect(page.get_by_role("dialog")).to_contain_text("2 of 12")


def test_the_end_is_the_last_frame(browser, served, client):
    title = get(client, "titles/title-003")
    frames = round(title["duration"] * synthetic.RATE / 1e6)
    with watched(browser, served.url) as page:
        page.goto("/titles/title-003")
        settled(page)
        page.keyboard.press("End")
        seconds, frame = divmod(frames - 1, synthetic.RATE)
        last = f"01:{seconds // 60:02d}:{seconds % 60:02d}:{frame:02d}"
        assert timecode(page) == last
        page.keyboard.press("ArrowRight")
        assert timecode(page) == last
        page.keyboard.press("ArrowLeft")
        assert timecode(page) < last
        page.keyboard.press("l")  # to the end, where it stops
        until(page, lambda: timecode(page) == last)
        expect(page.get_by_role("button", name="Play (Space)")).to_be_visible()
        assert timecode(page) == last


def test_show_all_keeps_the_focus(browser, odd):
    with watched(browser, odd.url) as page:
        page.goto("/?q=nothing-like-it")
        page.get_by_role("button", name="Show all").press("Enter")
        expect(page.locator(".title-card")).to_have_count(5)
        expect(page.get_by_role("searchbox", name="Titles with these words")).to_be_focused()
