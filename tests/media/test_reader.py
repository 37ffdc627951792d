"""The reader on real files: every container's times, sound, streams, geometry and stills."""

from __future__ import annotations

import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_kit import (
    TICKS,
    VP,
    Sound,
    Text,
    Video,
    beeps,
    onsets,
    picture,
    read,
    scene,
    write,
)

from mediafm.errors import MediaError
from mediafm.media.chunks import ReadOptions
from mediafm.media.pictures import Pictures
from mediafm.media.reader import Reader
from mediafm.media.streams import SourceInfo
from mediafm.timeline import US, Span

# Times


@pytest.mark.parametrize(
    "name,video",
    [
        ("a.mp4", {}),
        ("a.mov", {}),
        ("a.mkv", {}),
        ("vp9.webm", {"codec": "libvpx-vp9", "options": VP}),
        ("vp8.webm", {"codec": "libvpx", "options": VP}),
        ("mpeg4.avi", {"codec": "mpeg4", "base": Fraction(1, 25)}),
    ],
)
def test_containers(tmp_path, name, video):
    codec = {"webm": "libopus", "avi": "pcm_s16le"}.get(name.rpartition(".")[2], "aac")
    sound = Sound(beeps([0.5, 1.0], 1.2), codec=codec)
    got = read(write(tmp_path / name, Video(scene(1, 30), **video), sound))
    assert got.times == [i * 40_000 for i in range(30)]
    assert got.end == 1_200_000
    assert got.info.duration in (0, 1_200_000)
    assert (got.info.width, got.info.height) == (96, 64)
    assert got.info.frame_rate == 25
    assert got.thumbnails.shape == (30, 27, 48, 3)
    assert onsets(got.sound) == pytest.approx([0.5, 1.0], abs=0.01)
    assert abs(len(got.sound) / 16_000 - 1.2) < 0.06
    assert [still.time for still in got.stills] == [i * 200_000 for i in range(6)]


def test_transport_stream_begins_later_than_zero(tmp_path):
    got = read(write(tmp_path / "a.ts", Video(scene(1, 30)), Sound(beeps([0.5, 1.0], 1.2))))
    assert got.info.start_offset > 0
    first = got.times[0]
    assert first < 100_000  # sound may begin a little before
    assert np.diff(got.times).tolist() == [40_000] * 29
    assert np.array(onsets(got.sound)) - first / US == pytest.approx([0.5, 1.0], abs=0.01)


def test_variable_frame_rate_mp4_to_the_microsecond(tmp_path):
    ticks = [0, 1001, 5000, 5100, 90_000, 90_801, 400_000]
    video = Video(scene(2, 7), times=ticks, last=12_345, options={"bf": "0"})
    got = read(write(tmp_path / "v.mp4", video, video_track_timescale=str(TICKS)))
    assert got.times == [round(Fraction(t, TICKS) * US) for t in ticks]
    assert got.end == pytest.approx(round(Fraction(412_345, TICKS) * US), abs=1)


def test_variable_frame_rate_mkv(tmp_path):
    ticks = [0, 40, 47, 200, 1000, 9000]
    video = Video(scene(2, 6), times=ticks, base=Fraction(1, 1000), last=70)
    got = read(write(tmp_path / "v.mkv", video))
    assert got.times == [t * 1000 for t in ticks]
    assert got.end == 9_070_000


def test_film_rate_does_not_drift(tmp_path):
    base = Fraction(1001, 24_000)
    times = list(range(240))
    got = read(write(tmp_path / "n.mp4", Video([picture(3)] * 240, times=times, base=base)))
    assert got.times == [round(i * base * US) for i in times]


def test_b_frames_come_in_order(tmp_path):
    video = Video(scene(4, 60), options={"bf": "4", "b_strategy": "0", "g": "60"})
    for name in ("b.mp4", "b.mkv"):
        got = read(write(tmp_path / name, video))
        assert got.times == [i * 40_000 for i in range(60)], name
        assert got.end == 2_400_000


def test_one_frame(tmp_path):
    got = read(write(tmp_path / "one.mp4", Video([picture(1)])))
    assert got.times == [0]
    assert 0 < got.end <= US
    assert len(got.stills) == 1


def test_slide_show_keeps_its_last_picture(tmp_path):
    video = Video([picture(1), picture(2)], times=[0, TICKS], last=60 * TICKS)
    got = read(write(tmp_path / "slides.mp4", video, Sound(beeps([1], 61))))
    assert (got.times, got.end) == ([0, US], 61 * US)


def test_matroska_whose_sound_is_longer_is_whole(tmp_path):
    """Without a length of its own, the picture is not measured by that of the container."""
    path = write(tmp_path / "a.mkv", Video(scene(1, 25)), Sound(beeps([1], 20)))
    path.write_bytes(path.read_bytes().replace(b"DURATION", b"DURATIOX"))
    got = read(path)
    assert (got.info.duration > 19 * US, got.end) == (True, US)


# Sound


@pytest.mark.parametrize("name", ["s.mp4", "s.mkv", "s.ts"])
@pytest.mark.parametrize("start", [0.7, 0.0])
def test_sound_that_begins_later(tmp_path, name, start):
    sound = Sound(beeps([0.3], 1.0), start=start)
    got = read(write(tmp_path / name, Video(scene(1, 50)), sound))
    zero = got.times[0] / US
    assert onsets(got.sound) == pytest.approx([zero + start + 0.3], abs=0.01)


@pytest.mark.parametrize("name", ["s.mp4", "s.mkv", "s.ts"])
def test_sound_that_begins_earlier(tmp_path, name):
    times = [TICKS + i * TICKS // 25 for i in range(25)]
    got = read(write(tmp_path / name, Video(scene(1, 25), times=times), Sound(beeps([1.5], 2))))
    assert onsets(got.sound) == pytest.approx([got.times[0] / US + 0.5], abs=0.01)
    assert got.times[0] == pytest.approx(US, abs=50_000)
    assert got.end == got.times[0] + US


def test_holes_in_sound_are_silence(tmp_path):
    sound = Sound(beeps([0.5, 1.5, 2.5], 3), holes=[(1.0, 0.8), (2.0, 0.3)])
    got = read(write(tmp_path / "h.mkv", Video(scene(1, 110)), sound))
    assert onsets(got.sound) == pytest.approx([0.5, 2.3, 3.6], abs=0.01)


def test_many_small_holes_do_not_add_up(tmp_path):
    holes = [(i / 10, 0.03) for i in range(1, 30)]
    got = read(
        write(tmp_path / "h.mkv", Video(scene(1, 110)), Sound(beeps([2.95], 3), holes=holes))
    )
    assert onsets(got.sound) == pytest.approx([2.95 + 29 * 0.03], abs=0.06)


def test_sound_said_twice_does_not_add_up(tmp_path):
    """Timestamps that fall back a little again and again: joined recordings, bad muxers."""
    tone = np.sin(np.arange(3 * 48_000) / 5).astype(np.float32)
    tone[: 2 * 48_000] = 0
    holes = [(i / 10, -0.02) for i in range(1, 20)]
    path = write(
        tmp_path / "h.mkv",
        Video(scene(1, 60)),
        Sound(tone, codec="pcm_s16le", holes=holes),
    )
    assert onsets(read(path).sound) == pytest.approx([2 - 19 * 0.02], abs=0.06)


@pytest.mark.parametrize(
    "rate,layout,codec,name",
    [
        (44_100, "stereo", "aac", "a.mp4"),
        (48_000, "5.1", "aac", "a.mp4"),
        (48_000, "5.1", "ac3", "a.ts"),
        (22_050, "mono", "pcm_s16le", "a.mkv"),
        (96_000, "stereo", "flac", "a.mkv"),
    ],
)
def test_rates_and_layouts(tmp_path, rate, layout, codec, name):
    sound = Sound(beeps([0.25, 1.25], 1.5, rate), rate=rate, layout=layout, codec=codec)
    got = read(write(tmp_path / name, Video(scene(1, 38)), sound))
    zero = got.times[0] / US
    assert onsets(got.sound) == pytest.approx([zero + 0.25, zero + 1.25], abs=0.012)
    assert np.abs(got.sound).max() <= 1


def test_sound_that_changes_its_layout(tmp_path):
    """As broadcasts do between a film and its advertisements."""
    parts = [
        write(
            tmp_path / f"{layout}.ts",
            Video(scene(i, 25), times=[i * TICKS + k * TICKS // 25 for k in range(25)]),
            Sound(beeps([0.5], 1), layout=layout, start=i),
        )
        for i, layout in enumerate(("5.1", "stereo", "mono"))
    ]
    path = tmp_path / "all.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    got = read(path)
    zero = got.times[0] / US
    assert len(got.times) == 75
    assert len(onsets(got.sound)) == 3
    assert onsets(got.sound)[0] == pytest.approx(zero + 0.5, abs=0.01)


def test_no_sound(tmp_path):
    got = read(write(tmp_path / "a.mp4", Video(scene(1, 5))))
    assert got.sound is None
    assert not got.info.has_audio


# Streams


def test_streams_by_default_and_by_language(tmp_path):
    path = write(
        tmp_path / "many.mkv",
        Video(scene(1, 30)),
        Video(scene(2, 30, 64, 48), default=True),
        Sound(beeps([0.2], 1.2), language="eng"),
        Sound(beeps([0.4], 1.2), language="ger", default=True),
        Sound(beeps([0.6], 1.2), language="fra"),
        Text([(0.1, 0.4, "Hello.")], language="eng"),
        Text([(0.1, 0.5, "Hallo.")], language="deu", default=True),
    )
    got = read(path)
    assert (got.info.width, got.info.height) == (64, 48)
    assert onsets(got.sound) == pytest.approx([0.4], abs=0.01)
    [cue] = got.cues
    assert (cue.text, cue.language, cue.source) == ("Hallo.", "de", "stream 6")
    assert cue.span == Span(100_000, 500_000)
    said = "\n".join(got.info.notes)
    assert "video stream 1 of 2 read, not 0" in said
    assert "audio stream 3 of 3 read, not 2 (en), 4 (fr)" in said
    assert "subtitle stream 6 read, not 5 (en)" in said
    got = read(path, languages=("ja", "fr", "en"))
    assert onsets(got.sound) == pytest.approx([0.6], abs=0.01)
    assert [cue.text for cue in got.cues] == ["Hello."]


def test_embedded_text_of_mp4(tmp_path):
    lines = [(0.2, 0.6, "One."), (0.8, 1.0, "Two,\nthree.")]
    path = write(tmp_path / "t.mp4", Video(scene(1, 30)), Text(lines, codec="mov_text"))
    got = read(path)
    assert [(c.span.start, c.span.end, c.text) for c in got.cues] == [
        (200_000, 600_000, "One."),
        (800_000, 1_000_000, "Two,\nthree."),
    ]


def test_cover_picture_is_no_film(tmp_path):
    path = tmp_path / "cover.mp4"
    with av.open(str(path), "w") as container:
        cover, video = Video([picture(9, 320, 320)], codec="mjpeg"), Video(scene(1, 30))
        streams = [cover.add(container), video.add(container)]
        streams[0].disposition = av.stream.Disposition.attached_pic
        for part, stream in zip((cover, video), streams, strict=True):
            for packet in part.packets(stream):
                container.mux(packet)
    assert len(av.open(str(path)).streams.video) == 2
    got = read(path)
    assert (got.info.width, len(got.times)) == (96, 30)
    sound_only = tmp_path / "podcast.m4a"
    with av.open(str(sound_only), "w", format="mp4") as container:
        cover, sound = Video([picture(9, 320, 320)], codec="mjpeg"), Sound(beeps([1], 2))
        streams = [cover.add(container), sound.add(container)]
        streams[0].disposition = av.stream.Disposition.attached_pic
        for part, stream in zip((cover, sound), streams, strict=True):
            for packet in part.packets(stream):
                container.mux(packet)
    with pytest.raises(MediaError, match="audio-only"):
        Reader(sound_only)


def test_real_file_with_embedded_streams(shared):
    got = read(shared / "media" / "nasa-embedded-subtitles.mp4")
    assert len(got.cues) > 0
    assert any("subtitle stream" in note for note in got.info.notes)


# Geometry


QUARTERS = np.zeros((64, 96, 3), dtype=np.uint8)
QUARTERS[:32, :48] = (250, 20, 20)  # top left is red
QUARTERS[:32, 48:] = (20, 250, 20)
QUARTERS[32:, :48] = (20, 20, 250)
QUARTERS[32:, 48:] = (230, 230, 230)


def same_picture(a, b):
    return a.shape == b.shape and np.abs(a.astype(int) - b.astype(int)).mean() < 25


@pytest.mark.parametrize(
    "clockwise,matrix",
    [(90, (0, 1, -1, 0)), (180, (-1, 0, 0, -1)), (270, (0, -1, 1, 0)), (0, (1, 0, 0, 1))],
)
def test_rotation(tmp_path, clockwise, matrix):
    """A telephone stores what its chip sees, and in the track header how to turn it."""
    stored = np.rot90(QUARTERS, clockwise // 90)  # rot90 turns counter-clockwise
    path = write(tmp_path / "r.mp4", Video([stored] * 3))
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (value * 65536 for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    got = read(path)
    assert (got.info.width, got.info.height) == (96, 64)
    assert got.info.rotation == -clockwise % 360
    assert same_picture(got.stills[0].picture_HWC, QUARTERS)


def test_pixels_that_are_not_square(tmp_path):
    video = Video([QUARTERS] * 25, aspect=Fraction(2))
    for name in ("a.mp4", "a.mkv", "a.ts"):
        got = read(write(tmp_path / name, video))
        assert (got.info.width, got.info.height) == (192, 64), name
        picture_HWC = got.stills[0].picture_HWC
        assert same_picture(picture_HWC, QUARTERS.repeat(2, axis=1)), name


def test_large_pictures_are_scaled_down_small_ones_are_not(tmp_path):
    path = write(tmp_path / "l.mp4", Video([picture(1, 640, 480)] * 2))
    assert read(path, still_size=120).stills[0].picture_HWC.shape == (120, 160, 3)
    assert read(path, still_size=900).stills[0].picture_HWC.shape == (480, 640, 3)


def test_size_that_changes_in_the_middle(tmp_path):
    one = write(tmp_path / "1.ts", Video(scene(1, 25)))
    later = [TICKS + i * TICKS // 25 for i in range(25)]
    two = write(tmp_path / "2.ts", Video(scene(2, 25, 128, 128), times=later))
    both = tmp_path / "both.ts"
    both.write_bytes(one.read_bytes() + two.read_bytes())
    got = read(both)
    assert len(got.times) == 50
    assert {still.picture_HWC.shape for still in got.stills} == {(64, 96, 3)}


# Stills


class FakeClock:
    def __init__(self, times):
        self.times = iter(times)

    def time(self, pts, base, guess):
        return next(self.times)


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.integers(1, 3 * US), min_size=1, max_size=80),
    start=st.integers(0, US),
    period=st.integers(1, US),
)
def test_every_shot_of_a_period_has_a_still(gaps, start, period):
    times = (start + np.cumsum([0, *gaps])).tolist()
    info = SourceInfo(0, 0, None, Fraction(25), 16, 16)
    pictures = Pictures(ReadOptions(still_period=period), FakeClock(times), info)
    frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
    chunks = [chunk for _ in times for chunk in pictures.push(frame)] + list(pictures.finish())
    assert np.concatenate([chunk.times_T for chunk in chunks]).tolist() == times
    stills = [still.time for chunk in chunks for still in chunk.stills]
    assert stills == sorted(set(stills))
    assert set(stills) <= set(times)
    # A still is known as soon as the frames are.
    seen, known = [], []
    for chunk in chunks:
        seen += chunk.times_T.tolist()
        known += [still.time for still in chunk.stills]
        assert known == [time for time in stills if time <= seen[-1]]
    ends = [*times, pictures.end]
    for i, begin in enumerate(ends[:-1]):
        stop = next((end for end in ends[i + 1 :] if end - begin >= period), None)
        if stop is not None:
            assert any(begin <= time < stop for time in stills), (begin, stop)
    # No more stills than there are periods.
    assert len(stills) <= (pictures.end - start) // period + 1
