"""A page in a real browser, watched: nothing in the console, nothing asked of anybody else."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Route, expect

SIZES = {"1280": (1280, 800), "1920": (1920, 1080), "phone": (390, 844)}


@contextlib.contextmanager
def watched(
    browser: Browser, url: str, size: str = "1280", theme: str = "dark", **options
) -> Iterator[Page]:
    """Opens a page at a server; what must never happen fails the test when it closes."""
    width, height = SIZES[size]
    context = browser.new_context(
        base_url=url,
        viewport={"width": width, "height": height},
        color_scheme=theme,
        has_touch=size == "phone",
        is_mobile=size == "phone",
        permissions=["clipboard-read", "clipboard-write"],
        **options,
    )
    context.set_default_timeout(15_000)
    wrong: list[str] = []
    page = context.new_page()
    ours = urlsplit(url).netloc

    def asked(request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != ours:
            wrong.append(f"asked somebody else: {request.url}")

    page.on("request", asked)
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("dialog", lambda dialog: wrong.append(f"a dialog: {dialog.message}"))
    page.on(
        "console",
        lambda message: (
            message.type in ("error", "warning") and wrong.append(f"console: {message.text}")
        ),
    )
    page.wrong = wrong
    try:
        yield page
    finally:
        context.close()
    assert not wrong, "\n".join(wrong)


def until(page: Page, true: Callable[[], bool]) -> None:
    """Waits for what a page comes to."""
    for _ in range(750):  # 15 s
        if true():
            return
        page.wait_for_timeout(20)
    raise AssertionError("it did not come to that")


def held(page: Page, pattern: str | Callable[[str], bool]) -> Callable[[], Route]:
    """Holds the first answer to an address back; gives what waits for it to be asked for."""
    waiting: list[Route] = []
    lock = threading.Lock()

    def hold(route: Route) -> None:
        with lock:
            first = not waiting
            waiting.append(route)
        if not first:
            route.continue_()

    page.route(pattern, hold)

    def asked() -> Route:
        until(page, lambda: bool(waiting))
        return waiting[0]

    return asked


def forgiven(page: Page, text: str) -> None:
    """Lets go what the browser itself says in the console of what a test made fail."""
    page.wrong[:] = [one for one in page.wrong if text not in one]


def keep_picture(page: Page, name: str) -> None:
    """Keeps a screenshot for people, where CI says that it wants some."""
    folder = os.environ.get("MEDIAFM_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def settled(page: Page) -> None:
    """Waits until nothing is loaded any more."""
    page.wait_for_load_state("networkidle")
    expect(page.locator(".loading:visible")).to_have_count(0)


def timecode(page: Page) -> str:
    """What the player's field of the title page says."""
    return page.get_by_role("textbox", name="Timecode").input_value()
