"""The reader on recordings whose times jump, and on files that are broken."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_kit import TICKS, VP, Sound, Video, beeps, onsets, read, scene, write

from mediafm.errors import MediaError
from mediafm.media.clock import Clock
from mediafm.timeline import US

# Times that jump


def joined(tmp_path, offset):
    """Two recordings of 2 s with a beep after 1 s; the second one's clock begins elsewhere."""
    start = 10 + offset
    parts = [
        write(
            tmp_path / f"{i}.ts",
            Video(scene(i, 50), times=[round(zero * TICKS) + k * TICKS // 25 for k in range(50)]),
            Sound(beeps([1.0], 2), start=zero),
        )
        for i, zero in enumerate((10, start))
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return read(path)


@pytest.mark.parametrize("offset", [-9, 0, 30_000])
def test_joined_recordings_run_on(tmp_path, offset):
    got = joined(tmp_path, offset)
    assert len(got.times) == 100
    assert max(np.diff(got.times)) < 200_000
    assert got.end < 4.5 * US
    assert len(got.sound) < 4.5 * 16_000
    cut = next(  # the first frame of the second recording
        time for time, a, b in zip(got.times[1:], got.thumbnails, got.thumbnails[1:], strict=False)
        if np.abs(a.astype(int) - b.astype(int)).mean() > 30
    )  # fmt: skip
    first, second = onsets(got.sound)
    assert first == pytest.approx(got.times[0] / US + 1, abs=0.01)
    assert second == pytest.approx(cut / US + 1, abs=0.1)  # sound and picture stay together


def test_a_pause_in_a_recording_is_kept(tmp_path):
    got = joined(tmp_path, 30)
    assert got.times[-1] - got.times[0] == pytest.approx(31_960_000, abs=200_000)
    assert onsets(got.sound)[1] - onsets(got.sound)[0] == pytest.approx(30, abs=0.1)


def test_many_joins_keep_sound_and_picture_together():
    joins: list[int] = []
    base = Fraction(1, US)
    video, audio = (Clock(base, 0, joins) for _ in range(2))
    end = {video: 0, audio: 0}
    for _ in range(50):
        for clock, step, length in ((video, 40_000, 2_000_000), (audio, 21_333, 2_100_000)):
            for pts in range(0, length, step):
                end[clock] = clock.time(pts, base, guess=end[clock]) + step
    assert len(joins) == 49
    assert abs(end[video] - end[audio]) < 200_000


@given(st.lists(st.none() | st.integers(-(10**9), 10**9), min_size=1), st.booleans())
def test_clock_never_falls_far_back(stamps, leaps):
    clock, last = Clock(Fraction(1, US), 0, [], US if leaps else None), None
    for pts in stamps:
        time = clock.time(pts, None, guess=0 if last is None else last + 40_000)
        assert last is None or time >= last - US
        last = time if last is None else max(time, last)


# Broken files


def fails(path, match):
    with pytest.raises(MediaError, match=match) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_film(tmp_path):
    fails(tmp_path / "none.mp4", "no such file")
    path = tmp_path / "a.mp4"
    path.write_bytes(b"")
    fails(path, "the file is empty")
    path.write_text("Dear diary,\n" * 100)
    fails(path, "no media file")
    path.write_bytes(random.Random(1).randbytes(100_000))
    fails(path, "no media file")
    path.unlink()
    path.mkdir()
    fails(path, "cannot be")
    fails(write(tmp_path / "a.mp3", Sound(beeps([1], 2), codec="libmp3lame")), "audio-only")


def test_truncated_mp4(tmp_path):
    film = [Video(scene(1, 150)), Sound(beeps([1], 6))]
    index_last = write(tmp_path / "last.mp4", *film)
    index_first = write(tmp_path / "first.mp4", *film, movflags="faststart")
    for path in (index_last, index_first):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    fails(index_last, "cut off before its index")
    fails(index_first, r"is cut off: \d\.\d s of 6\.0 s can be read")


def test_no_frame_can_be_decoded(tmp_path):
    path = write(tmp_path / "a.mp4", Video(scene(1, 20)))
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    data[start:end] = bytes(end - start)
    path.write_bytes(data)
    fails(path, "no frame can be decoded|has no video stream|cannot be opened")


def test_damage_in_the_middle_is_passed_over(tmp_path):
    path = write(tmp_path / "a.ts", Video(scene(1, 150)), Sound(beeps([1, 5], 6)))
    whole, data = read(path), bytearray(path.read_bytes())
    middle = len(data) // 2 // 188 * 188
    data[middle : middle + 188 * 12] = random.Random(3).randbytes(188 * 12)
    path.write_bytes(data)
    got = read(path)
    assert len(got.times) > 100
    assert abs(got.end - whole.end) < 100_000
    assert onsets(got.sound)[-1] == pytest.approx(onsets(whole.sound)[-1], abs=0.06)


def test_damaged_packets_are_noted(tmp_path):
    path = write(tmp_path / "a.mp4", Video(scene(1, 100), options={"g": "10"}))
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat") + 4 + (data.index(b"moov") - data.index(b"mdat")) // 2
    data[at : at + 200] = b"\xff" * 200
    path.write_bytes(data)
    got = read(path)
    assert len(got.times) > 60
    assert any("damaged" in note for note in got.info.notes)


@pytest.mark.parametrize("name", ["f.mp4", "f.mkv", "f.ts", "f.webm"])
def test_any_damage_is_read_or_refused(tmp_path, name):
    """Whatever is in a file, the reader answers with chunks or with a MediaError."""
    codecs = ("libvpx", VP, "libopus") if name.endswith("webm") else ("libx264", {}, "aac")
    video = Video(scene(1, 30), codec=codecs[0], options=codecs[1])
    whole = write(tmp_path / name, video, Sound(beeps([1], 1.2), codec=codecs[2])).read_bytes()
    rng = random.Random(name)
    for _ in range(25):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 5, 50])):
            at = rng.randrange(len(data))
            data[at : at + 4] = rng.randbytes(4)
        if rng.random() < 0.3:
            del data[rng.randrange(1, len(data)) :]
        path = tmp_path / f"broken-{name}"
        path.write_bytes(data)
        try:
            got = read(path)
        except MediaError as error:
            assert str(path) in str(error)
        else:
            assert got.sound is None or (
                np.isfinite(got.sound).all() and np.abs(got.sound).max() <= 1
            )
