"""Clips, artwork and ad breaks: what must hold of each, and what probes change."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from suggest_kit import jpeg

from mediafm.catalog import Catalog, TitleRecord
from mediafm.cli.main import main
from mediafm.errors import CatalogError, MediaFMError
from mediafm.suggest import (
    find_scenes,
    suggest_artwork,
    suggest_breaks,
    suggest_clips,
)
from mediafm.suggest.artwork import sharpness
from mediafm.suggest.clips import SPOILER, Boundaries, candidates
from mediafm.suggest.suggestion import diverse, percentile
from mediafm.timeline import US, Cue, Shot, Span

from probe_kit import mood_rows  # isort: skip

CUTS = 300_000  # microseconds a cue may stick out of a clip


def spoken(catalog):
    return [cue.span for cue in catalog.cues("film") if cue.kind != "sound"]


# ---- clips


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=40),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 8)), max_size=20),
    st.integers(1, 10),
    st.integers(0, 50),
)
def test_candidates_are_runs_of_shots_that_cut_nobody_short(lengths, speech, shortest, more):
    ends = np.cumsum(lengths).tolist()
    shots = [
        Shot(i, Span((e - n) * US, e * US))
        for i, (e, n) in enumerate(zip(ends, lengths, strict=True))
    ]
    cues = [Cue(Span(a * US, (a + n) * US), "so it is.") for a, n in speech]
    low, high = shortest * US, (shortest + more) * US
    starts, stops = {s.span.start for s in shots}, {s.span.end for s in shots}
    for span in candidates(shots, cues, low, high):
        assert span.start in starts
        assert span.end in stops
        assert low <= span.duration <= high
        for cue in cues:
            for cut in (span.start, span.end):
                assert not cue.span.start + CUTS < cut < cue.span.end - CUTS


def test_a_clip_does_not_begin_in_the_middle_of_a_sentence(film):
    boundaries = Boundaries(film.cues("film"))
    assert boundaries.begins(0)
    assert not boundaries.begins(4_100_000)  # "This goes on" | "until here."
    assert boundaries.ends(6 * US)
    assert boundaries.speaks(2 * US)
    assert not boundaries.speaks(10 * US)
    assert boundaries.pause(10 * US) == 2 * US
    assert boundaries.pause(31 * US) == 0
    bare = Boundaries([Cue(Span(0, US), "no marks"), Cue(Span(2 * US, 3 * US), "at all")])
    assert bare.begins(1_500_000)  # where nobody sets full stops they say nothing


def test_clips_are_apart_of_the_right_length_and_spoil_nothing(film):
    found = suggest_clips(film, "film", 6, shortest=4 * US, longest=12 * US)
    assert 2 <= len(found.found) <= 6
    assert found.by == ("stands out", "speech")
    assert "neither 'clip-retrieval' nor 'clip-popularity' is fitted" in found.notes[-1]
    end = film.shots("film")[-1].span.end
    for one in found.found:
        assert 4 * US <= one.span.duration <= 12 * US
        assert one.span.end <= SPOILER * end
        assert 0 <= one.score <= 1
        assert one.reasons
    for a, b in itertools.combinations(found.found, 2):
        assert not a.span.overlap(b.span)
    assert found == suggest_clips(film, "film", 6, shortest=4 * US, longest=12 * US)
    late = suggest_clips(film, "film", 50, shortest=4 * US, longest=12 * US, spoilers=True)
    assert max(one.span.end for one in late.found) > SPOILER * end


def test_where_no_clip_fits_that_is_said(film):
    found = suggest_clips(film, "film", shortest=100 * US, longest=200 * US)
    assert found.found == []
    assert "no run of shots lasts 100 to 200 s" in found.notes[0]
    with pytest.raises(MediaFMError, match="swap the lengths"):
        suggest_clips(film, "film", shortest=9 * US, longest=5 * US)


def moods(title_id):
    return [row["mood"] for row in mood_rows() if row["title_id"] == title_id]


def test_fitted_probes_rank_the_clips(probed, capsys):
    catalog, probes = probed
    glad = every = 0
    for title in catalog.titles():
        found = suggest_clips(catalog, title.title_id, 1, probes=probes, longest=8 * US)
        assert found.by == ("clip-retrieval", "clip-popularity")
        assert found.notes == ()
        [best] = found.found
        own = [
            mood
            for shot, mood in zip(catalog.shots(title.title_id), moods(title.title_id), strict=True)
            if best.span.overlap(shot.span)
        ]
        glad += own.count("glad")
        every += len(own)
    assert glad > 0.5 * every  # a third by chance


# ---- ad breaks


@pytest.mark.parametrize("spacing", [0, 5, 12, 20])
def test_breaks_lie_between_scenes_apart_and_away_from_speech(film, spacing):
    found = suggest_breaks(film, "film", spacing=spacing * US)
    begins = {scene.span.start for scene in find_scenes(film, "film").scenes[1:]}
    times = [one.span.start for one in found.found]
    end = film.shots("film")[-1].span.end
    assert times == sorted(times)
    assert set(times) <= begins
    assert all(spacing * US <= time <= end - spacing * US for time in times)
    assert all(b - a >= spacing * US for a, b in itertools.pairwise(times))
    for time in times:
        assert not any(span.start + CUTS < time < span.end - CUTS for span in spoken(film))
    assert any("no probe 'ad-relevancy' is fitted" in note for note in found.notes)


def test_no_room_for_a_break_is_said(film):
    found = suggest_breaks(film, "film", spacing=40 * US)
    assert found.found == []
    assert "no scene begins 40 s or more from both ends" in found.notes[-1]
    with pytest.raises(MediaFMError, match="above 0"):
        suggest_breaks(film, "film", spacing=-1)


def test_excluded_categories_are_beside_no_break(probed):
    catalog, probes = probed
    seen = set()
    for title in catalog.titles():
        found = suggest_breaks(catalog, title.title_id, probes=probes, spacing=4 * US)
        assert found.by == ("novelty", "ad-relevancy")
        seen |= {kind for one in found.found for kind in (*one.before, *one.after)}
        without = suggest_breaks(
            catalog, title.title_id, probes=probes, spacing=4 * US, exclude=["grim"]
        )
        assert all("grim" not in (*one.before, *one.after) for one in without.found)
    assert "grim" in seen
    with pytest.raises(MediaFMError, match="no probe tells the category 'noir'; it knows calm"):
        suggest_breaks(catalog, "t0", probes=probes, exclude=["noir"])
    with pytest.raises(MediaFMError, match="fit one: mediafm probe fit ad-relevancy"):
        suggest_breaks(catalog, "t0", exclude=["grim"])


# ---- artwork


def test_artwork_is_sharp_bright_and_spoils_nothing(film):
    found = suggest_artwork(film, "film", 30)
    shots = [one.shot for one in found.found]
    assert 6 not in shots  # dark
    assert max(film.shots("film")[i].span.end for i in shots) <= SPOILER * 64 * US
    first = suggest_artwork(film, "film", 4)
    assert all(one.shot % 4 != 3 for one in first.found)  # not the blurred ones
    assert len({one.shot for one in first.found}) == 4
    assert suggest_artwork(film, "film", 50, spoilers=True).found[len(shots) :]


def test_sharpness_falls_with_blur():
    scores = [sharpness(jpeg(3, blur)) for blur in (0.0, 1.0, 3.0, 8.0)]
    assert scores == sorted(scores, reverse=True)
    assert sharpness(jpeg(3, dark=True)) is None
    assert sharpness(b"no picture") is None
    assert sharpness(b"") is None


def test_titles_without_pictures_or_shots(probed, tmp_path):
    catalog, _ = probed
    with pytest.raises(MediaFMError, match="has no keyframes; ingest its film"):
        suggest_artwork(catalog, "t0")
    empty = Catalog.create(tmp_path / "empty")
    with empty.writer("t") as writer:
        writer.commit(TitleRecord("t", ""))
    for suggest in (suggest_clips, suggest_breaks):
        with pytest.raises(MediaFMError, match="has no shots"):
            suggest(empty, "t")
    with pytest.raises(CatalogError, match="did you mean 't3'"):
        suggest_clips(catalog, "t33")


# ---- what they share


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-5, 5), max_size=12))
def test_percentiles_order_as_the_scores(scores):
    p_N = percentile(scores)
    assert len(p_N) == len(scores)
    assert all(0 <= p <= 1 for p in p_N)
    for i, j in itertools.combinations(range(len(scores)), 2):
        assert np.sign(scores[i] - scores[j]) == np.sign(p_N[i] - p_N[j])


def test_picks_are_unlike_one_another():
    spans = [Span(i, i + 1) for i in range(4)]
    x_NH = np.array([[1, 0], [1, 0], [0, 1], [0.6, 0.8]], float)
    score_N = np.array([1.0, 0.9, 0.7, 0.2])
    assert diverse(score_N, x_NH, spans, 2) == [0, 2]
    assert diverse(score_N, x_NH, spans, 2, weight=0.0) == [0, 1]
    assert diverse(score_N, x_NH, [Span(0, 4)] * 4, 4) == [0]  # they overlap
    assert diverse(score_N, x_NH, spans, 9) == [0, 2, 1, 3]


def test_commands(film, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDIAFM_CATALOG", film.uri)
    assert main(["suggest", "clips", "film", "--shortest", "4", "--longest", "0:12", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [Span(**one["span"]) for one in told["found"]] == [
        one.span for one in suggest_clips(film, "film", shortest=4 * US, longest=12 * US).found
    ]
    assert main(["suggest", "artwork", "film", "-n", "2", "-o", "art"]) == 0
    pictures = sorted(Path("art").iterdir())
    assert [Image.open(path).format for path in pictures] == ["JPEG", "JPEG"]
    assert main(["suggest", "ad-breaks", "film", "--spacing", "0:05"]) == 0
    assert "a new scene begins" in capsys.readouterr().out
    Path("file").write_text("")
    assert main(["suggest", "artwork", "film", "-o", "file/in"]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert main(["suggest", "clips", "film", "--shortest", "soon"]) == 1
    assert "'soon' is not a time" in capsys.readouterr().err
