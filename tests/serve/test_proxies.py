"""Proxies are made once, whole or not at all, and kept while there is room."""

import contextlib
import errno
import os
import threading
import time

import pytest
from fastapi.testclient import TestClient
from film_kit import (
    Sound,
    Video,
    beeps,
    numbered,
    shelf,
    shown,
    write,
)
from serve_kit import ORIGIN

from mediafm.catalog import Catalog
from mediafm.catalog.locks import locked
from mediafm.serve import create_app, proxies
from mediafm.serve.problems import NotFoundError, NotNowError
from mediafm.serve.proxies import Proxies
from mediafm.serve.streaming import OpenFile
from mediafm.timeline import US


def sounds(start=0.0, **more):
    return Sound(beeps([0.5, 1.5], 2.4), start=start, **more)


# Making and keeping them


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / "source.mkv", Video(numbered(50)), sounds())


@pytest.fixture
def keep(tmp_path):
    """Makes holders of one cache, and ends their work."""
    made = []

    def make(**more):
        made.append(Proxies(tmp_path / "cache", **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def opens(path):
    return lambda: OpenFile(os.open(path, os.O_RDONLY), path.name)


def wait(held, key, *states, seconds=20):
    until = time.monotonic() + seconds
    while (job := held.status(key)).state not in states:
        assert time.monotonic() < until, job
        time.sleep(0.01)
    return job


def make(held, key, path):
    held.ask(key, opens(path), 2 * US)
    return wait(held, key, "ready", "failed")


def test_a_proxy_is_made_once(keep, source, monkeypatch):
    calls = []
    plain = proxies.transcode
    monkeypatch.setattr(proxies, "transcode", lambda *a: calls.append(a) or plain(*a))
    held, key = keep(), "aa-1"
    assert held.status(key).state == "none"
    with pytest.raises(NotFoundError):
        held.open(key, "film")
    assert held.ask(key, opens(source), 2 * US).state in ("waiting", "working")
    held.ask(key, opens(source), 2 * US)
    assert wait(held, key, "ready").done == 1
    assert held.ask(key, opens(source), 2 * US).state == "ready"
    assert keep().status(key).state == "ready"  # another server of the same cache
    assert len(calls) == 1
    file, kind = held.open(key, "film")
    with file:
        assert (file.name, kind) == ("film.mp4", "video/mp4")
    held.close()  # a proxy is there before who made it lets the folder go
    assert sorted(path.name for path in held.folder.iterdir()) == ["aa-1.mp4"]


def test_two_servers_make_it_once(keep, source, monkeypatch):
    calls, gate, plain = [], threading.Event(), proxies.transcode

    def slow(*arguments):
        calls.append(arguments)
        gate.wait(10)
        return plain(*arguments)

    monkeypatch.setattr(proxies, "transcode", slow)
    one, two = keep(), keep()
    one.ask("aa-1", opens(source), US)
    wait(one, "aa-1", "working")
    two.ask("aa-1", opens(source), US)
    assert two.status("aa-1").state == "waiting"
    gate.set()
    wait(one, "aa-1", "ready")
    wait(two, "aa-1", "ready")
    two.ask("bb-2", opens(source), US)
    wait(two, "bb-2", "ready")
    assert len(calls) == 2


def test_progress_is_told(keep, source, monkeypatch):
    reached, go = threading.Event(), threading.Event()

    def slow(descriptor, target, report):
        time.sleep(0.05)
        report(US // 2)
        reached.set()
        go.wait(10)
        return plain(descriptor, target, report)

    plain = proxies.transcode
    monkeypatch.setattr(proxies, "transcode", slow)
    held = keep()
    held.ask("aa-1", opens(source), 2 * US)
    held.ask("bb-2", opens(source), 2 * US)
    reached.wait(10)
    job = held.status("aa-1")
    assert (job.state, job.done) == ("working", 0.25)
    assert job.rate > 0
    assert job.left > 0
    assert held.status("bb-2").state == "waiting"
    go.set()
    wait(held, "bb-2", "ready")


def test_what_fails_says_why_and_may_be_asked_for_again(keep, source, tmp_path):
    held = keep()
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(bytes(5000))
    job = make(held, "aa-1", broken)
    assert (job.state, job.error) == ("failed", "no media file, or cut off before its index")
    assert make(held, "bb-2", tmp_path / "gone.mkv").error.startswith("the proxy cannot be made")
    assert make(held, "aa-1", source).state == "ready"


@pytest.mark.parametrize("how", ["cut", "written anew"])
def test_a_source_that_changes_meanwhile_gives_no_proxy(keep, source, monkeypatch, how):
    """It would go under the name of the whole film, for as long as the cache is kept."""
    plain, whole = proxies.transcode, source.read_bytes()

    def changing(descriptor, target, report):
        if how == "cut":
            os.truncate(source, len(whole) // 2)
        else:
            source.write_bytes(whole[::-1])
        return plain(descriptor, target, report)

    held, key = keep(), "aa-1"
    monkeypatch.setattr(proxies, "transcode", changing)
    job = make(held, key, source)
    assert job.state == "failed"
    assert "was written meanwhile" in job.error or "cut off" in job.error or "no media" in job.error
    assert not [path for path in held.folder.iterdir() if path.suffix == ".mp4"]
    monkeypatch.setattr(proxies, "transcode", plain)
    source.write_bytes(whole)
    assert make(held, key, source).state == "ready"


def test_a_disk_that_fails_is_no_end_of_the_film(keep, source, monkeypatch):
    plain, half = os.pread, source.stat().st_size // 2
    target = source.stat().st_ino

    def failing(descriptor, most, at):
        if at >= half and os.fstat(descriptor).st_ino == target:
            raise OSError(errno.EIO, "input/output error")
        return plain(descriptor, most, at)

    held, key = keep(), "aa-1"
    monkeypatch.setattr(os, "pread", failing)
    job = make(held, key, source)
    assert job.state == "failed"
    assert "the disk reports" in job.error
    monkeypatch.undo()
    assert make(held, key, source).state == "ready"


def test_a_full_disk(make_disk, source):
    disk = make_disk("64k")
    filler = disk / "filler"
    filler.write_bytes(bytes(52 << 10))
    held = Proxies(disk)
    try:
        job = make(held, "aa-1", source)
        assert job.state == "failed"
        assert "no space left on the disk" in job.error
        assert list(held.folder.iterdir()) == []
        filler.unlink()
        assert make(held, "aa-1", source).state == "ready"
    finally:
        held.close()


def test_a_folder_that_cannot_be_written(tmp_path, source):
    (tmp_path / "cache").write_text("a file")
    held = Proxies(tmp_path / "cache")
    assert make(held, "aa-1", source).state == "failed"
    held.close()


def test_what_a_killed_server_left_is_removed(keep, source):
    held = keep()
    make(held, "aa-1", source)
    left = held.folder / ".bb-2.mp4-0123456789ab"
    left.write_bytes(b"part")
    with locked(held.folder / ".lock", wait=True):
        keep()
        assert left.exists()  # another server is at work
    keep()
    assert not left.exists()
    assert (held.folder / "aa-1.mp4").exists()


def test_the_longest_unplayed_make_room(keep, source):
    held = keep()
    make(held, "aa-1", source)
    size = (held.folder / "aa-1.mp4").stat().st_size
    held.most = int(3.5 * size)
    for key in ("bb-2", "cc-3"):
        make(held, key, source)
    for age, key in enumerate(["cc-3", "bb-2", "aa-1"]):
        then = time.time_ns() - (age + 1) * 10**12
        os.utime(held.folder / f"{key}.mp4", ns=(then, then))
    file, _ = held.open("aa-1", "film")  # the oldest, but it is being played
    os.utime(held.folder / "aa-1.mp4", ns=(0, 0))
    make(held, "dd-4", source)
    assert {path.stem for path in held.folder.glob("*.mp4")} == {"aa-1", "cc-3", "dd-4"}
    assert held.status("bb-2").state == "none"
    file.close()
    make(held, "ee-5", source)
    assert {path.stem for path in held.folder.glob("*.mp4")} == {"cc-3", "dd-4", "ee-5"}


def test_what_was_just_played_stays(keep, source):
    held = keep(most=1)
    make(held, "aa-1", source)
    held.open("aa-1", "film")[0].close()  # a player asks for one range after the other
    make(held, "bb-2", source)
    make(held, "cc-3", source)
    assert {path.stem for path in held.folder.glob("*.mp4")} == {"aa-1", "cc-3"}


def test_what_was_played_at_once_stays(keep, source, monkeypatch):
    """The page asks as soon as the proxy is there, and its maker may not be through then."""
    plain, held = proxies.whole_file, keep(most=1)

    @contextlib.contextmanager
    def played_at_once(path):
        with plain(path) as part:
            yield part
        held.open(path.stem, "film")[0].close()

    monkeypatch.setattr(proxies, "whole_file", played_at_once)
    make(held, "aa-1", source)
    monkeypatch.setattr(proxies, "whole_file", plain)
    make(held, "bb-2", source)
    assert held.status("aa-1").state == "ready"


def test_the_end_of_the_server_ends_the_work(keep, source, monkeypatch):
    begun = threading.Event()

    def endless(descriptor, target, report):
        while True:
            begun.set()
            report(0)
            time.sleep(0.001)

    monkeypatch.setattr(proxies, "transcode", endless)
    held = keep()
    held.ask("aa-1", opens(source), US)
    begun.wait(10)
    held.close()
    assert not held._thread.is_alive()
    assert list(held.folder.iterdir()) == []
    with pytest.raises(NotNowError):
        held.ask("bb-2", opens(source), US)


def test_not_too_many_wait(keep, source, monkeypatch):
    monkeypatch.setattr(proxies, "MOST_WAITING", 2)
    monkeypatch.setattr(
        proxies, "transcode", lambda d, t, report: [report(0) for _ in iter(int, 1)]
    )
    held = keep()
    held.ask("first", opens(source), US)
    wait(held, "first", "working")
    for key in ("second", "third"):
        held.ask(key, opens(source), US)
    with pytest.raises(NotNowError, match="2 proxies wait"):
        held.ask("fourth", opens(source), US)


# Over HTTP


def test_a_title_that_needs_one_gets_one(tmp_path, source):
    settings = shelf(tmp_path, {"a/b": source, "none": "", "gone": tmp_path / "gone.mkv"})
    with TestClient(create_app(settings), base_url=ORIGIN) as client:
        url = "/api/titles/a%2Fb"
        assert client.get(url).json()["media"] == {
            "state": "proxy",
            "why": "Matroska files are not played by every browser",
            "type": "video/mp4",
        }
        assert client.get(f"{url}/proxy/status").json() == {
            "state": "none", "done": 0, "rate": 0, "left": None, "error": None,
        }  # fmt: skip
        missing = client.get(f"{url}/proxy")
        assert missing.status_code == 404
        assert "POST" in missing.json()["error"]
        assert client.post(f"{url}/proxy").json()["state"] in ("waiting", "working", "ready")
        until = time.monotonic() + 20
        while client.get(f"{url}/proxy/status").json()["state"] != "ready":
            assert time.monotonic() < until
            time.sleep(0.02)
        whole = client.get(f"{url}/proxy")
        assert whole.headers["content-type"] == "video/mp4"
        assert whole.headers["content-disposition"] == 'inline; filename="source.mp4"'
        head = client.head(f"{url}/proxy")
        assert head.headers["content-length"] == str(len(whole.content))
        part = client.get(f"{url}/proxy", headers={"range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, whole.content[100:200])
        known = {"if-none-match": whole.headers["etag"]}
        assert client.get(f"{url}/proxy", headers=known).status_code == 304
        (tmp_path / "saved.mp4").write_bytes(whole.content)
        assert len(shown(tmp_path / "saved.mp4")) == 50
        assert client.post("/api/titles/none/proxy").status_code == 404
        assert client.get("/api/titles/none/proxy/status").status_code == 404
        assert client.post("/api/titles/gone/proxy").status_code == 404
        assert client.get("/api/titles/gone/proxy/status").json()["state"] == "none"
        source.write_bytes(source.read_bytes() + b"more")
        assert client.post(f"{url}/proxy").status_code == 409
    assert [path.suffix for path in (settings.cache / "proxies").iterdir()] == [".mp4"]


def test_a_title_that_was_removed_gets_no_proxy_any_more(tmp_path, source, monkeypatch):
    """It waited for its turn; whoever removes titles deletes the proxies that are there."""
    settings = shelf(tmp_path, {"film": source})
    turn = threading.Event()
    make = Proxies._make
    monkeypatch.setattr(Proxies, "_make", lambda self, one: turn.wait(20) and make(self, one))
    app = create_app(settings)
    with TestClient(app, base_url=ORIGIN) as client:
        client.post("/api/titles/film/proxy")
        Catalog.open(settings.catalog).remove("film")
        [key] = app.state.proxies._asked
        time.sleep(2.5)  # the server looks for changes every other second
        turn.set()
        job = wait(app.state.proxies, key, "ready", "failed")
    assert job.state == "failed"
    assert "film" in job.error
    assert not list((settings.cache / "proxies").glob("*.mp4"))
