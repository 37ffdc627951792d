"""What the map and the comparison keep: films that fail, catalogs that change, late answers."""

import dataclasses
import re
from urllib.parse import urlsplit

import pytest
from browser_kit import forgiven, held, watched
from playwright.sync_api import expect
from serve_kit import serving

import synthetic

pytestmark = pytest.mark.slow  # the ways that people take are in test_map_page.py


@pytest.fixture
def page(browser, served):
    with watched(browser, served.url) as page:
        yield page


# ---- playing what is selected


def reel(page, title_id="title-000", shots=6):
    """Plays the first shots of a title as if they had been selected."""
    page.goto("/")
    page.evaluate(
        """async ([id, shots]) => {
          const { play } = await import('/assets/js/map/play.js');
          const { ingest_id, title } = await (await fetch(`/api/titles/${id}`)).json();
          const { start, end } = await (await fetch(`/api/titles/${id}/timeline`)).json();
          window.on = [];
          play([...Array(shots).keys()], (i) =>
            ({ title_id: id, title, ingest_id, shot: i, span: { start: start[i], end: end[i] } }),
            { onshot: (i) => window.on.push(i) });
        }""",
        [title_id, shots],
    )
    return page.get_by_role("dialog")


def test_a_film_that_fails_gives_way_to_its_keyframes(page):
    page.route("**/api/titles/title-000/media*", lambda route: route.abort())
    dialog = reel(page)
    for number in (2, 3, 4):
        expect(dialog).to_contain_text(f"{number} of 6")
    expect(dialog.locator("video")).to_be_hidden()
    forgiven(page, "ERR_FAILED")


def test_a_film_without_a_picture_gives_way_to_its_keyframes(page):
    page.add_init_script(
        "Object.defineProperty(HTMLVideoElement.prototype, 'videoWidth', { get: () => 0 });"
    )
    dialog = reel(page)
    expect(dialog).to_contain_text("2 of 6")
    expect(dialog.locator("img")).to_be_visible()
    expect(dialog.locator("video")).to_be_hidden()


def test_a_pause_while_a_shot_loads_skips_nothing(page):
    asked = held(page, "**/api/titles/title-000/media*")
    dialog = reel(page)
    page.wait_for_timeout(300)
    page.keyboard.press("k")
    page.keyboard.press("k")
    page.wait_for_timeout(600)
    expect(dialog).to_contain_text("1 of 6")
    page.keyboard.press("k")
    asked().continue_()
    expect(dialog.locator("video")).to_be_visible()
    page.wait_for_timeout(300)
    assert dialog.locator("video").evaluate("one => one.paused")
    page.keyboard.press("k")
    page.wait_for_function("() => !document.querySelector('.reel video').paused")
    assert page.evaluate("on") == [0]


def test_the_keyframes_of_a_title_without_a_film_can_be_paused(page):
    dialog = reel(page, "title-003", 2)
    page.wait_for_timeout(300)
    page.keyboard.press("k")
    page.wait_for_timeout(5000)
    expect(dialog).to_contain_text("1 of 2")
    page.keyboard.press("k")
    expect(dialog).to_contain_text("2 of 2")
    expect(dialog.get_by_role("button", name="Play")).to_be_visible()  # at the end
    page.keyboard.press("k")
    expect(dialog.get_by_role("button", name="Pause")).to_be_visible()
    page.wait_for_timeout(400)
    expect(dialog.get_by_role("button", name="Pause")).to_be_visible()


def test_what_is_played_is_as_loud_as_elsewhere(page):
    page.add_init_script(
        "localStorage.setItem('mediafm.sound', JSON.stringify({ volume: 0.25, muted: true }))"
    )
    dialog = reel(page)
    sound = dialog.locator("video").evaluate("one => [one.volume, one.muted]")
    assert sound == [0.25, True]


# ---- a catalog that changes


def test_a_selection_outlives_a_change_of_the_catalog(browser, settings, tmp_path):
    """A title comes before those that are shown: the same shots are selected, wherever they are."""
    catalog = synthetic.make_catalog(tmp_path / "catalog", [14, 14], versions=("one",))
    own = dataclasses.replace(settings, catalog=str(tmp_path / "catalog"))
    with serving(own) as served, watched(browser, served.url) as page:
        page.goto("/map")
        expect(page.get_by_text("28 shots", exact=True)).to_be_visible()
        expect(page.get_by_text("are being arranged")).to_have_count(0)
        made = synthetic.plan("a-first", 10, 9)
        record = synthetic.add_title(catalog, made, synthetic.about(9, made), 9)
        catalog.append_embeddings(
            "one", [("a-first", record.ingest_id, synthetic.embeddings(made))]
        )
        page.wait_for_timeout(2500)
        panel = page.get_by_role("complementary", name="Selected shots")
        page.locator(".atlas-group").filter(has_text="The Long Quay").click()
        expect(panel.get_by_role("heading")).to_have_text("14 shots")
        expect(page.get_by_text("38 shots", exact=True)).to_be_visible()
        rows = panel.get_by_role("listitem")
        expect(rows.first).to_contain_text("The Long Quay")
        expect(panel.get_by_role("heading")).to_have_text("14 shots")
        expect(panel).not_to_contain_text("/api")
        expect(panel.get_by_role("button", name="Add all")).to_be_enabled()
        forgiven(page, "409")


def test_nothing_is_played_before_it_is_known_when_it_is(page):
    asked = held(page, "**/api/map/times*")
    page.goto("/map")
    expect(page.get_by_text("174 shots")).to_be_visible()
    page.locator(".atlas-group").first.click()
    panel = page.get_by_role("complementary", name="Selected shots")
    expect(panel).to_be_visible()
    for name in ("Play", "Add all"):
        expect(panel.get_by_role("button", name=name)).to_be_disabled()
    asked().continue_()
    for name in ("Play", "Add all"):
        expect(panel.get_by_role("button", name=name)).to_be_enabled()


def test_undo_takes_out_what_was_added_and_no_more(page):
    page.goto("/map")
    expect(page.get_by_text("174 shots")).to_be_visible()
    page.locator(".atlas-group").first.click()
    panel = page.get_by_role("complementary", name="Selected shots")
    plus = panel.get_by_role("button", name=re.compile("^Add to the basket"))
    plus.first.click()
    number = int(re.match(r"\d+", panel.get_by_role("heading").inner_text())[0])
    panel.get_by_role("button", name="Add all").click()
    expect(page.get_by_role("button", name=f"Basket, {number + 1} clips")).to_be_visible()
    plus.nth(1).click()
    expect(page.get_by_role("button", name=f"Basket, {number + 2} clips")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Basket, 2 clips")).to_be_visible()
    shots = page.evaluate(
        "JSON.parse(localStorage.getItem('mediafm.basket')).map((one) => one.shot)"
    )
    assert shots == [0, 1]


# ---- focus, and what comes late


def test_the_comparison_leaves_the_focus_where_it_is(page):
    page.goto("/versions?a=older&b=newer")
    page.get_by_role("heading", name="Titles that changed most").wait_for()
    first = page.get_by_role("combobox", name="A")
    first.focus()
    with page.expect_response("**/api/compare**"):
        first.select_option("newer")
    page.get_by_role("heading", name="Titles that changed most").wait_for()
    expect(first).to_be_focused()
    expect(page.get_by_role("combobox", name="B")).to_have_value("older")
    bar = page.locator(".versions-bar").nth(2)
    name = bar.locator(".versions-bar-name").inner_text()
    bar.focus()
    page.keyboard.press("Enter")
    pressed = page.locator(".versions-bar[aria-pressed=true]")
    expect(pressed).to_contain_text(name)
    expect(pressed).to_be_focused()
    page.keyboard.press("Enter")
    expect(pressed).to_have_count(0)
    page.locator(".versions-bar").first.wait_for()
    expect(page.locator(".versions-bar").filter(has_text=name)).to_be_focused()


def test_a_map_that_comes_late_changes_nothing(page):
    page.goto("/")
    page.locator(".title-card").first.wait_for()
    asked = held(page, lambda url: urlsplit(url).path == "/api/catalog")
    page.get_by_role("link", name="Map", exact=True).click()
    page.wait_for_url("**/map")
    page.wait_for_timeout(300)
    page.go_back()
    page.locator(".title-card").first.click()
    page.get_by_role("tab", name="Shot").wait_for()
    name = page.title()
    asked().continue_()
    page.wait_for_timeout(500)
    assert page.title() == name
    assert page.locator("html").get_attribute("class") == "app-page"
