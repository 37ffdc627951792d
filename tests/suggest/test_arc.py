"""Arcs: curves over titles and seasons, and the moments at their peaks."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from probe_kit import mood_rows

from mediafm.cli.main import main
from mediafm.errors import CatalogError, MediaFMError
from mediafm.suggest import find_arc
from mediafm.suggest.curves import Track, on_axis, peaks_of, smoothed
from mediafm.timeline import US, Shot, Span


def shots_of(lengths, start=0):
    ends = start + np.cumsum(lengths)
    return [
        Shot(i, Span(int((e - n) * US), int(e * US)))
        for i, (e, n) in enumerate(zip(ends, lengths, strict=True))
    ]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.floats(0, 1)), min_size=1, max_size=12),
    st.floats(0.5, 20),
    st.floats(0, 1),
)
def test_a_curve_is_the_mean_under_the_window(shots, width, place):
    lengths, values = zip(*shots, strict=True)
    end = sum(lengths)
    times_N2 = np.array([(s.span.start, s.span.end) for s in shots_of(lengths)])
    at = np.array([round(place * end * US)])
    got = smoothed(np.array(values)[:, None], times_N2, at, round(width * US))[0, 0]
    # The same by summing over many instants.
    t = (np.arange(20_000) + 0.5) / 20_000 * end
    value_T = np.array(values)[np.searchsorted(np.cumsum(lengths), t, side="right")]
    weight_T = np.exp(-0.5 * ((t - at[0] / US) / width) ** 2)
    assert got == pytest.approx((value_T * weight_T).sum() / weight_T.sum(), abs=2e-3)


def test_no_title_reaches_into_the_next():
    tracks = [
        Track("a", 0, shots_of([5, 5]), np.zeros((2, 1))),
        Track("b", 10 * US, shots_of([10], start=100), np.ones((1, 1))),
    ]
    time_G, value_GC = on_axis(tracks, 60 * US)
    assert (np.diff(time_G) > 0).all()
    assert time_G.min() > 0
    assert time_G.max() < 20 * US
    assert (value_GC[time_G < 10 * US] < 1e-9).all()
    assert (value_GC[time_G >= 10 * US] == 1).all()


def test_a_peak_is_named_by_the_shot_that_makes_it_in_its_own_title():
    first, second = np.zeros((6, 1)), np.zeros((6, 1))
    first[4], second[0] = 1.0, 0.4  # side by side on the axis, in two titles
    tracks = [
        Track("a", 0, shots_of([4] * 6), first),
        Track("b", 24 * US, shots_of([4] * 6, start=50), second),
    ]
    time_G, value_GC = on_axis(tracks, 2 * US)
    found = peaks_of(tracks, time_G, value_GC, np.ptp(value_GC, axis=0), [0], US, 5)
    assert [(track.title_id, shot) for _, _, track, shot in found] == [("a", 4), ("b", 0)]
    only = peaks_of(tracks, time_G, value_GC, np.ptp(value_GC, axis=0), [0], US, 1)
    assert [(track.title_id, shot) for _, _, track, shot in only] == [("a", 4)]


def test_a_curve_that_hardly_moves_beside_others_has_no_peaks():
    value_N2 = np.zeros((8, 2))
    value_N2[3] = (1.0, 0.01)
    track = Track("a", 0, shots_of([3] * 8), value_N2)
    time_G, value_GC = on_axis([track], 2 * US)
    both = np.full(2, np.ptp(value_GC[:, 0]))
    assert {c for c, *_ in peaks_of([track], time_G, value_GC, both, [0, 1], US, 9)} == {0}
    own = np.ptp(value_GC, axis=0)
    assert {c for c, *_ in peaks_of([track], time_G, value_GC, own, [0, 1], US, 9)} == {0, 1}


def test_without_a_probe_the_arc_is_of_what_needs_none(film):
    found = find_arc(film, "film")
    assert found.by == ("pace", "speech", "unlike the rest")
    assert found.notes == ("no probe 'clip-tone' is fitted: by pace, speech, unlike the rest",)
    pace = dict(zip(found.times, found.curves[0].values, strict=True))
    quick = 60 / np.mean([2, 2, 3, 2])  # shots a minute: the shots there are 2 to 3 s long
    assert 60 / 5 <= min(pace.values()) <= max(pace.values()) <= quick
    speech = found.curves[1].values
    assert 0 <= min(speech) <= max(speech) <= 1
    at = next(peak for peak in found.peaks if peak.curve == "speech" and peak.said == "Long one.")
    assert at.span.start <= 33 * US <= at.span.end or at.span.touches(Span(30 * US, 36 * US))
    assert [peak.time for peak in found.peaks] == sorted(peak.time for peak in found.peaks)
    assert len(find_arc(film, "film", peaks=1).peaks) == 1
    wide = find_arc(film, "film", smooth=600 * US)
    assert np.ptp(wide.curves[1].values) < 0.1 * np.ptp(speech)


def test_a_probe_draws_its_classes_and_peaks_where_they_are(probed):
    catalog, probes = probed
    right = every = 0
    for number in range(8):
        own = [row["mood"] for row in mood_rows() if row["title_id"] == f"t{number}"]
        found = find_arc(catalog, f"t{number}", probes=probes)
        assert found.by == ("clip-tone",)
        assert [curve.name for curve in found.curves] == ["calm", "glad", "grim"]
        assert all(0 <= v <= 1 for curve in found.curves for v in curve.values)
        right += sum(own[peak.shot] == peak.curve for peak in found.peaks)
        every += len(found.peaks)
    assert every > 20
    assert right > 0.65 * every  # a third by chance; the probe itself errs at times
    whole = {curve.name: curve.values for curve in find_arc(catalog, "t0", probes=probes).curves}
    found = find_arc(catalog, "t0", probes=probes, classes=["grim", "grim", "glad"]).curves
    assert [curve.name for curve in found] == ["grim", "glad"]
    assert {curve.name: curve.values for curve in found}.items() <= whole.items()


def test_a_series_is_its_episodes_in_order(probed):
    catalog, probes = probed
    found = find_arc(catalog, "s1", probes=probes)
    assert found.name == "s1"
    assert [part.title_id for part in found.parts] == ["t2", "t3"]
    assert found.parts[1].offset == found.parts[0].span.duration
    assert found.duration == sum(part.span.duration for part in found.parts)
    for peak in found.peaks:
        part = next(part for part in found.parts if part.title_id == peak.title_id)
        assert part.offset <= peak.time < part.offset + part.span.duration
    whole = find_arc(catalog, "s1", season=1, probes=probes)
    assert whole.name == "s1, season 1"
    ranking = find_arc(catalog, "t0", probe="clip-popularity", probes=probes)
    assert ranking.curves[0].unit == "share of the shots of its title that are below"


def test_what_is_not_there_is_said(probed, film):
    catalog, probes = probed
    for name, season, said in (
        ("tt1", None, r"no title and no series 'tt1'; did you mean 't1'"),
        ("s1", 7, "no season 7; it has 1"),
        ("t1", 1, "is a title, and no series"),
    ):
        with pytest.raises((CatalogError, MediaFMError), match=said):
            find_arc(catalog, name, season=season, probes=probes)
    with pytest.raises(MediaFMError, match="has no class 'glat'; did you mean 'glad'"):
        find_arc(catalog, "t0", probes=probes, classes=["glat"])
    with pytest.raises(MediaFMError, match="no probe 'clip-tone' is fitted: nothing knows 'glad'"):
        find_arc(film, "film", classes=["glad"])
    with pytest.raises(MediaFMError, match=r"no probe 'tone' is fitted; there are .*clip-tone"):
        find_arc(catalog, "t0", probe="tone", probes=probes)
    with pytest.raises(MediaFMError, match="smooths nothing"):
        find_arc(film, "film", smooth=0)


def test_the_command_draws_a_picture_and_prints_the_peaks(film, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    where = ["-c", film.uri, "--probes", str(tmp_path / "none")]
    assert main(["arc", "film", *where]) == 0
    said = capsys.readouterr().out
    assert "no probe 'clip-tone' is fitted" in said
    assert "film-arc.png" in said
    with Image.open(tmp_path / "film-arc.png") as image:
        assert image.width == 1800
        assert len(image.convert("RGB").getcolors(1 << 24)) > 100
    assert main(["arc", "film", *where, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["picture"] is None
    assert len(found["times"]) == len(found["curves"][0]["values"])
    assert main(["arc", "film", *where, "-o", str(tmp_path / "a.svg")]) == 1
    assert "a picture cannot be written as .svg; name a .png file" in capsys.readouterr().err
    assert main(["arc", "film", *where, "--smooth", "soon"]) == 1
    assert "'soon' is not a time" in capsys.readouterr().err
