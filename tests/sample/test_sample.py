from __future__ import annotations

import json
import math
from itertools import pairwise

import av
import numpy as np
import pysubs2
import pytest

from mediafm.errors import MediaFMError
from mediafm.sample import generate, load_truth
from mediafm.sample.render import Renderer
from mediafm.sample.story import plan_title
from mediafm.sample.truth import truth_of

SECONDS = 8


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    out = tmp_path_factory.mktemp("films")
    return out, generate(out, titles=3, seconds=SECONDS)


def _truths(films):
    out, paths = films
    return [load_truth(out / "truth" / f"{path.stem}.truth.json") for path in paths]


def test_frames_decode_at_the_times_of_the_truth(films):
    for path, truth in zip(films[1], _truths(films), strict=True):
        with av.open(str(path)) as media:
            assert media.start_time == 0
            stream = media.streams.video[0]
            times = [round(f.pts * f.time_base * 1_000_000) for f in media.decode(stream)]
        assert len(times) == truth.frames
        assert [times[b.frame] for b in truth.boundaries] == [b.time_us for b in truth.boundaries]
        assert bool(truth.has_audio)


def test_sound_lasts_as_long_as_the_pictures_and_is_not_silence(films):
    for path, truth in zip(films[1], _truths(films), strict=True):
        with av.open(str(path)) as media:
            parts = [frame.to_ndarray() for frame in media.decode(media.streams.audio[0])]
            rate = media.streams.audio[0].rate
        sound = np.concatenate(parts, axis=1)
        assert abs(sound.shape[1] / rate - truth.duration_us / 1e6) < 0.1
        assert sound.shape[0] == 2 and sound.std() > 0.01 and np.abs(sound).max() <= 1.01


def test_shots_and_scenes_partition_the_frames(films):
    for truth in _truths(films):
        for parts in (truth.shots, truth.scenes):
            assert parts[0].start_frame == 0 and parts[-1].end_frame == truth.frames
            assert all(a.end_frame == b.start_frame for a, b in pairwise(parts))
            assert all(part.end_frame > part.start_frame for part in parts)
        assert [b.frame for b in truth.boundaries] == [s.start_frame for s in truth.shots[1:]]


def test_transitions_lie_around_their_boundary_and_apart():
    for index in range(10):
        truth = truth_of(plan_title(index, 0))
        last = 0
        for boundary in truth.boundaries:
            assert last < boundary.first_frame <= boundary.frame <= boundary.last_frame
            assert boundary.last_frame < truth.frames
            last = boundary.last_frame
            length = boundary.last_frame - boundary.first_frame + 1
            assert length == 1 if boundary.kind == "cut" else 8 <= length <= 30
        assert any(b.kind == "dissolve" for b in truth.boundaries)


def test_subtitles_lie_within_the_film(films):
    out, paths = films
    found = 0
    for path, truth in zip(paths, _truths(films), strict=True):
        sidecar = out / f"{path.stem}.en.srt"
        assert sidecar.exists() == (truth.subtitles == "sidecar")
        if sidecar.exists():
            for line in pysubs2.load(str(sidecar)):
                assert 0 <= line.start < line.end <= truth.duration_us / 1000
                found += 1
    assert found
    with av.open(str(paths[2])) as media:
        assert media.streams.subtitles[0].codec_context.name in ("subrip", "srt")


def test_metadata_names_series_and_genres(films):
    out, paths = films
    metadata = json.loads((out / f"{paths[0].stem}.json").read_text())
    assert metadata["kind"] == "episode" and metadata["series"] and metadata["genres"]


def test_a_second_run_renders_nothing(films):
    out, paths = films
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert generate(out, titles=3, seconds=SECONDS) == paths
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert after == before
    assert not list(out.rglob("*.part"))


def test_other_settings_do_not_replace_files(films):
    with pytest.raises(MediaFMError, match="other settings"):
        generate(films[0], titles=1, seconds=SECONDS, seed=7)


def test_the_catalog_is_varied():
    plans = [plan_title(index, 0) for index in range(10)]
    assert len({plan.slug for plan in plans}) == 10
    assert len({plan.entry.series for plan in plans if plan.entry.episode}) in (2, 3)
    assert sum(plan.entry.episode is None for plan in plans) >= 2
    assert len({plan.genres[0] for plan in plans}) >= 5
    assert len({scene.tone for plan in plans for scene in plan.scenes}) >= 7
    assert any(not plan.entry.sound for plan in plans)
    assert any(plan.entry.subtitles == "none" for plan in plans)
    for plan in plans:
        rate = float(plan.entry.fps)
        assert 55 <= plan.seconds <= 120 and 20 <= len(plan.shots) <= 42
        assert any(12 <= shot.frames <= 20 for shot in plan.shots)
        assert all(12 <= shot.frames <= math.ceil(7 * rate) for shot in plan.shots)


def test_labels_and_pixels_depend_on_the_seed_alone():
    assert truth_of(plan_title(1, 3)) == truth_of(plan_title(1, 3))
    assert truth_of(plan_title(1, 3)) != truth_of(plan_title(1, 4))
    first, second = (next(Renderer(plan_title(1, 3, 10)).frames()) for _ in range(2))
    assert (first == second).all()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(MediaFMError, match="not a folder"):
        generate(tmp_path / "x", titles=1, seconds=SECONDS)
    with pytest.raises(MediaFMError, match="ask for 1 to"):
        generate(tmp_path, titles=0)


def test_a_broken_truth_file_is_named(tmp_path):
    path = tmp_path / "x.truth.json"
    path.write_text("[]")
    with pytest.raises(MediaFMError, match="not a truth file"):
        load_truth(path)
