"""What takes long to work out is worked out a few at a time; the rest does not wait for it."""

import threading
import time

import anyio
import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from serve_kit import serving

from mediafm.serve import create_app, turns
from mediafm.serve.routes import search

SEARCH = "/api/search?q={}&by=words"


class Gate:
    """A search that ends when it may; says which were begun."""

    def __init__(self, find):
        self.find, self.begun, self.open = find, [], threading.Event()

    def __call__(self, catalog, query, *args, **options):
        self.begun.append(query)
        assert self.open.wait(30)
        return self.find(catalog, query, *args, **options)


@pytest.fixture
def gate(monkeypatch):
    made = Gate(search.find)
    monkeypatch.setattr(search, "find", made)
    yield made
    made.open.set()


@pytest.fixture
def one_turn(monkeypatch):
    monkeypatch.setattr(turns, "AT_A_TIME", 1)


def until(true):
    ends = time.monotonic() + 20
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.02)


def in_line(served):
    return served.app.state.turns.statistics().tasks_waiting


def asking(url, query, answers):
    """Asks in a thread."""

    def ask():
        answers.append((query, httpx.get(url + SEARCH.format(query), timeout=30).status_code))

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def test_who_asks_for_much_waits_in_line_and_nobody_else_does(settings, gate, one_turn):
    answers = []
    with serving(settings) as served:
        threads = []
        for number, query in enumerate(("kettle", "rope", "light")):
            threads.append(asking(served.url, query, answers))
            # They come one after another.
            until(lambda n=number: len(gate.begun) == 1 and in_line(served) == n)
        assert httpx.get(f"{served.url}/api/titles").status_code == 200
        assert gate.begun == ["kettle"]
        gate.open.set()
        for thread in threads:
            thread.join(30)
    assert gate.begun == ["kettle", "rope", "light"]
    assert sorted(answers) == [("kettle", 200), ("light", 200), ("rope", 200)]


def test_nothing_is_worked_out_for_those_who_went_away(settings, gate, one_turn):
    answers = []
    with serving(settings) as served:
        first = asking(served.url, "kettle", answers)
        until(lambda: gate.begun)
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(served.url + SEARCH.format("rope"), timeout=httpx.Timeout(30, read=1))
        last = asking(served.url, "light", answers)
        until(lambda: in_line(served) == 2)
        time.sleep(0.3)  # the server has read that the first of them left
        gate.open.set()
        first.join(30)
        last.join(30)
    assert gate.begun == ["kettle", "light"]
    assert answers == [("kettle", 200), ("light", 200)]


def test_a_turn_ends_with_an_error(one_turn, client):
    for _ in range(3):
        assert client.get("/api/search", params={"q": "?"}).status_code == 400
        assert client.get("/api/titles/nowhere/scenes").status_code == 404
    assert client.get(SEARCH.format("kettle")).status_code == 200


def test_who_reads_slowly_keeps_no_turn(settings, one_turn):
    app = create_app(settings)
    path, _, query = SEARCH.format("kettle").partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "root_path": "", "headers": [(b"host", b"localhost:8000")],
        "client": ("127.0.0.1", 1), "server": ("localhost", 8000),
    }  # fmt: skip

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def run():
        starts, read = anyio.Event(), anyio.Event()
        statuses = []

        async def slowly(message):
            starts.set()
            await read.wait()

        async def at_once(message):
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        async with anyio.create_task_group() as group:
            group.start_soon(app, dict(scope), receive, slowly)
            await starts.wait()
            with anyio.fail_after(20):
                await app(dict(scope), receive, at_once)
            read.set()
        assert statuses == [200]

    with start_blocking_portal() as portal:  # in this thread, a browser may have its loop
        portal.call(run)
