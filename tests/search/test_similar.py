"""What is like a shot, a clip, a title: against plain computations."""

import itertools

import numpy as np
import pytest

from mediafm.catalog import Catalog, indexes
from mediafm.errors import CatalogError, MediaFMError
from mediafm.search import (
    Filter,
    parse_clip,
    similar,
    similar_clips,
    similar_titles,
)
from mediafm.timeline import US, Span

TITLES = ("city", "farm", "sea")


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


# ---- shots


def test_shots_equal_sorting_all_cosines(catalog):
    shot, hits = similar(catalog, "sea", 3 * US, 4)
    assert shot.index == 1
    x = {name: catalog.embeddings("v", name) for name in TITLES}
    scores = [
        (cosine(v, x["sea"][1]), name, i)
        for name in TITLES
        for i, v in enumerate(x[name])
        if (name, i) != ("sea", 1)
    ]
    expected = sorted(scores, reverse=True)[:4]
    assert [(h.title_id, h.shot) for h in hits] == [(name, i) for _, name, i in expected]
    assert [h.score for h in hits] == pytest.approx([s for s, _, _ in expected], abs=1e-3)
    assert all(h.span == catalog.shots(h.title_id)[h.shot].span for h in hits)


def test_elsewhere_leaves_the_own_title_out(catalog):
    _, hits = similar(catalog, "sea", 0, 20, elsewhere=True)
    assert {hit.title_id for hit in hits} == {"city", "farm"}
    assert len(hits) == 12


def test_asking_for_more_than_there_are(catalog):
    _, hits = similar(catalog, "sea", 0, 100)
    assert len(hits) == 19


def test_beyond_the_end_and_unknown_titles(catalog):
    with pytest.raises(MediaFMError, match=r"runs from 00:00:00\.000 to 00:00:22\.000"):
        similar(catalog, "sea", 22 * US)
    with pytest.raises(CatalogError, match="no title 'three'"):
        similar(catalog, "three", 0)


def test_out_of_context_one_modality_or_all_need_no_version(catalog):
    shot, by_video = similar(catalog, "sea", 0, 6, features="video")
    mean = np.concatenate([catalog.features(n, "video")[0] for n in TITLES]).astype(float).mean(0)
    x = {n: catalog.features(n, "video")[0].astype(float) - mean for n in TITLES}
    expected = sorted(
        ((cosine(v, x["sea"][shot.index]), n, i) for n in TITLES for i, v in enumerate(x[n])),
        reverse=True,
    )[1:7]
    assert [(h.title_id, h.shot) for h in by_video] == [e[1:] for e in expected]
    assert [h.because["video"] for h in by_video] == pytest.approx(
        [e[0] for e in expected], abs=1e-2
    )
    _, fused = similar(catalog, "sea", 0, 6, features="fused")
    _, by_text = similar(catalog, "sea", 0, 6, features="text")
    assert all(h.text for h in by_text)  # shots of which something is said
    assert [h.score for h in fused] != pytest.approx([h.score for h in by_video], abs=1e-2)
    with pytest.raises(
        MediaFMError, match="there are no features 'smell'; choose context or fused"
    ):
        similar(catalog, "sea", 0, features="smell")
    with pytest.raises(MediaFMError, match="are the same for every version"):
        similar(catalog, "sea", 0, features="fused", version="v")
    silent = next(
        s for s in catalog.shots("sea") if not catalog.features("sea", "text")[1][s.index]
    )
    with pytest.raises(CatalogError, match=r"nothing is known of .* by text; compare by other"):
        similar(catalog, "sea", silent.span.start, features="text")


def test_it_says_what_is_alike_and_what_is_said(catalog):
    _, hits = similar(catalog, "sea", 0, 19)
    said = {(h.title_id, h.shot): h.text for h in hits}
    assert said["city", 0] == "A storm of protest"
    assert said["sea", 3] == "Bring in the boats"
    spoken = [h for h in hits if h.text]
    assert spoken and all(set(h.because) == {"video", "text"} for h in spoken)
    assert all(set(h.because) == {"video"} for h in hits if not h.text)


def test_an_empty_catalog_has_no_version(tmp_path):
    empty = Catalog.create(tmp_path / "empty")
    with pytest.raises(CatalogError, match="no title 'sea'"):
        similar(empty, "sea", 0)


# ---- clips


def clip_vector(catalog, name, first, end):
    shots = catalog.shots(name)[first:end]
    weight_K = np.array([s.span.duration for s in shots], float)
    return weight_K @ catalog.embeddings("v", name)[first:end]


def test_clips_are_the_best_of_all_runs_of_about_that_length(catalog):
    query = clip_vector(catalog, "sea", 1, 3)  # 2 .. 6 s: 4 s
    hits = similar_clips(catalog, "sea", Span(2 * US, 6 * US), 50, elsewhere=True)
    for hit in hits:
        shots = catalog.shots(hit.title_id)
        end = next(s.index + 1 for s in shots if s.span.end == hit.span.end)
        assert hit.score == pytest.approx(
            cosine(clip_vector(catalog, hit.title_id, hit.shot, end), query), abs=1e-3
        )
        # No other number of shots from there comes nearer to the length.
        lengths = [s.span.end - hit.span.start for s in shots[hit.shot :]]
        assert abs(hit.span.duration - 4 * US) == min(abs(n - 4 * US) for n in lengths)
    for a, b in itertools.combinations(hits, 2):
        assert a.title_id != b.title_id or not a.span.overlap(b.span)
    assert hits == sorted(hits, key=lambda h: -h.score)
    best = max(
        cosine(clip_vector(catalog, "farm", i, i + 1), query) for i in range(5)
    )  # three seconds each: one shot is nearer to four than two
    assert max(h.score for h in hits if h.title_id == "farm") == pytest.approx(best, abs=1e-3)


def test_the_clip_itself_is_not_among_them(catalog):
    hits = similar_clips(catalog, "sea", Span(2 * US, 6 * US), 50)
    assert any(hit.title_id == "sea" for hit in hits)
    assert not any(h.title_id == "sea" and h.span.overlap(Span(2 * US, 6 * US)) for h in hits)
    whole = similar_clips(catalog, "sea", Span(0, 22 * US), 5)
    assert {hit.title_id for hit in whole} == {"city", "farm"}


def test_clips_of_a_large_catalog_are_looked_for_around_near_shots(catalog, monkeypatch):
    exact = similar_clips(catalog, "sea", Span(2 * US, 6 * US), 3)
    monkeypatch.setattr(indexes, "EXACT", 5)
    assert similar_clips(catalog, "sea", Span(2 * US, 6 * US), 3) == exact


def test_spans_outside_the_title(catalog):
    with pytest.raises(CatalogError, match=r"there is no clip .* runs from 00:00:00\.000 to"):
        similar_clips(catalog, "sea", Span(30 * US, 40 * US))


# ---- titles


def test_titles_by_the_mean_of_their_shots(catalog):
    hits = similar_titles(catalog, "sea", 5)
    means = {n: catalog.title_embedding(n) for n in TITLES}
    centre = np.mean(list(means.values()), axis=0)
    expected = {n: cosine(means[n] - centre, means["sea"] - centre) for n in ("city", "farm")}
    assert {h.title_id: h.score for h in hits} == pytest.approx(expected, abs=1e-3)
    assert [h.title_id for h in hits] == sorted(expected, key=lambda n: -expected[n])
    assert [
        h.title_id for h in similar_titles(catalog, "sea", where=Filter(genres=["comedy"]))
    ] == ["farm"]


# ---- where to look


@pytest.mark.parametrize(
    ("where", "titles"),
    [
        (Filter(titles=["city"]), {"city"}),
        (Filter(series=["places"]), {"city", "sea"}),
        (Filter(genres=["drama"]), {"city", "sea"}),
        (Filter(genres=["crime", "comedy"]), {"city", "farm"}),
        (Filter(tags=["storm"]), {"sea"}),
        (Filter(genres=["drama"], tags=["water"]), {"sea"}),
        (Filter(), {"city", "farm", "sea"}),
    ],
)
def test_filters_by_what_is_known_of_titles(catalog, where, titles):
    _, hits = similar(catalog, "farm", 0, 50, where=where)
    assert {hit.title_id for hit in hits} == titles
    clips = similar_clips(catalog, "farm", Span(0, 3 * US), 50, where=where)
    assert {hit.title_id for hit in clips} == titles


@pytest.mark.parametrize("find", ["shots", "clips"])
def test_filters_by_time(catalog, find):
    where = Filter(after=3 * US, before=9 * US)
    if find == "shots":
        _, hits = similar(catalog, "farm", 0, 50, where=where)
        expected = sum(
            where.holds(s.span)
            for n in TITLES
            for s in catalog.shots(n)
            if (n, s.index) != ("farm", 0)
        )
        assert len(hits) == expected
    else:
        hits = similar_clips(catalog, "farm", Span(0, 3 * US), 50, where=where)
    assert hits
    assert all(h.span.start >= 3 * US and h.span.end <= 9 * US for h in hits)
    _, [only] = similar(catalog, "farm", 0, 1, where=Filter(titles=["sea"], after=19 * US))
    assert only.span == Span(20 * US, 22 * US)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"titles": ["seas"]}, "no title 'seas'.*did you mean 'sea'"),
        ({"series": ["place"]}, "no title of series 'place'; did you mean 'places'"),
        ({"genres": ["western"]}, "no title of genre 'western'; there are Comedy, Crime, Drama"),
        ({"tags": ["strom"]}, "no title of tag 'strom'; did you mean 'Storm'"),
        ({"after": 5, "before": 5}, "nothing lies after"),
    ],
)
def test_names_that_nothing_has(catalog, where, message):
    with pytest.raises(MediaFMError, match=message):
        similar(catalog, "farm", 0, where=Filter(**where))


def test_places_and_clips_as_people_write_them():
    assert parse_clip("a/b@00:01:30.5") == ("a/b", 90_500_000, None)
    assert parse_clip("me@home@90") == ("me@home", 90_000_000, None)
    with pytest.raises(MediaFMError, match="not a time"):
        parse_clip("film@soon")
    assert parse_clip("film@3:10") == ("film", 190 * US, None)
    assert parse_clip("me@home@3:10-3:24.5") == ("me@home", 190 * US, 204_500_000)
    for wrong in ("film@3:10-", "film@-5", "film@a-b", "film@1-2-3"):
        with pytest.raises(MediaFMError, match=r"not a time|lacks a time"):
            parse_clip(wrong)
    with pytest.raises(MediaFMError, match="names no time"):
        parse_clip("film")
