"""What the page keeps, and what it lets go: answers out of order, addresses, focus, places."""

import re

import pytest
from browser_kit import forgiven, held, timecode, until, watched
from playwright.sync_api import expect
from serve_kit import serving

pytestmark = pytest.mark.slow  # the ways that people take are in test_page.py

T = "title-000"
FOCUSED = "() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.id"


@pytest.fixture
def page(browser, served):
    with watched(browser, served.url) as page:
        yield page


def at_a_film(page):
    page.goto(f"/titles/{T}?t=20000000")
    page.wait_for_function("() => document.querySelector('video')?.readyState >= 2")
    return page


@pytest.fixture
def title(page):
    return at_a_film(page)


@pytest.fixture
def fresh(browser, settings):
    """The title where nobody has answered anything."""
    with serving(settings) as served, watched(browser, served.url) as page:
        yield at_a_film(page)


def failing(page, pattern):
    page.route(pattern, lambda route: route.fulfill(status=503, json={"error": "no disk"}))


# ---- addresses


def test_more_like_this_of_a_search_opens_that_panel(page):
    page.goto("/search?q=kettle")
    page.get_by_role("link", name=re.compile("^More like shot")).first.click()
    expect(page.get_by_role("tab", name="More like this")).to_have_attribute(
        "aria-selected", "true"
    )
    expect(
        page.get_by_role("tabpanel", name="More like this").locator("article").first
    ).to_be_visible()


def test_the_address_of_a_title_holds_its_marks_and_its_panel(title, browser, served):
    title.get_by_role("slider", name="Timeline").focus()
    title.keyboard.press("i")
    title.keyboard.press("ArrowDown")
    title.keyboard.press("o")
    title.get_by_role("tab", name="Tags").click()
    title.wait_for_function("() => /t=.*in=.*out=.*panel=tags/.test(location.search)")
    marks = title.get_by_role("group", name="Marked clip")
    said = marks.inner_text()
    where = title.get_by_role("slider", name="Timeline").get_attribute("aria-valuetext")
    with watched(browser, served.url) as other:  # somebody else, to whom it was sent
        other.goto(title.url)
        expect(other.get_by_role("tab", name="Tags")).to_have_attribute("aria-selected", "true")
        assert other.get_by_role("group", name="Marked clip").inner_text() == said
        expect(other.get_by_role("slider", name="Timeline")).to_have_attribute(
            "aria-valuetext", where
        )
    marks.get_by_role("button", name="Clear").click()
    title.wait_for_function("() => !/in=|out=/.test(location.search)")


@pytest.mark.parametrize(
    "marks",
    ["in=9000000&out=9000000", "in=9&out=3", "in=-1", "out=1e6", "in=999999999999", "in=&out=x"],
)
def test_marks_of_an_address_that_no_title_has_are_none(page, marks):
    page.goto(f"/titles/{T}?{marks}&panel=nothing")
    expect(page.get_by_role("tab", name="Shot")).to_have_attribute("aria-selected", "true")
    bar = page.get_by_role("group", name="Marked clip")
    expect(bar.get_by_role("button", name="Add shot")).to_be_visible()
    expect(bar.get_by_role("button", name="Clear")).to_be_hidden()


def test_a_filter_that_is_typed_last_does_not_follow_to_another_view(page):
    page.goto("/")
    card = page.locator(".title-card a").first
    card.wait_for()
    page.get_by_role("searchbox", name="Titles with these words").press_sequentially("x", delay=0)
    card.evaluate("one => one.click()")
    page.get_by_role("tab", name="Shot").wait_for()
    page.wait_for_timeout(400)
    assert "/titles/" in page.url
    assert "q=" not in page.url


def test_a_title_that_comes_late_changes_nothing(page):
    page.goto("/")
    page.locator(".title-card").first.wait_for()
    asked = held(page, f"**/api/titles/{T}/timeline")
    page.evaluate(f"document.querySelector('a[href=\"/titles/{T}\"]').click()")
    late = asked()
    page.go_back()
    page.locator(".title-card").first.wait_for()
    page.evaluate("document.querySelector('a[href=\"/titles/title-003\"]').click()")
    page.get_by_role("tab", name="Shot").wait_for()
    name = page.title()
    late.continue_()
    page.wait_for_timeout(400)
    assert page.title() == name
    assert "app-page" in page.locator("html").get_attribute("class")
    assert page.url.split("?")[0].endswith("/titles/title-003")


def test_show_all_empties_the_field(page):
    page.goto("/?q=zzzz")
    page.get_by_role("button", name="Show all").click()
    expect(page.locator(".title-card")).to_have_count(6)
    field = page.get_by_role("searchbox", name="Titles with these words")
    expect(field).to_have_value("")


def test_the_search_box_says_what_is_shown(page):
    page.goto("/search?q=kettle")
    box = page.get_by_role("searchbox", name="Search shots")
    expect(box).to_have_value("kettle")
    page.get_by_role("link", name="Catalog", exact=True).click()
    page.get_by_role("heading", name="Catalog").wait_for()
    expect(box).to_have_value("")
    page.go_back()
    expect(box).to_have_value("kettle")


def test_a_dialog_does_not_outlive_what_it_was_about(page):
    page.goto("/")
    page.get_by_role("link", name="Map", exact=True).click()
    page.locator("main canvas").first.wait_for()
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    page.go_back()
    page.get_by_role("heading", name="Catalog").wait_for()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_back_and_reload_lead_to_where_it_was_read(page):
    page.set_viewport_size({"width": 1280, "height": 420})
    page.goto("/")
    page.locator(".title-card").nth(5).wait_for()
    page.evaluate("window.scrollTo(0, 300)")
    page.wait_for_timeout(300)  # a place is written down a moment later
    y = page.evaluate("scrollY")
    assert y > 50
    page.evaluate("document.querySelectorAll('.title-card a')[5].click()")
    page.get_by_role("tab", name="Shot").wait_for()
    page.go_back()
    page.locator(".title-card").nth(5).wait_for()
    page.wait_for_function("y => Math.abs(scrollY - y) < 2", arg=y)
    page.reload()
    page.wait_for_function("y => Math.abs(scrollY - y) < 2", arg=y)


def test_the_skip_link_leads_to_the_content_and_draws_nothing_anew(title):
    title.keyboard.press("i")
    title.evaluate("document.querySelector('.title-page').dataset.mine = '1'")
    title.locator("a.skip").focus()
    title.keyboard.press("Enter")
    assert title.evaluate("document.activeElement.id") == "main"
    title.wait_for_timeout(200)
    assert title.locator(".title-page[data-mine='1']").count() == 1
    assert "#" not in title.url


# ---- keys


def test_a_held_key_does_it_once(title):
    for _ in range(5):
        title.keyboard.down("b")  # the second and further ones are repeats
    title.keyboard.up("b")
    expect(title.get_by_role("button", name="Basket, 1 clip")).to_be_visible()


def test_arrows_go_from_picture_to_picture(page):
    page.goto("/")
    cards = page.locator(".title-card .card-open")
    cards.first.focus()
    names = cards.evaluate_all("all => all.map((one) => one.getAttribute('href'))")
    here = "() => document.activeElement.getAttribute('href')"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(here) == names[0]
    page.keyboard.press("ArrowRight")
    assert page.evaluate(here) == names[1]
    tops = cards.evaluate_all("all => all.map((one) => one.getBoundingClientRect().top)")
    below = next(i for i, top in enumerate(tops) if top > tops[0])
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(here) == names[below]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(here) in names[below:]
    page.keyboard.press("Enter")
    page.wait_for_url("**/titles/**")


def test_a_menu_of_the_search_keeps_the_focus(page):
    page.goto("/search?q=kettle")
    page.locator(".shot-card").first.wait_for()
    ways = page.get_by_role("combobox", name="Way to search")
    ways.focus()
    with page.expect_response("**/api/search?**by=words**"):
        ways.select_option("words")
    expect(page.locator(".count-line")).to_contain_text("exact words")
    assert page.evaluate(FOCUSED) == "Way to search"
    assert "by=words" in page.url
    page.reload()
    expect(page.locator(".count-line")).to_contain_text("exact words")


# ---- panels, answers


def test_a_late_panel_does_not_take_the_place_of_another(title):
    asked = held(title, "**/suggestions/artwork**")
    title.get_by_role("tab", name="Suggestions").click()
    panel = title.get_by_role("tabpanel", name="Suggestions")
    panel.locator(".suggestion").first.wait_for()
    panel.get_by_role("button", name="Artwork", exact=True).click()
    late = asked()
    panel.get_by_role("button", name="Ad breaks", exact=True).click()
    panel.get_by_role("button", name="Play ad break").first.wait_for()
    count = panel.locator(".suggestion").count()
    late.continue_()
    title.wait_for_timeout(400)
    expect(panel.locator(".suggestion")).to_have_count(count)


def test_an_answer_that_is_not_kept_takes_no_other_with_it(fresh):
    fresh.get_by_role("tab", name="Suggestions").click()
    panel = fresh.get_by_role("tabpanel", name="Suggestions")
    panel.get_by_role("button", name="Accept: clip 1,").wait_for()
    waiting = []
    fresh.route("**/api/answers", lambda r: waiting.append(r) if not waiting else r.continue_())
    panel.get_by_role("button", name="Accept: clip 1,").click()
    fresh.wait_for_function("() => document.querySelector('.said')?.textContent === 'Accepted…'")
    with fresh.expect_response("**/api/answers"):
        panel.get_by_role("button", name="Reject: clip 2,").click()
    second = panel.locator(".suggestion").nth(1)
    expect(second.locator(".said")).to_have_text("Rejected")
    waiting[0].fulfill(status=503, json={"error": "no disk"})
    expect(fresh.get_by_text("Not kept: no disk")).to_be_visible()
    expect(second.locator(".said")).to_have_text("Rejected")
    expect(panel.locator(".suggestion").first.locator(".said")).to_have_count(0)
    forgiven(fresh, "503")


def test_who_answers_by_keyboard_stays_where_they_are(title):
    title.get_by_role("tab", name="Suggestions").click()
    accept = title.get_by_role("button", name="Accept: clip 3,")
    accept.focus()
    with title.expect_response("**/api/answers"):
        title.keyboard.press("Enter")
    expect(accept).to_have_attribute("aria-pressed", "true")
    assert title.evaluate(FOCUSED).startswith("Accept: clip 3,")


def test_tags_that_are_being_corrected_stay(title):
    title.get_by_role("tab", name="Tags").click()
    card = title.get_by_role("tabpanel", name="Tags").get_by_role("article").first
    correct = card.get_by_role("button", name=re.compile("^Correct"))
    correct.click()
    own = card.get_by_role("textbox", name="Another tag")
    own.fill("windy")
    title.keyboard.press("Enter")
    box = card.get_by_role("checkbox", name="windy")
    expect(box).to_be_checked()
    # Another scene comes, and another answer is given, while somebody writes.
    own.fill("half a wo")
    title.get_by_role("button", name="Play (Space)").click()
    title.get_by_role("slider", name="Timeline").press("End")
    title.wait_for_timeout(300)
    expect(box).to_be_checked()
    expect(own).to_have_value("half a wo")
    own.press("Escape")
    expect(own).to_have_count(0)


def test_leaving_the_editor_leads_back_to_its_button(title):
    title.get_by_role("tab", name="Tags").click()
    card = title.get_by_role("tabpanel", name="Tags").get_by_role("article").first
    correct = card.get_by_role("button", name=re.compile("^Correct"))
    label = correct.get_attribute("aria-label")
    correct.focus()
    title.keyboard.press("Enter")
    title.wait_for_function("() => document.activeElement.closest('form.editor')")
    title.keyboard.press("Escape")
    assert title.evaluate(FOCUSED) == label


# ---- basket, pictures


def test_a_clip_keeps_its_name_and_the_focus_when_it_moves(title):
    for _ in range(3):
        title.keyboard.press("b")
        before = timecode(title)
        title.keyboard.press("ArrowDown")
        until(title, lambda before=before: timecode(title) > before)
    title.get_by_role("button", name="Basket, 3 clips").click()
    drawer = title.get_by_role("complementary", name="Basket")
    name = drawer.get_by_role("textbox", name="Name of clip 1")
    name.fill("opening")
    drawer.get_by_role("button", name="Later: opening").click()  # a click, right after typing
    expect(drawer.get_by_role("textbox", name="Name of clip 2")).to_have_value("opening")
    assert title.evaluate(FOCUSED) == "Later: opening"
    title.keyboard.press("Enter")
    expect(drawer.get_by_role("textbox", name="Name of clip 3")).to_have_value("opening")


def test_a_pointer_over_a_found_shot_shows_those_beside_it(page):
    page.goto("/search?q=kettle")
    card = page.locator(".shot-card").first
    picture = card.locator(".picture")
    said = picture.locator(".picture-time").inner_text()
    box = picture.bounding_box()
    picture.hover(position={"x": box["width"] - 4, "y": 40})
    expect(card.locator(".skim")).to_be_visible()
    assert picture.locator(".picture-time").inner_text() != said
    picture.hover(position={"x": box["width"] / 2, "y": 40})
    expect(picture.locator(".picture-time")).to_have_text(said)
    page.mouse.move(0, 0)
    expect(card.locator(".skim")).to_be_hidden()


def test_what_was_found_is_told_by_its_timecode(page):
    page.goto("/search?q=kettle")
    times = page.locator(".shot-card .card-times").first
    expect(times).to_have_text(re.compile(r"^01:\d\d:\d\d:\d\d$"))


def test_titles_that_cannot_be_loaded_say_so_where_it_is_seen(page):
    page.goto("/")
    page.locator(".title-card").first.wait_for()
    failing(page, "**/api/titles?**")
    page.get_by_role("combobox", name="Order").select_option("longest")
    expect(page.get_by_role("alert")).to_have_text("no disk")
    forgiven(page, "503")


def test_an_address_that_is_none_says_so_in_the_page(page):
    page.goto("/titels/title-000")
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    forgiven(page, "404")
    page.get_by_role("link", name="To the catalog").click()
    expect(page.locator(".title-card").first).to_be_visible()
