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

from mediafm.ingest.pipeline import shot_texts
from mediafm.ingest.sound import SoundPooler
from mediafm.ingest.stills import FrameConfig, StillBuffer, keyframe_jpeg
from mediafm.media.chunks import Still
from mediafm.timeline import US, Cue, Shot, Span

STEP = FakeAudio.step


def make_shots(bounds):
    return [Shot(i, Span(a, b)) for i, (a, b) in enumerate(itertools.pairwise(bounds))]


# Sound


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_sound_of_shots_is_that_of_the_whole(data):
    """However sound and shots arrive, a shot gets the mean of the steps that it touches."""
    seed = data.draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    sound = rng.standard_normal(data.draw(st.integers(0, 150_000))).astype(np.float32)
    seconds = len(sound) / 16_000
    inner = rng.integers(0, round(max(seconds * 1.3, 0.5) * US), data.draw(st.integers(0, 30)))
    first = data.draw(st.sampled_from([0, 0, 1, 33_333, US]))
    bounds = sorted({first, *(first + 1 + inner).tolist(), first + 2 * US})
    shots = make_shots(bounds)

    pooler, got = SoundPooler(FakeAudio()), []
    cuts = np.sort(rng.integers(0, len(sound) + 1, data.draw(st.integers(0, 40))))
    waiting = [shot.span for shot in shots]
    for piece in np.split(sound, cuts):
        pooler.feed(piece)
        for _ in range(int(rng.integers(0, 3))):
            if waiting:
                pooler.want(waiting.pop(0))
        got += pooler.pooled()
    for span in waiting:
        pooler.want(span)
    pooler.finish()
    got += pooler.pooled()

    encoder = FakeAudio()
    steps_FD = encoder.encode(sound) if len(sound) else np.zeros((0, 2), np.float32)
    assert len(got) == len(shots)
    for shot, vector in zip(shots, got, strict=True):
        touched = [
            row
            for i, row in enumerate(steps_FD)
            if i * STEP < shot.span.end and (i + 1) * STEP > shot.span.start
        ]
        if touched:
            np.testing.assert_allclose(vector, np.mean(touched, axis=0), atol=1e-4)
        else:
            assert vector is None
    assert sum(pooler.encoder.calls) == len(sound)  # every sample is encoded once
    assert all(calls == 32_000 for calls in pooler.encoder.calls[:-1])


def test_memory_is_that_of_the_open_shot():
    pooler, most, done = SoundPooler(FakeAudio()), 0, 0
    for second in range(300):
        pooler.feed(np.zeros(16_000, np.float32))
        if second % 5 == 4:
            pooler.want(Span((second - 4) * US, (second + 1) * US))
        done += len(pooler.pooled())
        most = max(most, len(pooler._steps_FD))
        assert sum(map(len, pooler._samples)) < 32_000
    assert most <= (5 + 2) * US // STEP
    assert done >= 59


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
    assert min(s.time for s in buffer._stills) == 5 * US
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
    kept = np.array([s.time for s in buffer._stills])
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
    assert [s.time for s in buffer._stills if s.time >= 10] == list(range(10, 100))
    assert len([s for s in buffer._stills if s.time < 10]) < 10


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
