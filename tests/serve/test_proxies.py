"""Proxies show every frame when the source does, and are made once, whole or not at all."""

import itertools
import os
import threading
import time
from fractions import Fraction

import av
import numpy as np
import pytest
from fastapi.testclient import TestClient
from film_kit import (
    FRAMES,
    Film,
    Sound,
    Video,
    beeps,
    expected,
    heard,
    numbered,
    old,
    proxy_of,
    shelf,
    shown,
    turned,
    write,
)
from serve_kit import ORIGIN

from mediafm.catalog.locks import locked
from mediafm.errors import MediaError
from mediafm.serve import create_app, proxies
from mediafm.serve.problems import NotFoundError, NotNowError
from mediafm.serve.proxies import Proxies
from mediafm.serve.streaming import OpenFile
from mediafm.timeline import US

FRAME = 40_000
TICKS = [3600 * i for i in range(60)]


def sounds(start=0.0, **more):
    return Sound(beeps([0.5, 1.5], 2.4), start=start, **more)


def uneven():
    steps = np.random.default_rng(3).integers(900, 9000, 59)
    return [0, *np.cumsum(steps).tolist()]


def later(ticks):
    return [tick + ticks for tick in TICKS]


TIMES = {
    "mpeg2.ts": [old("mpeg2video", 60), sounds(codec="mp2")],
    "late-sound.ts": [old("mpeg2video", 60), sounds(1.0, codec="mp2")],
    "late-picture.ts": [
        Film(numbered(60), times=list(range(25, 85)), base=FRAMES, codec="mpeg2video"),
        sounds(codec="mp2"),
    ],
    "b-frames.ts": [Video(numbered(60), options={"bf": "3"}), sounds()],
    "uneven.mkv": [Video(numbered(60), times=uneven(), options={"bf": "2"}), sounds()],
    "late.mp4": [Video(numbered(60), times=later(900_000)), sounds(10.0)],
    "late-sound.mkv": [Video(numbered(60), codec="libx265"), sounds(0.7)],
    "hole-in-sound.mkv": [Video(numbered(60)), sounds(holes=[(1.0, 0.6)], codec="pcm_s16le")],
    "late-picture.mkv": [Video(numbered(60), times=later(45_000)), sounds(codec="ac3")],
    "mpeg4.avi": [old("mpeg4", 60), sounds(codec="libmp3lame")],
}


@pytest.mark.parametrize("name", TIMES)
def test_frames_and_sound_keep_their_times(tmp_path, name):
    source = write(tmp_path / name, *TIMES[name])
    proxy = tmp_path / "proxy.mp4"
    assert proxy_of(source, proxy)
    want, got = expected(source), [one for one in shown(proxy) if one[1] >= 0]
    assert [number for _, number in got] == [number for _, number in want]
    for (there, _), (here, _) in zip(want, got, strict=True):
        assert abs(there - here) < FRAME
    # The first frame is shown from zero if it comes within a frame; all others are exact.
    assert [time for time, _ in got[1:]] == [time for time, _ in want[1:]]
    with av.open(str(source)) as container:
        start = (container.start_time or 0) / US
    for there, here in zip(heard(source), heard(proxy), strict=True):
        assert there - start == pytest.approx(here, abs=0.03)


def test_black_is_shown_until_a_late_picture_begins(tmp_path):
    source = write(tmp_path / "a.mkv", *TIMES["late-picture.mkv"])
    proxy_of(source, tmp_path / "p.mp4")
    assert [number for _, number in shown(tmp_path / "p.mp4")][:2] == [-1, 0]


def test_the_index_is_in_front_and_a_keyframe_each_second(tmp_path):
    source = write(tmp_path / "a.mkv", Video(numbered(90), times=[5400 * i for i in range(90)]))
    proxy = tmp_path / "p.mp4"
    proxy_of(source, proxy)
    content = proxy.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")
    with av.open(str(proxy)) as container:
        assert container.start_time == 0
        assert container.duration == pytest.approx(90 * 0.06 * US, abs=FRAME)
        packets = [p for p in container.demux(video=0) if p.size]
        keys = [float(p.pts * p.time_base) for p in packets if p.is_keyframe]
        assert all(p.pts == p.dts for p in packets)
    assert keys[0] == 0
    assert all(second in {int(key) for key in keys} for second in range(6))
    assert max(b - a for a, b in itertools.pairwise(keys)) < 1.1


def size_of(path):
    with av.open(str(path)) as container:
        [frame] = itertools.islice(container.decode(video=0), 1)
        assert frame.format.name == "yuv420p"
        assert container.streams.video[0].sample_aspect_ratio in (None, 0, 1)
        return frame.width, frame.height, frame


@pytest.mark.parametrize(
    "video,size",
    [
        (old("ffv1", 3, (97, 65), pixels="yuv444p"), (96, 64)),
        (Film(numbered(3, 99, 67), pixels="rgb24", codec="rawvideo"), (98, 66)),
        (old("prores_ks", 3, pixels="yuv422p10le"), (96, 64)),
        (Film(numbered(3), pixels="yuv420p10le"), (96, 64)),
        (Film(numbered(2, 1920, 1080)), (1280, 720)),
        (Film(numbered(2, 720, 1600)), (324, 720)),
        (Film(numbered(2, 720, 576), aspect=Fraction(64, 45)), (1024, 576)),
    ],
    ids=["odd", "rgb", "prores", "ten-bit", "large", "tall", "wide-pixels"],
)
def test_the_picture_is_even_square_and_not_too_large(tmp_path, video, size):
    source = write(tmp_path / "a.mkv", video)
    proxy_of(source, tmp_path / "p.mp4")
    assert size_of(tmp_path / "p.mp4")[:2] == size
    assert [number for _, number in shown(tmp_path / "p.mp4")] == list(range(len(video.frames)))


@pytest.mark.parametrize("clockwise", [90, 180, 270])
def test_the_picture_is_upright(tmp_path, clockwise):
    picture = np.full((64, 96, 3), 128, np.uint8)
    picture[:32, :48] = 250  # top left is white
    picture[32:, 48:] = 5  # bottom right is black
    stored = np.ascontiguousarray(np.rot90(picture, clockwise // 90))
    source = turned(write(tmp_path / "a.mp4", Video([stored] * 3)), clockwise)
    proxy_of(source, tmp_path / "p.mp4")
    width, height, frame = size_of(tmp_path / "p.mp4")
    assert (width, height) == (96, 64)
    assert not frame.rotation
    gray = frame.to_ndarray(format="gray")
    assert gray[8, 8] > 200
    assert gray[-8, -8] < 50
    assert 90 < gray[8, -8] < 170


def test_a_picture_that_changes_its_size(tmp_path):
    parts = [
        write(tmp_path / f"{n}.ts", Film(numbered(40, *size)[n * 20 : n * 20 + 20], times=times))
        for n, (size, times) in enumerate(
            [((96, 64), TICKS[:20]), ((160, 160), TICKS[20:40])]
        )
    ]  # fmt: skip
    source = tmp_path / "joined.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    proxy_of(source, tmp_path / "p.mp4")
    width, height, _ = size_of(tmp_path / "p.mp4")
    with av.open(str(tmp_path / "p.mp4")) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert (width, height) == (96, 64)
    assert {frame.shape for frame in frames} == {(64, 96)}
    assert len(frames) >= 38
    assert frames[-1][:, :8].max() < 40  # bars at the sides: a square in a wide picture


def test_sound_alone(tmp_path):
    source = write(tmp_path / "a.mka", sounds(codec="ac3"))
    assert not proxy_of(source, tmp_path / "p.m4a")
    assert heard(tmp_path / "p.m4a") == pytest.approx(heard(source), abs=0.03)


def test_a_damaged_file_gives_what_decodes(tmp_path):
    whole = write(tmp_path / "a.ts", old("mpeg2video", 60), sounds(codec="mp2")).read_bytes()
    damaged = bytearray(whole)
    rng = np.random.default_rng(5)
    for at in rng.integers(len(whole) // 4, len(whole) // 2, 40):
        damaged[at] = int(rng.integers(0, 256))
    (tmp_path / "b.ts").write_bytes(damaged[: -len(whole) // 6])
    proxy_of(tmp_path / "b.ts", tmp_path / "p.mp4")
    assert len(shown(tmp_path / "p.mp4")) > 20


def test_a_file_without_a_frame_fails_in_one_line(tmp_path):
    whole = write(tmp_path / "a.mkv", Video(numbered(20)), sounds()).read_bytes()
    at = whole.index(b"\x1f\x43\xb6\x75")  # the first cluster
    (tmp_path / "b.mkv").write_bytes(whole[:at] + bytes(len(whole) - at))
    with pytest.raises(MediaError, match="decoded"):
        proxy_of(tmp_path / "b.mkv", tmp_path / "p.mp4")


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


def test_a_full_disk(make_disk, source):
    disk = make_disk("96k")
    filler = disk / "filler"
    filler.write_bytes(bytes(60 << 10))
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


@pytest.mark.shared
def test_a_real_film(shared, tmp_path):
    source = shared / "media" / "nasa-embedded-subtitles.mp4"
    proxy_of(source, tmp_path / "p.mp4")
    with av.open(str(source)) as container:
        want = [frame.time for frame in container.decode(video=0)]
    with av.open(str(tmp_path / "p.mp4")) as container:
        got = [frame.time for frame in container.decode(video=0)]
    assert got == pytest.approx(want, abs=1e-5)
