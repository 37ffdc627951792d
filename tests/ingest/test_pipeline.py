"""One pass over a small film with fake encoders: every row that it writes."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from ingest_kit import FakeAudio, FakeText, FakeVideo
from media_kit import Sound, Text, Video, beeps, picture, scene, write
from PIL import Image

from mediafm.encoders import Encoders
from mediafm.ingest.cache import NoCache
from mediafm.ingest.pipeline import Pipeline
from mediafm.ingest.stills import FrameConfig
from mediafm.media.chunks import ReadOptions
from mediafm.media.reader import Reader
from mediafm.progress import Lines
from mediafm.shots import ShotConfig, make_detector
from mediafm.timeline import US, Cue, Span

LENGTHS = [20, 30, 70, 25]  # frames
BOUNDS = [40_000 * n for n in np.cumsum([0, *LENGTHS])]


class Rows:
    """A sink that keeps what it gets, and checks the order."""

    def __init__(self):
        self.shots, self.cues, self.keyframes, self.features = [], None, {}, {}

    def add_shots(self, shots):
        self.shots += shots
        assert [shot.index for shot in self.shots] == list(range(len(self.shots)))

    def add_keyframes(self, keyframes):
        assert not self.keyframes.keys() & dict(keyframes).keys()
        self.keyframes.update(keyframes)

    def add_cues(self, cues):
        assert self.cues is None
        self.cues = cues

    def add_features(self, modality, first_shot, x_ND, present_N):
        rows = self.features.setdefault(modality, [])
        assert first_shot == len(rows)
        assert len(x_ND) == len(present_N)
        rows += [x if there else None for x, there in zip(x_ND, present_N, strict=True)]


def run(path, encoders=None, cues=(), shots=None, log=None, notes=None):
    sink, notes = Rows(), [] if notes is None else notes
    everything = Encoders(FakeVideo(), FakeAudio(), FakeText())
    with (
        Reader(path, ReadOptions()) as reader,
        Lines(log or io.StringIO()).task("t", 1, "s") as task,
    ):
        pipeline = Pipeline(
            reader,
            detector=make_detector("content"),
            encoders=everything if encoders is None else encoders,
            shots=shots or ShotConfig(),
            frames=FrameConfig(),
            sink=sink,
            cache=NoCache(),
        )
        found, _ = pipeline.run(list(cues), notes, task)
    assert sink.shots == found
    assert all(len(rows) == len(found) for rows in sink.features.values())
    assert sorted(sink.keyframes) == list(range(len(found)))
    return sink


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    frames = [f for i, n in enumerate(LENGTHS) for f in scene(i, n)]
    lines = [(0.1, 0.5, "Inside.")]
    sound = Sound(beeps([0.3, 2.1], 3.0))  # ends in the third shot, before the fourth
    return write(tmp_path_factory.mktemp("f") / "film.mkv", Video(frames), sound, Text(lines))


def test_all_rows_of_a_film(path):
    log = io.StringIO()
    sink = run(path, log=log)
    assert [shot.span for shot in sink.shots] == [Span(a, b) for a, b in itertools.pairwise(BOUNDS)]
    # Pictures: the mean colour of the shot's own frames.
    for i, (x_D, length) in enumerate(zip(sink.features["video"], LENGTHS, strict=True)):
        own = np.mean([frame.mean((0, 1)) for frame in scene(i, length)], axis=0) / 255
        np.testing.assert_allclose(x_D[:3], own, atol=0.05)
        image = Image.open(io.BytesIO(sink.keyframes[i]))
        assert image.size == (96, 64)
        np.testing.assert_allclose(np.asarray(image).mean((0, 1)) / 255, own, atol=0.1)
    # Sound: loud in shots 0 and 2 only, none after its end.
    loud = [None if x_D is None else x_D[0] > 0.01 for x_D in sink.features["audio"]]
    assert loud == [True, False, True, None]
    # Text: the embedded cue.
    assert [cue.text for cue in sink.cues] == ["Inside."]
    assert [x_D is not None for x_D in sink.features["text"]] == [True, False, False, False]
    np.testing.assert_array_equal(sink.features["text"][0], FakeText().encode(["Inside."])[0])
    assert log.getvalue().startswith("t 6/1 s")  # all 5.8 seconds of media


def test_sidecars_go_before_embedded_text(path):
    cues = [Cue(Span(0, BOUNDS[4]), "B"), Cue(Span(0, 0), "A"), Cue(Span(9 * US, 10 * US), "late")]
    sink = run(path, cues=cues)
    assert [cue.text for cue in sink.cues] == ["A", "B", "late"]
    expected = FakeText().encode(["A\nB", "B", "B", "B"])
    np.testing.assert_array_equal(np.stack(sink.features["text"]), expected)


def test_no_encoders(path):
    sink = run(path, encoders=Encoders())
    assert sink.features == {}
    assert len(sink.shots) == 4
    assert len(sink.cues) == 1


def test_no_sound_and_no_text(tmp_path):
    sink = run(write(tmp_path / "a.mp4", Video(scene(1, 30))))
    assert sink.features["audio"] == sink.features["text"] == [None]


def test_one_frame(tmp_path):
    sink = run(write(tmp_path / "a.mp4", Video([picture(1)])))
    assert len(sink.shots) == 1
    assert sink.features["video"][0] is not None


def test_long_takes(tmp_path):
    config = ShotConfig(detector="content", max_length=US)
    sink = run(write(tmp_path / "a.mp4", Video([picture(1)] * 130)), shots=config)
    assert [shot.span.end for shot in sink.shots] == [i * US for i in range(1, 6)] + [5_200_000]
    assert [shot.forced for shot in sink.shots] == [True] * 5 + [False]
    assert all(x_D is not None for x_D in sink.features["video"])


def test_shots_of_a_few_frames_all_have_pictures(tmp_path):
    frames = [f for i in range(20) for f in scene(i, 6)]
    sink = run(write(tmp_path / "a.mp4", Video(frames)))
    assert len(sink.shots) > 10
    assert all(x_D is not None for x_D in sink.features["video"])
