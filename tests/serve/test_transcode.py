"""Proxies show every frame when the source does, upright and in square pixels."""

import itertools
from fractions import Fraction

import av
import numpy as np
import pytest
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
    shown,
    turned,
    write,
)

from mediafm.errors import MediaError
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
    "interlaced.ts": [Video(numbered(60), options={"x264-params": "tff=1"}), sounds()],
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
        (old("ffv1", 3, (99, 67), pixels="bgr0"), (98, 66)),
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
    content = bytearray(write(tmp_path / "a.mp4", Video(numbered(20))).read_bytes())
    start, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
    content[start:end] = bytes(end - start)
    (tmp_path / "b.mp4").write_bytes(content)
    with pytest.raises(MediaError, match="no frame in it can be decoded"):
        proxy_of(tmp_path / "b.mp4", tmp_path / "p.mp4")


@pytest.mark.shared
def test_a_real_film(shared, tmp_path):
    source = shared / "media" / "nasa-embedded-subtitles.mp4"
    proxy_of(source, tmp_path / "p.mp4")
    with av.open(str(source)) as container:
        want = [frame.time for frame in container.decode(video=0)]
    with av.open(str(tmp_path / "p.mp4")) as container:
        got = [frame.time for frame in container.decode(video=0)]
    assert got == pytest.approx(want, abs=1e-5)
