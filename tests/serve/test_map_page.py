"""The map of all shots and the comparison of versions, in a real browser."""

import dataclasses
import math
import re
from urllib.parse import unquote

import pytest
from browser_kit import settled, until, watched
from playwright.sync_api import expect
from serve_kit import serving

import synthetic
from mediafm.catalog import Catalog


@pytest.fixture
def page(browser, served):
    with watched(browser, served.url) as page:
        yield page


@pytest.fixture
def chart(page):
    """The map, once its points are drawn; and where it is."""
    page.goto("/map")
    expect(page.get_by_text("174 shots")).to_be_visible()
    return page.get_by_role("application", name="Map of all shots")


def lasso(page, chart, share=0.49):
    """Draws an ellipse over that part of the map to either side of its middle."""
    box = chart.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    steps = 40
    ring = [
        (x + share * box["width"] * math.cos(2 * math.pi * i / steps),
         y + share * box["height"] * math.sin(2 * math.pi * i / steps))
        for i in range(steps + 1)
    ]  # fmt: skip
    page.keyboard.down("Shift")
    page.mouse.move(*ring[0])
    page.mouse.down()
    for place in ring[1:]:
        page.mouse.move(*place)
    page.mouse.up()
    page.keyboard.up("Shift")
    return page.get_by_role("complementary", name="Selected shots")


def test_shots_are_lassoed_played_and_kept(page, chart):
    panel = lasso(page, chart)
    expect(panel).to_be_visible()
    number = int(re.search(r"([\d,]+) shots?", panel.inner_text())[1].replace(",", ""))
    assert 2 <= number <= 174
    expect(panel.get_by_role("listitem").first).to_contain_text(re.compile(r"\d\d:\d\d:\d\d"))
    panel.get_by_role("button", name="Play").click()
    player = page.get_by_role("dialog")
    if not player.count():
        player = page.get_by_role("region", name=re.compile("play", re.I))
    expect(player.first).to_be_visible()
    page.keyboard.press("Escape")
    panel.get_by_role("button", name="Add all").click()
    expect(page.get_by_role("button", name=f"Basket, {number} clips")).to_be_visible()
    panel.get_by_role("button", name="Clear the selection").click()
    expect(panel).to_be_hidden()


def test_shots_are_selected_by_keyboard(page, chart):
    chart.focus()
    page.keyboard.press("r")
    for key in ("ArrowLeft", "ArrowUp"):
        for _ in range(12):
            page.keyboard.press(key)
    for key in ("Shift+ArrowRight", "Shift+ArrowDown"):
        for _ in range(40):
            page.keyboard.press(key)
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name="Selected shots")).to_be_visible()
    page.keyboard.press("Escape")


def test_what_is_found_is_selected_on_the_map(page, chart):
    page.get_by_role("searchbox", name="Find on the map").fill("kettle")
    page.keyboard.press("Enter")
    panel = page.get_by_role("complementary", name="Selected shots")
    expect(panel).to_be_visible()
    panel.get_by_role("listitem").first.get_by_role("link").click()
    page.wait_for_url("**/titles/*")


def test_points_are_coloured_by_what_one_likes(page, chart):
    menu = page.get_by_role("combobox", name="Colour by")
    for label in menu.get_by_role("option").all_inner_texts():
        menu.select_option(label=label)
        settled(page)
        expect(page.get_by_role("application")).to_be_visible()


def test_two_versions_are_compared(page):
    page.goto("/versions?a=older&b=newer")
    expect(page.get_by_role("heading", name="Versions", exact=True)).to_be_visible()
    row = page.get_by_role("row").filter(has_text="newer").first
    expect(row).to_contain_text("current")
    share = page.get_by_text(re.compile(r"of the 10 nearest shots are the same"))
    expect(share).to_be_visible()
    expect(page.get_by_role("heading", name="Titles that changed most")).to_be_visible()
    expect(page.get_by_text("The Long Quay").first).to_be_visible()


def test_a_version_is_promoted_after_asking(browser, settings, tmp_path):
    synthetic.make_catalog(tmp_path / "catalog", [14, 14], versions=("older", "newer"))
    own = dataclasses.replace(settings, catalog=str(tmp_path / "catalog"))
    with serving(own) as served, watched(browser, served.url) as page:
        page.goto("/versions")
        page.get_by_role("button", name=re.compile("^Promote")).click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("older")
        dialog.get_by_role("button", name=re.compile("cancel|keep", re.I)).click()
        assert Catalog.open(own.catalog).version().name == "newer"
        page.get_by_role("button", name=re.compile("^Promote")).click()
        dialog.get_by_role("button", name=re.compile("^(Promote|Make)")).click()
        row = page.get_by_role("row").filter(has_text="older").first
        expect(row).to_contain_text("current")
        assert Catalog.open(own.catalog).version().name == "older"


@pytest.mark.parametrize("what", ["at=0.3,-0.2,2.5", "colour=series", "at=nonsense", "q=kettle"])
def test_a_map_is_opened_where_it_was_left(page, what):
    page.goto(f"/map?{what}")
    expect(page.get_by_text("174 shots", exact=True)).to_be_visible(timeout=15_000)
    if what == "q=kettle":
        expect(page.get_by_text("for “kettle”")).to_be_visible()
    page.wait_for_timeout(600)  # the address is written a moment later
    if what != "at=nonsense":
        until(page, lambda: what in unquote(page.url))
