"""Every view, in both themes and three sizes: accessible, by keyboard alone, and at a loss."""

import dataclasses
import itertools

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser_kit import SIZES, forgiven, keep_picture, settled, watched
from playwright.sync_api import expect
from serve_kit import serving

import synthetic
from mediafm.catalog import Catalog

TOKEN = "correct-horse-battery-staple"
TITLE = "/titles/title-000?t=20000000"
VIEWS = {
    "catalog": ("/", None),
    "search": ("/search?q=kettle", None),
    "nothing-found": ("/search?q=zeppelin", None),
    "title-shot": (TITLE, "Shot"),
    "title-similar": (TITLE, "More like this"),
    "title-tags": (TITLE, "Tags"),
    "title-suggestions": (TITLE, "Suggestions"),
    "title-similarity": (TITLE, "Similarity"),
    "title-about": (TITLE, "About"),
    "title-without-film": ("/titles/title-003", None),
    "map": ("/map", None),
    "versions": ("/versions?a=older&b=newer", None),
    "api": ("/api-docs", None),
    "not-found": ("/titles/none", None),
}
LOOSE = {"not-found": "404"}
"""Views that show an error, which the browser says in its console as well."""


def show(page, name):
    path, tab = VIEWS[name]
    page.goto(path)
    settled(page)
    if tab is not None:
        page.get_by_role("tab", name=tab, exact=True).click()
        settled(page)
    page.wait_for_timeout(400)
    if name in LOOSE:
        forgiven(page, LOOSE[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", VIEWS)
def test_a_view_can_be_used_by_everybody(browser, served, name):
    """By axe-core's rules: names, roles, contrast."""
    with watched(browser, served.url, bypass_csp=True) as page:
        for theme in ("dark", "light"):
            page.emulate_media(color_scheme=theme)
            show(page, name)
            found = Axe().run(page)
            assert not found.response["violations"], f"{theme}: {found.generate_report()}"


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_a_view_fits_and_is_pictured(browser, served, size):
    """Nothing is wider than the window; pictures are kept for people where CI says so."""
    for theme in ("dark", "light"):
        with watched(browser, served.url, size, theme) as page:
            for name in VIEWS:
                show(page, name)
                wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert wide <= 0, f"{name} is {wide} pixels too wide"
                keep_picture(page, f"{name}-{size}-{theme}")


def test_the_keyboard_alone_does(browser, served):
    """From the catalog to an exported clip without a pointer, the focus always seen."""
    with watched(browser, served.url) as page:
        page.goto("/")
        page.locator(".title-card").first.wait_for()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="To the content")).to_be_focused()
        tab_to(page, lambda text: "The Long Quay" in text)
        page.keyboard.press("Enter")
        page.wait_for_url("**/titles/title-000*")
        page.get_by_role("tab", name="Shot").wait_for()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("b")
        tab_to(page, lambda text: text.startswith("Basket"))
        page.keyboard.press("Enter")
        tab_to(page, lambda text: "Export" in text)
        with page.expect_download():
            page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        tab_to(page, lambda text: text == "Shot")
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name="More like this")).to_be_focused()
        page.keyboard.press("?")
        dialog = page.get_by_role("dialog", name="Keys")
        expect(dialog).to_contain_text("Copy timecode")
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)


def tab_to(page, wanted):
    """Presses Tab until what has the focus is called so; every stop on the way is visible."""
    for _ in itertools.repeat(None, 80):
        page.keyboard.press("Tab")
        name, seen = page.evaluate(
            """() => {
              const one = document.activeElement;
              const style = getComputedStyle(one);
              const box = one.getBoundingClientRect();
              const name = one.getAttribute('aria-label') || one.textContent || one.value || '';
              const ring = style.outlineStyle !== 'none' || one.matches('input[type=radio], body')
                || one.querySelector('*');
              return [name.trim(), Boolean(ring) && box.width > 0 && box.height > 0];
            }"""
        )
        assert seen, f"the focus on '{name[:60]}' is not seen"
        if wanted(name):
            return
    raise AssertionError("it is not reached by Tab")


def test_a_theme_is_chosen_and_kept(browser, served):
    with watched(browser, served.url) as page:
        page.goto("/")
        dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        page.get_by_role("button", name="Use the light theme").click()
        light = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert dark != light
        page.reload()
        page.get_by_role("button", name="Use the dark theme").wait_for()
        kept = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert kept == light


def test_a_catalog_without_titles_says_how_to_get_some(browser, settings, tmp_path):
    Catalog.create(tmp_path / "empty")
    with (
        serving(dataclasses.replace(settings, catalog=str(tmp_path / "empty"))) as served,
        watched(browser, served.url) as page,
    ):
        page.goto("/")
        expect(page.get_by_text("mediafm ingest /path/to/films")).to_be_visible()
        keep_picture(page, "empty-catalog-1280-dark")
        for path in ("/map", "/versions", "/search?q=a"):
            page.goto(path)
            settled(page)
        forgiven(page, "40")


def test_titles_without_embeddings_can_be_watched(browser, settings, tmp_path):
    synthetic.make_catalog(tmp_path / "catalog", [12, 12], versions=())
    with (
        serving(dataclasses.replace(settings, catalog=str(tmp_path / "catalog"))) as served,
        watched(browser, served.url) as page,
    ):
        page.goto("/titles/title-000")
        page.get_by_role("slider", name="Timeline").wait_for()
        page.get_by_role("tab", name="More like this").click()
        settled(page)
        panel = page.get_by_role("tabpanel", name="More like this")
        expect(panel.get_by_role("radio", name="Out of context")).to_be_checked()
        expect(panel.get_by_role("radio", name="In context")).to_have_count(0)
        expect(panel.get_by_role("article").first).to_be_visible()
        page.goto("/map")
        expect(page.get_by_role("main")).to_contain_text("mediafm embed")
        keep_picture(page, "map-without-embeddings-1280-dark")
        forgiven(page, "40")


def test_a_server_that_is_gone_is_said(browser, settings):
    with serving(settings) as served:
        context = browser.new_context(base_url=served.url)
        page = context.new_page()
        page.goto("/")
        page.locator(".title-card").first.wait_for()
    page.get_by_role("link", name="Versions").click()
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
    context.close()


def test_signing_in_with_the_token(browser, settings):
    guarded = dataclasses.replace(settings, token=TOKEN)
    with serving(guarded) as served, watched(browser, served.url) as page:
        page.goto("/titles/title-001")
        field = page.get_by_label("Token")
        field.fill("not this one at all")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("this is not the token")
        keep_picture(page, "sign-in-1280-dark")
        field.fill(TOKEN)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Salt and Iron")
        kept = page.evaluate("JSON.stringify({...localStorage}) + location.href + document.cookie")
        assert TOKEN not in kept
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Salt and Iron")
        forgiven(page, "401")
        forgiven(page, "403")


def test_a_film_that_no_browser_plays_gets_a_proxy(browser, settings, tmp_path):
    """MPEG-2: asked for once, made with progress, played; till then there is the filmstrip."""
    made = synthetic.plan("tape", 14, 3)
    path = synthetic.film(tmp_path / "tape.mpg", made, "mpeg2video", 25, audio="mp2")
    facts = path.stat()
    catalog = Catalog.create(tmp_path / "catalog")
    record = synthetic.about(
        1, made, path=str(path), size=facts.st_size, mtime_ns=facts.st_mtime_ns, content="tape",
        frame_rate="25/1",
    )  # fmt: skip
    synthetic.add_title(catalog, made, record)
    with (
        serving(dataclasses.replace(settings, catalog=str(tmp_path / "catalog"))) as served,
        watched(browser, served.url) as page,
    ):
        page.goto("/titles/tape")
        player = page.get_by_role("region", name="Player")
        expect(player).to_contain_text("MPEG-2")
        keep_picture(page, "title-before-proxy-1280-dark")
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("status").filter(has_text="Shot 1")).to_be_attached()
        ask = player.get_by_role("button", name="proxy")
        if ask.count():
            ask.first.click()
        page.wait_for_function(
            "() => document.querySelector('video')?.readyState >= 2", timeout=60_000
        )
        page.keyboard.press("l")
        page.wait_for_function("() => document.querySelector('video').currentTime > 2")
        forgiven(page, "40")  # no embeddings here
