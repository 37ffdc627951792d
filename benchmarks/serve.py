"""How the server bears many people, and how soon a player seeks in a long film.

    python benchmarks/synthetic.py CATALOG --titles 100 --shots 1000 --longest 2000
    python benchmarks/serve.py CATALOG --log benchmarks/results/serve.txt

The server runs as users run it, ``mediafm serve``, in a process of its own; who asks, in another.

Clients: 50 at a time for a minute, each asking for one thing after the other as somebody who looks
through the catalog: pages of titles, timelines, pictures, scenes, searches by words, shots that are
alike in context, pieces of a film. Beside it in the same run, by turns of ten seconds: the same 50
clients, who ask uvicorn for two words by an application of three lines, all of them all the time.
Answers that are quick can come sooner than those two words, as most clients wait for slow ones.

Seek: a real Chromium plays the longest film of the catalog and jumps to 20 places, from setting
``currentTime`` to ``seeked``. The limit in the same run, by turns: the same file by Starlette's own
``FileResponse``.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import importlib.metadata
import itertools
import os
import platform
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CLIENTS, SECONDS, TURN = 50, 60.0, 10.0
SEEKS = 20
WORDS = ("kettle", "last train", "hold the rope", "storm", "money", "light", "nobody lives here")

BARE = """
import sys, uvicorn
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"two words"})
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False, lifespan="off")
"""
PLAIN = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import FileResponse, HTMLResponse
from starlette.routing import Route
page = "<!doctype html><title>plain</title>"
app = Starlette(routes=[
    Route("/", lambda request: HTMLResponse(page)),
    Route("/film", lambda request: FileResponse(sys.argv[2])),
])
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
"""


# ---- servers


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running(*command: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Runs a server whose command takes its port in place of PORT, and ends it."""
    port = free_port()
    process = subprocess.Popen([part.replace("PORT", str(port)) for part in command])
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(url, timeout=1).close()
                break
            except OSError:
                if process.poll() is not None:
                    sys.exit(f"the server ended: {command}")
                time.sleep(0.1)
        yield url, process
    finally:
        process.terminate()
        process.wait(20)


def serving(catalog: Path, cache: Path) -> tuple[str, ...]:
    mediafm = str(Path(sys.executable).with_name("mediafm"))
    return (mediafm, "serve", "-c", str(catalog), "--port", "PORT", "--cache", str(cache))


# ---- clients


def wishes(
    titles: list[dict[str, Any]], film: str, seed: int
) -> Iterator[tuple[str, str, dict[str, str]]]:
    """What one client asks for, forever: a name for the table, an address, headers."""
    rng = random.Random(seed)
    while True:
        title = rng.choice(titles)
        name = urllib.parse.quote(title["title_id"], safe="")
        shot = rng.randrange(title["shots"])
        yield "titles", f"/api/titles?offset={rng.randrange(0, 60, 20)}&limit=20", {}
        yield "title", f"/api/titles/{name}", {}
        yield "timeline", f"/api/titles/{name}/timeline", {}
        for _ in range(4):
            shot = rng.randrange(title["shots"])
            yield "keyframe", f"/api/titles/{name}/keyframes/{shot}.jpg", {}
        yield "filmstrip page", f"/api/titles/{name}/strip/{shot // 100}.jpg", {}
        yield "scenes", f"/api/titles/{name}/scenes", {}
        yield "search", f"/api/search?q={urllib.parse.quote(rng.choice(WORDS))}", {}
        at = rng.randrange(title["duration"])
        yield "alike in context", f"/api/similar?title_id={name}&time={at}", {}
        for _ in range(3):
            start = rng.randrange(0, 50_000_000)
            piece = {"range": f"bytes={start}-{start + 262_143}"}
            yield "piece of a film", f"/api/titles/{film}/media", piece


async def ask(
    url: str,
    seconds: float,
    plans: list[Iterator[tuple[str, str, dict[str, str]]]],
    times: dict[str, list[float]],
    errors: list[str],
) -> None:
    import httpx

    ends = time.monotonic() + seconds

    async def one(
        client: httpx.AsyncClient, plan: Iterator[tuple[str, str, dict[str, str]]]
    ) -> None:
        while time.monotonic() < ends:
            name, path, headers = next(plan)
            began = time.perf_counter()
            try:
                answer = await client.get(path, headers=headers)
                if answer.status_code >= 400:
                    errors.append(f"{answer.status_code} {path}")
            except httpx.HTTPError as error:
                errors.append(f"{type(error).__name__} {path}")
            times.setdefault(name, []).append(time.perf_counter() - began)

    limits = httpx.Limits(max_connections=len(plans), max_keepalive_connections=len(plans))
    async with httpx.AsyncClient(
        base_url=url, timeout=60, limits=limits, trust_env=False
    ) as client:
        await asyncio.gather(*(one(client, plan) for plan in plans))


def percentiles(times: list[float]) -> tuple[float, float]:
    ordered = sorted(times)
    return statistics.median(ordered) * 1e3, ordered[int(0.95 * (len(ordered) - 1))] * 1e3


def clients(catalog: Path, cache: Path) -> list[str]:
    """The minute of fifty clients, and the limit beside it."""
    import httpx
    import psutil

    lines = []
    with (
        running(*serving(catalog, cache)) as (url, server),
        running(sys.executable, "-c", BARE, "PORT") as (bare, _),
    ):
        titles = httpx.get(f"{url}/api/titles?limit=500", trust_env=False).json()["items"]
        film = urllib.parse.quote(longest(titles)["title_id"], safe="")
        plans = [wishes(titles, film, seed) for seed in range(CLIENTS)]
        words = [itertools.repeat(("two words", "/", {})) for _ in range(CLIENTS)]
        times: dict[str, list[float]] = {}
        limit: dict[str, list[float]] = {}
        errors: list[str] = []
        memory = [psutil.Process(server.pid).memory_info().rss]
        for _ in range(round(SECONDS / TURN)):
            asyncio.run(ask(url, TURN, plans, times, errors))
            memory.append(psutil.Process(server.pid).memory_info().rss)
            asyncio.run(ask(bare, TURN / 5, words, limit, errors))
        total = sum(map(len, times.values()))
        lines.append(
            f"{CLIENTS} clients, {SECONDS:.0f} s: {total} requests, {total / SECONDS:.0f} a "
            f"second, {len(errors)} errors"
        )
        lines += [f"  error: {error}" for error in errors[:5]]
        lines.append(f"{'':24}{'requests':>9}{'p50 ms':>9}{'p95 ms':>9}{'p50 / bare':>13}")
        base = percentiles(limit["two words"])
        for name, own in sorted(times.items()):
            half, most = percentiles(own)
            lines.append(f"{name:24}{len(own):9}{half:9.1f}{most:9.1f}{half / base[0]:13.1f}")
        every = [one for own in times.values() for one in own]
        half, most = percentiles(every)
        lines.append(f"{'all':24}{total:9}{half:9.1f}{most:9.1f}{half / base[0]:13.1f}")
        count = len(limit["two words"])
        lines.append(f"{'bare: two words':24}{count:9}{base[0]:9.1f}{base[1]:9.1f}{1:13.1f}")
        shown = " ".join(f"{one / 2**20:.0f}" for one in memory)
        lines.append(f"memory of the server, MB, every {TURN:.0f} s: {shown}")
    return lines


def longest(titles: list[dict[str, Any]]) -> dict[str, Any]:
    return max(titles, key=lambda title: title["duration"])


# ---- seeking

SEEK = """async ([address, places]) => {
  const video = document.createElement('video');
  video.muted = true; video.preload = 'auto'; video.src = address;
  document.body.append(video);
  await new Promise((done, fail) => {
    video.onloadedmetadata = done; video.onerror = () => fail(new Error(video.error.message));
  });
  const times = [];
  for (const place of places) {
    const began = performance.now();
    const sought = new Promise((done) => { video.onseeked = done; });
    video.currentTime = place * video.duration;
    await sought;
    times.push(performance.now() - began);
  }
  const length = video.duration;
  video.remove();
  return [times, length];
}"""


def seeking(catalog: Path, cache: Path) -> list[str]:
    """Jumps in a long film, ours and plain by turns."""
    import httpx
    from playwright.sync_api import sync_playwright

    from mediafm import Catalog

    film = max(Catalog.open(catalog).titles(), key=lambda title: (bool(title.path), title.duration))
    rng = random.Random(1)
    chromium = shutil.which("chromium")
    found: dict[str, list[float]] = {"ours": [], "plain": []}
    length = 0.0
    with (
        running(*serving(catalog, cache)) as (url, _),
        running(sys.executable, "-c", PLAIN, "PORT", film.path) as (plain, _),
        sync_playwright() as play,
    ):
        name = urllib.parse.quote(film.title_id, safe="")
        assert (
            httpx.get(f"{url}/api/titles/{name}", trust_env=False).json()["media"]["state"]
            == "direct"
        )
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(4):
            places = [rng.random() * 0.98 for _ in range(SEEKS // 4)]
            for who, origin, path in (
                ("ours", url, f"/api/titles/{name}/media"),
                ("plain", plain, "/film"),
            ):
                page = browser.new_page()
                page.goto(f"{origin}/api-docs" if who == "ours" else origin)
                times, length = page.evaluate(SEEK, [path, places])
                found[who] += times
                page.close()
        browser.close()
    size = Path(film.path).stat().st_size
    lines = [f"{SEEKS} jumps in a film of {length:.0f} s, {size / 2**20:.0f} MB, Chromium"]
    lines.append(f"{'':24}{'median ms':>10}{'worst ms':>10}")
    for who, times in found.items():
        lines.append(f"{who:24}{statistics.median(times):10.0f}{max(times):10.0f}")
    ratio = statistics.median(found["ours"]) / statistics.median(found["plain"])
    lines.append(f"ratio of medians {ratio:.2f}")
    return lines


def machine() -> str:
    versions = ", ".join(
        f"{n} {importlib.metadata.version(n)}" for n in ("uvicorn", "fastapi", "pylance")
    )
    python = platform.python_version()
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {python}, {versions}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("catalog", type=Path)
    parser.add_argument("--only", choices=("clients", "seek"))
    parser.add_argument("--log", type=Path)
    given = parser.parse_args()
    lines = [f"{datetime.date.today()}, {machine()}", f"catalog: {about(given.catalog)}", ""]
    with tempfile.TemporaryDirectory() as cache:
        if given.only != "seek":
            lines += [*clients(given.catalog, Path(cache)), ""]
        if given.only != "clients":
            lines += seeking(given.catalog, Path(cache))
    text = "\n".join(lines).rstrip() + "\n"
    print(text)
    if given.log:
        given.log.write_text(text)


def about(catalog: Path) -> str:
    from mediafm import Catalog

    titles = Catalog.open(catalog).titles()
    return f"{len(titles)} titles, {sum(title.shots for title in titles)} shots"


if __name__ == "__main__":
    main()
