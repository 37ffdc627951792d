"""From a stream of sound, stills and cues to what stands for each shot."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest_kit import FakeAudio
from PIL import Image

from mediafm.encoders import EncoderInfo
from mediafm.ingest.cache import NoCache, VectorCache
from mediafm.ingest.sound import GATHER, ClipTrack, WindowTrack
from mediafm.ingest.stills import FrameConfig, StillBuffer, keyframe_jpeg
from mediafm.ingest.texts import shot_texts
from mediafm.media.chunks import Still
from mediafm.timeline import US, Cue, Shot, Span

STEP = FakeAudio.step


def make_shots(bounds):
    return [Shot(i, Span(a, b)) for i, (a, b) in enumerate(itertools.pairwise(bounds))]


# Sound


class Got:
    """What left a track, and that it left in order."""

    def __init__(self):
        self.rows = []

    def __call__(self, first, x_ND, present_N):
        assert first == len(self.rows)
        self.rows += [x if there else None for x, there in zip(x_ND, present_N, strict=True)]


def draw_film(data):
    """Sound, shots, and the order in which they arrive."""
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    sound = rng.uniform(-1, 1, data.draw(st.integers(0, 150_000))).astype(np.float32)
    seconds = len(sound) / 16_000
    inner = rng.integers(0, round(max(seconds * 1.3, 0.5) * US), data.draw(st.integers(0, 30)))
    first = data.draw(st.sampled_from([0, 0, 1, 33_333, US]))
    shots = make_shots(sorted({first, *(first + 1 + inner).tolist(), first + 2 * US}))
    cuts = np.sort(rng.integers(0, len(sound) + 1, data.draw(st.integers(0, 40))))
    return rng, sound, shots, np.split(sound, cuts)


def drive(track, rng, pieces, shots):
    waiting = [shot.span for shot in shots]
    for piece in pieces:
        track.feed(piece)
        for _ in range(int(rng.integers(0, 3))):
            if waiting:
                track.want(waiting.pop(0))
    for span in waiting:
        track.want(span)
    track.finish()


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_sound_of_shots_is_that_of_the_whole(data):
    """However sound and shots arrive, a shot gets the mean of the steps that it touches."""
    rng, sound, shots, pieces = draw_film(data)
    encoder, got = FakeAudio(), Got()
    drive(WindowTrack(encoder, got, NoCache()), rng, pieces, shots)
    steps_FD = FakeAudio().encode(sound) if len(sound) else np.zeros((0, 2), np.float32)
    assert len(got.rows) == len(shots)
    for shot, vector in zip(shots, got.rows, strict=True):
        touched = [
            row
            for i, row in enumerate(steps_FD)
            if i * STEP < shot.span.end and (i + 1) * STEP > shot.span.start
        ]
        if touched:
            np.testing.assert_allclose(vector, np.mean(touched, axis=0), rtol=1e-3, atol=1e-3)
        else:
            assert vector is None
    assert sum(encoder.calls) <= len(sound)  # no sample is encoded twice
    assert sum(calls != 32_000 for calls in encoder.calls) <= 1


class FakeClips:
    """Number, loudness and sum of the samples of each clip."""

    info = EncoderInfo("audio", "fake-clips", 3, {"weights": "c"})
    sample_rate, least = 16_000, 1600

    def __init__(self):
        self.calls = []

    def encode_clips(self, clips):
        self.calls.append([len(clip) for clip in clips])
        return np.array([[len(c) / 1000, np.abs(c).max(), c[::7].mean()] for c in clips])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_clips_are_the_sound_of_their_shots(data):
    """A short shot gets real sound from around it; the end of the sound is never made up."""
    rng, sound, shots, pieces = draw_film(data)
    encoder, got = FakeClips(), Got()
    drive(ClipTrack(encoder, got, NoCache()), rng, pieces, shots)
    assert len(got.rows) == len(shots)
    for shot, vector in zip(shots, got.rows, strict=True):
        start, end = ((t * 16_000 + US // 2) // US for t in (shot.span.start, shot.span.end))
        end = min(end, len(sound))
        if start >= end:
            assert vector is None
            continue
        expected = sound[start:end]
        if end - start < encoder.least:
            assert vector[0] * 1000 == pytest.approx(min(encoder.least, len(sound)), abs=1)
        else:
            want = FakeClips().encode_clips([expected])[0]
            np.testing.assert_allclose(vector, want, rtol=1e-3, atol=1e-3)


def test_a_short_shot_lies_in_the_middle_of_what_it_gets():
    encoder, got = FakeClips(), Got()
    seen = []
    encoder.encode_clips = lambda clips: seen.extend(clips) or np.zeros((len(clips), 3))
    track = ClipTrack(encoder, got, NoCache())
    sound = np.arange(16_000, dtype=np.float32)
    track.feed(sound)
    track.want(Span(0, 10_000))  # at the beginning: what follows
    track.want(Span(500_000, 520_000))  # inside: both sides
    track.want(Span(990_000, US))  # at the end: what came before
    track.finish()
    assert [(clip[0], clip[-1] + 1) for clip in seen] == [(0, 1600), (7360, 8960), (14_400, 16_000)]


@pytest.mark.parametrize(("track", "encoder"), [(WindowTrack, FakeAudio), (ClipTrack, FakeClips)])
def test_sound_that_was_encoded_before_is_not_encoded_again(tmp_path, track, encoder):
    rng = np.random.default_rng(0)
    sound = rng.uniform(-1, 1, 160_000).astype(np.float32)
    before = make_shots([0, 2 * US, 5 * US, 9 * US])
    after = make_shots([0, 2 * US, 4 * US, 5 * US, 9 * US])  # one shot was cut in two
    first, second, third = Got(), Got(), Got()
    for shots, got in ((before, first), (before, second), (after, third)):
        used, cache = encoder(), VectorCache(tmp_path)
        drive(track(used, got, cache), rng, [sound], shots)
        if got is second:
            assert used.calls == []
        if got is third:
            assert cache.misses == 2
            assert (cache.hits, len(used.calls)) == (2, 2 if track is WindowTrack else 1)
    np.testing.assert_array_equal(first.rows, second.rows)
    np.testing.assert_array_equal(first.rows[0], third.rows[0])
    np.testing.assert_array_equal(first.rows[2], third.rows[3])


def test_memory_is_that_of_the_open_shot():
    got = Got()
    tracks = WindowTrack(FakeAudio(), got, NoCache()), ClipTrack(FakeClips(), got, NoCache())
    window, clip = tracks
    clip._emit = lambda present, x: None
    for second in range(600):
        for track in tracks:
            track.feed(np.zeros(16_000, np.float32))
            if second % 5 == 4:
                track.want(Span((second - 4) * US, (second + 1) * US))
        assert sum(w.steps for w in window._windows) <= (5 + 4) * US // STEP
        assert sum(map(len, window._samples)) < 32_000
        assert sum(map(len, clip._chunks)) <= 6 * 16_000 + 2 * FakeClips.least
        assert sum(map(len, clip._gathered)) < GATHER * 16_000
    assert len(got.rows) >= 118


# Stills


def still(time):
    return Still(time, np.full((2, 2, 3), time % 256, dtype=np.uint8))


def test_frames_wanted():
    config = FrameConfig(interval=US, most=8)
    counts = [config.count(Span(0, t)) for t in (1, US, 1_600_000, 5 * US, 500 * US)]
    assert counts == [1, 1, 2, 5, 8]


def test_uniform_intervals():
    buffer = StillBuffer()
    for time in range(0, 12 * US, 200_000):
        buffer.add(still(time))
    taken = buffer.take(Span(US, 5 * US), 4)
    assert [s.time for s in taken] == [1_400_000, 2_400_000, 3_400_000, 4_400_000]
    assert min(s.time for _, s in buffer._stills) == 5 * US
    assert [s.time for s in buffer.take(Span(5 * US, 5_200_000), 3)] == [5 * US]
    assert buffer.take(Span(5_300_000, 5_350_000), 1) == []


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 2 * US), min_size=1, max_size=60), st.integers(1, 10))
def test_taken_stills_lie_in_the_shot_in_order(gaps, count):
    times = np.cumsum(gaps).tolist()
    buffer = StillBuffer()
    for time in times:
        buffer.add(still(time))
    shot = Span(times[len(times) // 3], times[-1] + 1)
    taken = [s.time for s in buffer.take(shot, count)]
    assert taken == sorted(set(taken))
    assert 1 <= len(taken) <= count
    assert all(shot.contains(time) for time in taken)


@pytest.mark.parametrize("seconds", [30, 300, 3600])
def test_a_long_shot_is_thinned_evenly(seconds):
    """Memory stays bounded, and the stills stay uniform over the shot, however long it is."""
    buffer, times = StillBuffer(most=64), range(0, seconds * US, 200_000)
    for i, time in enumerate(times):
        buffer.add(still(time))
        if i % 10 == 9:
            buffer.thin(settled=time - US)
        assert len(buffer) <= 2 * 64 + 16
    kept = np.array([s.time for _, s in buffer._stills])
    assert len(kept) >= 64
    assert kept[0] == 0
    assert np.diff(kept).max() <= max(4 * seconds * US / 64, 200_000)
    taken = [s.time for s in buffer.take(Span(0, seconds * US), 8)]
    middles = (np.arange(8) + 0.5) * seconds * US / 8
    assert np.abs(np.array(taken) - middles).max() <= 2 * seconds * US / 64


def test_what_is_not_settled_is_not_thinned():
    buffer = StillBuffer(most=4)
    for time in range(100):
        buffer.add(still(time))
    buffer.thin(settled=10)
    assert [s.time for _, s in buffer._stills if s.time >= 10] == list(range(10, 100))
    assert len([s for _, s in buffer._stills if s.time < 10]) < 10


@pytest.mark.parametrize(
    "shape,size",
    [((288, 512), (320, 180)), ((90, 40), (40, 90)), ((1, 1), (1, 1)), ((2000, 2), (1, 180))],
)
def test_keyframes(shape, size):
    picture_HWC = np.full((*shape, 3), 90, dtype=np.uint8)
    image = Image.open(io.BytesIO(keyframe_jpeg(picture_HWC)))
    assert (image.format, image.size) == ("JPEG", size)
    assert np.abs(np.asarray(image).astype(int) - 90).max() < 8


# Cues

moments = st.integers(0, 60)


@settings(max_examples=300)
@given(
    st.sets(moments, min_size=2),
    st.lists(st.tuples(moments, st.one_of(st.just(0), st.integers(0, 5), moments)), max_size=25),
)
def test_shots_get_every_cue_that_overlaps(bounds, spans):
    """The definition, cue by cue; long cues may hide short ones, cues may have no length."""
    shots = make_shots(sorted(bounds))
    cues = sorted(
        (Cue(Span(start, start + length), f"{i}") for i, (start, length) in enumerate(spans)),
        key=lambda cue: cue.span,
    )
    expected = [
        "\n".join(cue.text for cue in cues if shot.span.touches(cue.span)) for shot in shots
    ]
    assert list(shot_texts(shots, cues)) == expected


def test_a_cue_on_a_cut_belongs_to_both_shots():
    shots = make_shots([0, 10, 20])
    assert list(shot_texts(shots, [Cue(Span(5, 15), "a"), Cue(Span(10, 10), "b")])) == ["a", "a\nb"]
