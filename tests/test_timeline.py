from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediafm.errors import MediaFMError
from mediafm.timeline import US, Cue, Shot, Span, format_time, parse_time, touched

NTSC = Fraction(30_000, 1001)
times = st.integers(0, 10_000)
spans = st.tuples(times, times).map(lambda pair: Span(min(pair), max(pair)))


@given(spans, spans)
def test_overlap(a, b):
    assert a.overlap(b) == b.overlap(a) <= min(a.duration, b.duration)
    assert a.overlap(a) == a.duration
    assert a.overlap(b) == len({*range(a.start, a.end)} & {*range(b.start, b.end)})


@given(spans, spans)
def test_touches(a, b):
    inside = a.start <= b.start < a.end if b.duration == 0 else a.overlap(b) > 0
    assert a.touches(b) == inside
    if a.duration and b.duration:
        assert a.touches(b) == b.touches(a)


@given(st.lists(st.integers(0, 50), unique=True).map(sorted), spans, st.randoms())
def test_touched_shots(cuts, span, random):
    cut_spans = [Span(*pair) for pair in itertools.pairwise(cuts)]
    kept = [one for one in cut_spans if random.random() < 0.8]  # what comes from elsewhere has gaps
    shots = [Shot(index, one) for index, one in enumerate(kept)]
    near = Span(span.start % 60, max(span.start % 60, span.end % 60))
    assert touched(shots, near) == [shot for shot in shots if shot.span.touches(near)]


@given(spans, times)
def test_contains(span, time):
    assert span.contains(time) == (span.start <= time < span.end)
    assert not span.contains(span.end)


def test_a_span_does_not_end_before_it_starts():
    with pytest.raises(ValueError, match="end before"):
        Span(2, 1)
    assert Span(1, 1).duration == 0
    assert str(Span(0, 3_661_500_999)) == "00:00:00.000-01:01:01.500"


@given(st.integers(0, 400 * 3600 * US))
def test_format_and_parse_agree_to_the_millisecond(time):
    assert parse_time(format_time(time)) == time - time % 1000


@given(st.integers(0, 10**12))
def test_seconds_are_exact(time):
    assert parse_time(f"{time // US}.{time % US:06d}") == time


def test_negative_times_are_written_with_a_sign():
    assert format_time(-1_500_000) == "-00:00:01.500"


@pytest.mark.parametrize(
    "text,expected",
    [
        ("0", 0),
        ("190.5", 190_500_000),
        (" 3:10 ", 190_000_000),
        ("03:10.5", 190_500_000),
        ("90:00", 5_400_000_000),
        ("0:03:10,250", 190_250_000),
        ("100:00:00", 360_000_000_000),
        ("00:00:00.000000001", 0),
    ],
)
def test_times_that_people_write(text, expected):
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "soon", "-5", "1:2:3:4", "3:61", "1:61:00", "1e3", "1:", ":1", "1.", "0:00:00:05"],
)
def test_texts_that_are_no_time(text):
    with pytest.raises(MediaFMError, match="is not a time"):
        parse_time(text)


@pytest.mark.parametrize(
    "text,rate,frames",
    [
        ("00:00:00:00", NTSC, 0),
        ("00:00:59;29", NTSC, 1799),
        ("00:01:00;02", NTSC, 1800),  # 00 and 01 of this minute do not exist
        ("00:10:00;00", NTSC, 17_982),  # but those of every tenth do
        ("01:00:00;00", NTSC, 107_892),
        ("01:00:00:00", NTSC, 108_000),  # without dropping, an hour is 3603.6 s
        ("00:01:00;04", 2 * NTSC, 3600),
        ("01:00:00;00", 2 * NTSC, 215_784),
        ("01:00:00:00", Fraction(25), 90_000),
        ("00:00:01:12", Fraction(24), 36),
        ("00:00:01:23", Fraction(24_000, 1001), 47),
        ("00:00:00:119", Fraction(120), 119),
    ],
)
def test_timecodes(text, rate, frames):
    assert parse_time(text, frame_rate=rate) == round(frames / rate * US)


def test_drop_frame_keeps_to_the_clock():
    """SMPTE ST 12-1: after an hour, 3.6 ms short of real time."""
    assert parse_time("01:00:00;00", frame_rate=NTSC) == 3_599_996_400


@pytest.mark.parametrize(
    "text,rate",
    [
        ("00:00:00:25", Fraction(25)),
        ("00:60:00:00", Fraction(25)),
        ("00:00:60:00", Fraction(25)),
        ("00:00:01:24", Fraction(24_000, 1001)),
    ],
)
def test_timecodes_that_do_not_exist(text, rate):
    with pytest.raises(MediaFMError, match="is not a timecode"):
        parse_time(text, frame_rate=rate)


@pytest.mark.parametrize(
    "text,rate",
    [
        ("00:01:00;00", NTSC),
        ("00:01:00;01", NTSC),
        ("00:01:00;03", 2 * NTSC),
        ("00:00:01;00", Fraction(25)),
        ("00:00:01;00", Fraction(24_000, 1001)),
    ],
)
def test_drop_frame_numbers_that_do_not_exist(text, rate):
    with pytest.raises(MediaFMError, match="is not a timecode"):
        parse_time(text, frame_rate=rate)


@given(st.integers(0, 24 * 107_892 - 1))
def test_every_drop_frame_number_counts_on(frame):
    """The inverse as SMPTE ST 12-1 gives it: every frame has one timecode, in order."""
    tens, rest = divmod(frame, 17_982)
    minutes = 0 if rest < 1800 else 1 + (rest - 1800) // 1798
    number = frame + 18 * tens + 2 * minutes
    seconds, f = divmod(number, 30)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d};{f:02d}"
    assert parse_time(text, frame_rate=NTSC) == round(frame / NTSC * US)


@pytest.mark.parametrize(
    "source,machine", [("asr:whisper-base", True), ("film.en.srt", False), ("", False)]
)
def test_machine_made_cues(source, machine):
    assert Cue(Span(0, 1), "Hm.", source=source).machine_made == machine
