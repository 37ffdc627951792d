"""The player of the page: what it shows, marks, says and does when something is in its way."""

import itertools
import random
from fractions import Fraction

import pytest
from browser_kit import forgiven, timecode, watched
from playwright.sync_api import expect

from mediafm.catalog import Catalog
from mediafm.export.frames import Frames
from mediafm.timeline import US

T = "title-000"
MEDIA = f"**/api/titles/{T}/media*"
PLAYS = "() => document.querySelector('video')?.readyState >= 2"
SEEKS = "() => !document.querySelector('video').seeking"


@pytest.fixture
def page(browser, served):
    with watched(browser, served.url) as page:
        yield page


@pytest.fixture
def shots(served):
    return Catalog.open(served.settings.catalog).shots(T)


def film(page, query="", **facts):
    """Opens the page of a title with a film, with other facts than the catalog's."""
    if facts:

        def told(route):
            answer = route.fetch()
            route.fulfill(response=answer, json=answer.json() | facts)

        page.route(f"**/api/titles/{T}", told)
    page.goto(f"/titles/{T}{query}")
    page.wait_for_function(PLAYS)


def shown(page):
    """Where the video is, microseconds, once it is there."""
    page.wait_for_function(SEEKS)
    return round(page.evaluate("document.querySelector('video').currentTime") * US)


def failing(page):
    """What the browser says of answers that are errors is meant here."""
    forgiven(page, "Failed to load resource")


# ---- frames


def test_without_a_frame_rate_shots_are_shown_from_their_start(page, shots):
    film(page, frame_rate=None, timecode=None)
    for shot in shots[1:9]:
        page.keyboard.press("ArrowDown")
        expect(page.get_by_text(f"Shot {shot.index}", exact=True).first).to_be_visible()
        assert shot.span.start < shown(page) < shot.span.start + 2000
    page.keyboard.press("ArrowRight")
    assert shown(page) == pytest.approx(shots[8].span.start + 41_000, abs=5)
    page.keyboard.press("End")
    assert shown(page) <= shots[-1].span.end


def test_marks_are_around_the_frame_on_screen(page, served):
    film(page, "?t=1030000")  # within frame 24, nearer to the next
    assert timecode(page) == "01:00:01:00"
    page.keyboard.press("i")
    page.keyboard.press("Shift+ArrowRight")
    assert timecode(page) == "01:00:02:00"
    page.keyboard.press("o")
    expect(page.locator(".marks-in .marks-time")).to_have_text("01:00:01:00")
    expect(page.locator(".marks-out .marks-time")).to_have_text("01:00:02:01")
    page.keyboard.press("b")
    edit = page.evaluate(
        """async () => {
          const [{ title_id, span }] = JSON.parse(localStorage.getItem('mediafm.basket'));
          const body = { form: '.edl', name: 'x', clips: [{ title_id, span, name: 'x' }] };
          const headers = { 'content-type': 'application/json' };
          const asked = { method: 'POST', headers, body: JSON.stringify(body) };
          return (await fetch('/api/export', asked)).text();
        }"""
    )
    assert "01:00:01:00 01:00:02:01" in edit


def test_marks_are_the_frames_that_edit_lists_have(page):
    """At any time, also one within a frame, also where a file's times are whole milliseconds."""
    page.goto("/")
    rng = random.Random(3)
    rates = ("24000/1001", "24", "25", "30000/1001", "50", "60000/1001", "2997/100", "14985/501")
    asked = [[rate, rng.randrange(3 * 3600 * US)] for rate in rates for _ in range(200)]
    found = page.evaluate(
        """async asked => {
          const { makeStage } = await import('/assets/js/parts/stage.js');
          const { mark } = await import('/assets/js/parts/marks.js');
          const { frameAt } = await import('/assets/js/time.js');
          return asked.map(([rate, time]) => {
            const stage = makeStage({ duration: 4 * 3600e6, starts: [0], ends: [4 * 3600e6] });
            Object.assign(stage, { rate });
            stage.set({ time });
            mark(stage, 'in');
            mark(stage, 'out');
            return [stage.state.markIn, stage.state.markOut, frameAt(time, rate)];
          });
        }""",
        asked,
    )
    for (rate, _), (start, end, frame) in zip(asked, found, strict=True):
        near = Fraction(30000, 1001) if rate in ("2997/100", "14985/501") else Fraction(rate)
        frames = Frames(near, 0, drop=False)
        assert (frames.at(start), frames.at(end)) == (frame, frame + 1)


def test_typed_timecodes_are_those_shown(page):
    page.goto("/")
    rates = ("24000/1001", "25", "30000/1001", "2997/100", "60000/1001", "30000/1000")
    starts = (None, "01:00:00:00", "01:00:00.00", "00:59:59,20", "01;00;00;00", "23:59:59:20")
    frames = (0, 1, 30, 1798, 1799, 1800, 1801, 17_982, 40_000)
    asked = list(itertools.product(rates, starts, frames))
    found = page.evaluate(
        """async asked => {
          const { frameTime, timecode } = await import('/assets/js/time.js');
          const { readTime } = await import('/assets/js/parts/timecode.js');
          return asked.map(([rate, start, frame]) => {
            const us = frameTime(frame, rate);
            const about = { rate, start, now: 0, starts: [], duration: 3600e6 };
            return [us, readTime(timecode(us, rate, start), about)];
          });
        }""",
        asked,
    )
    wrong = [one for one, (us, read) in zip(asked, found, strict=True) if us != read]
    assert not wrong
    told = page.evaluate(
        """async () => {
          const { timecode } = await import('/assets/js/time.js');
          const { readTime } = await import('/assets/js/parts/timecode.js');
          const about = { now: 5e6, starts: [], duration: 3600e6 };
          const read = (text, rate, start) => readTime(text, { rate, start, ...about });
          return [
            timecode(60060000, '2997/100', null), read('00:01:00:02', '30000/1001', null),
            read('00:00:10:00', '25', '01:00:00:00'), read('00:00:01:00', '25', '23:59:59:00'),
            read('+00:00:01:05', '25', '01:00:00:00'), read('1:02.5', '25', '01:00:00:00'),
            read('01:00:00:05', null, null), read('soon', '25', null),
          ];
        }"""
    )
    assert told == [
        "00:01:00;02", 60_060_000, 10_000_000, 2_000_000, 6_200_000, 62_500_000, None, None,
    ]  # fmt: skip


# ---- playing


def test_what_pauses_the_video_pauses_the_page(page):
    """Media keys and headsets do not ask the page."""
    film(page)
    page.get_by_role("button", name="Play (Space)").click()
    page.wait_for_function("() => document.querySelector('video').currentTime > 0.2")
    page.evaluate("document.querySelector('video').pause()")
    expect(page.get_by_role("button", name="Play (Space)")).to_be_visible()
    stood = timecode(page)
    page.evaluate("document.querySelector('video').play()")
    expect(page.get_by_role("button", name="Pause (Space)")).to_be_visible()
    expect(page.get_by_role("textbox", name="Timecode")).not_to_have_value(stood)
    page.keyboard.press("j")
    expect(page.get_by_role("button", name="Pause (Space)")).to_be_visible()
    page.keyboard.press("k")
    expect(page.get_by_role("button", name="Play (Space)")).to_be_visible()


def test_the_chosen_speed_stays(page):
    film(page)
    speed = page.get_by_role("combobox", name="Speed")
    fast = "() => { const v = document.querySelector('video');"
    fast += " return !v.paused && v.playbackRate === 1.5; }"
    speed.select_option("0.5")
    page.keyboard.press("k")
    speed.select_option("1.5")
    page.locator("body").press("Space")
    page.wait_for_function(fast)
    page.keyboard.press("l")
    page.keyboard.press("l")
    page.keyboard.press("k")
    expect(speed).to_have_value("1.5")
    page.keyboard.press(" ")
    page.wait_for_function(fast)


def test_who_sets_the_speed_by_keyboard_stays_there(page):
    film(page)
    speed = page.get_by_role("combobox", name="Speed")
    speed.focus()
    page.keyboard.press("ArrowDown")
    expect(speed).to_have_value("1.5")
    expect(speed).to_be_focused()


def test_the_timecode_is_copied_over_plain_http(page):
    """There, pages have no clipboard."""
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    film(page, "?t=2000000")
    page.get_by_role("slider", name="Timeline").focus()
    page.keyboard.press("c")
    expect(page.get_by_text("01:00:02:00 copied")).to_be_visible()
    expect(page.get_by_role("slider", name="Timeline")).to_be_focused()
    copied = page.evaluate(
        """() => Object.getOwnPropertyDescriptor(Navigator.prototype, 'clipboard')
          .get.call(navigator).readText()"""
    )
    assert copied == "01:00:02:00"


# ---- what is in the way


@pytest.mark.parametrize("why", ["The session is over", "The server does not answer"])
def test_a_server_that_was_away_is_asked_again(page, why):
    def away(route):
        if "answer" in why:
            route.abort()
        else:
            route.fulfill(status=503, json={"error": why.lower()})

    page.route(MEDIA, away)
    page.goto(f"/titles/{T}?t=9000000")
    expect(page.get_by_text(why)).to_be_visible()
    expect(page.get_by_role("button", name="Make a proxy")).to_have_count(0)
    page.unroute(MEDIA)
    page.get_by_role("button", name="Try again").click()
    page.wait_for_function(PLAYS)
    assert shown(page) == pytest.approx(9_000_000, abs=US / 24)
    expect(page.get_by_text(why)).not_to_be_visible()
    failing(page)


def test_a_file_that_no_browser_plays_gets_a_proxy(page):
    page.route(MEDIA, lambda route: route.fulfill(body=b"no film" * 99, content_type="video/mp4"))
    page.goto(f"/titles/{T}")
    expect(page.get_by_text("This browser cannot play this file.")).to_be_visible()
    expect(page.get_by_role("button", name="Make a proxy")).to_be_visible()
    failing(page)


def test_a_proxy_asked_for_while_it_is_looked_for_is_ready_once(page):
    page.goto("/")
    found = page.evaluate(
        """async () => {
          const { proxyNotice } = await import('/assets/js/parts/proxy.js');
          const wait = (ms) => new Promise((done) => setTimeout(done, ms));
          const job = { done: 0.5, rate: 1, left: 9 };
          const say = (state) => new Response(JSON.stringify({ state, ...job }));
          let [looked, ready] = [0, 0];
          window.fetch = async (address, options) => {
            if (options?.method === 'POST') return say('working');
            if (looked++) return say('ready');
            await wait(200);
            return say('working');
          };
          const onready = () => (ready += 1);
          const notice = proxyNotice({ title: { title_id: 't' }, onready });
          notice.need('needs one');
          notice.ask();
          await wait(1800);
          notice.destroy();
          return [looked, ready];
        }"""
    )
    assert found == [2, 1]
