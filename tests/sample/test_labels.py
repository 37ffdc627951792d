from __future__ import annotations

import csv
import json
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest

from mediafm.errors import MediaFMError
from mediafm.media.sidecars import find_media
from mediafm.probes.iab import load_taxonomy
from mediafm.sample import generate, labels
from mediafm.sample.labels import (
    TASKS,
    average_precision,
    ceilings,
    flip,
    judge,
    kendall_tau,
    plan_policies,
    write_labels,
)
from mediafm.sample.story import plan_title
from mediafm.sample.titles import ENTRIES
from mediafm.sample.truth import truth_of

TABLES = [*(f"{task}.csv" for task in TASKS), "popularity.csv"]
FILES = [*TABLES, "taxonomy.tsv", "ceiling.json"]


def _titles(count=10, seed=0, seconds=None):
    plans = [plan_title(index, seed, seconds) for index in range(count)]
    return [(plan.slug, truth_of(plan)) for plan in plans]


def _rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "labels"
    write_labels(folder, _titles(), 0)
    return folder


@pytest.mark.parametrize(("count", "seed", "seconds"), [(10, 0, None), (3, 5, 8), (12, 2, 40)])
def test_spans_meet_true_shot_boundaries_inside_one_scene(tmp_path, count, seed, seconds):
    titles = _titles(count, seed, seconds)
    assert [path.name for path in write_labels(tmp_path, titles, seed)] == FILES
    truths = dict(titles)
    for name in TABLES:
        rows = _rows(tmp_path / name)
        assert {row["title_id"] for row in rows} == set(truths)
        for row in rows:
            truth = truths[row["title_id"]]
            start, end = (Fraction(row[key]) * 1_000_000 for key in ("start", "end"))
            assert 0 <= start < end <= truth.duration_us
            first = {shot.start_us: shot.scene for shot in truth.shots}
            last = {shot.end_us: shot.scene for shot in truth.shots}
            assert first[int(start)] == last[int(end)]
            assert start.denominator == end.denominator == 1
        spans = [tuple(row[key] for key in ("title_id", "start", "end")) for row in rows]
        assert len(set(spans)) == len(spans) // (2 if name == "popularity.csv" else 1)


def test_each_task_has_its_column_and_known_labels(written):
    for task, (column, _, answers) in TASKS.items():
        rows = _rows(written / f"{task}.csv")
        assert list(rows[0]) == ["title_id", "start", "end", column]
        known = {"0", "1"} if list(answers) == [column] else {"", *answers}
        assert {value for row in rows for value in row[column].split("|")} <= known
    assert any(row["ad"] == "" for row in _rows(written / "ads.csv"))


def test_labels_have_positives_in_several_series():
    series = {plan_title(i, 0).slug: entry.series for i, entry in enumerate(ENTRIES)}
    for seed in range(3):
        for task in judge(_titles(seed=seed), seed):
            for name, true_N in zip(TASKS[task.task][2], task.true_NL.T, strict=True):
                found = [
                    series[clip.title_id]
                    for clip, true in zip(task.clips, true_N, strict=True)
                    if true
                ]
                assert len(found) >= 10 and len(set(found)) >= 2, (task.task, name)


def test_boundaries_and_genres_say_what_is_true(written):
    titles = dict(_titles())
    starts = {(n, s.start_us) for n, truth in titles.items() for s in truth.scenes[1:]}
    shots = _rows(written / "boundaries.csv")
    assert len(shots) == sum(len(truth.shots) for truth in titles.values())
    for row in shots:
        key = row["title_id"], int(Fraction(row["start"]) * 1_000_000)
        assert row["segment_boundary"] == str(int(key in starts))
    genres = defaultdict(set)
    for row in _rows(written / "genres.csv"):
        genres[row["title_id"]].add(row["genre"])
    assert genres["whisper-wood"] == {"suspense"}
    assert genres["harbour-lights-s01e02"] == {"drama|suspense"}


def test_clip_worthiness_is_about_one_to_three_per_title():
    for task in judge(_titles(), 0):
        if task.task == "clips":
            names = np.array([clip.title_id for clip in task.clips])
            for name in set(names):
                own = task.true_NL[names == name, 0]
                assert own.sum() == 5 and len(own) == 20


def test_every_ad_has_a_name_in_the_taxonomy_beside_it(written):
    taxonomy = load_taxonomy(written / "taxonomy.tsv")
    assert {taxonomy.name(ad) for ad in TASKS["ads"][2]} == {
        "Historic Site and Landmark Tours",
        "Parks & Nature",
        "Dating",
        "Cooking",
        "Dining Out",
        "Running and Jogging",
        "Shopping",
        "Sailing",
    }
    assert taxonomy.path("227") == "Healthy Living > Fitness and Exercise > Running and Jogging"
    assert taxonomy.parent("227") == "225"


def test_the_taxonomy_says_what_the_published_one_says(written, shared):
    published = load_taxonomy(shared / "data" / "iab-content-taxonomy-3.1.tsv").categories
    ours = load_taxonomy(written / "taxonomy.tsv").categories
    assert ours == {own: published[own] for own in ours}


@pytest.mark.parametrize("seconds", [None, 8])
def test_ceilings_lie_between_chance_and_one(tmp_path, seconds):
    write_labels(tmp_path, _titles(seconds=seconds), 0)
    report = json.loads((tmp_path / "ceiling.json").read_text())
    for task in [*TASKS, "popularity", "winner"]:
        found = report[task]
        assert 0 <= found["chance"] < found["ceiling"] <= 1
        exact = task in ("genres", "boundaries")
        assert (found["ceiling"] == 1.0) == exact and (found["deviation"] == 0.0) == exact


def test_a_ceiling_holds_for_the_noise_that_was_drawn():
    """The true answers score within a few deviations of the ceiling on the labels as given."""
    judged, policies = judge(_titles(), 0), plan_policies(_titles(), 0)
    found = ceilings(judged, policies, 0)
    assert found == ceilings(judged, policies, 0)
    for task in judged:
        if task.task in ("tones", "ads", "clips"):
            order = np.argsort(~task.true_NL.ravel(), kind="stable")
            score = average_precision(task.given_NL.ravel()[None, order])[0]
            assert score == pytest.approx(
                found[task.task]["ceiling"], abs=4 * found[task.task]["deviation"]
            )


def test_a_ceiling_that_does_not_exist_is_null():
    titles = _titles(3, 5, 12)
    found = ceilings(judge(titles, 5), plan_policies(titles, 5), 5)["clips"]
    assert found["ceiling"] is found["chance"] is None


def test_flips_have_the_stated_share():
    rng = np.random.default_rng(0)
    true = rng.random((20000, 4)) < 0.2
    changed = true ^ flip(true, 0.05, rng)
    assert changed[true].mean() == pytest.approx(0.05, abs=0.006)
    assert changed[~true].mean() == pytest.approx(0.05, abs=0.004)
    shares = defaultdict(list)
    for seed in range(8):
        for task in judge(_titles(seed=seed), seed):
            shares[task.task].append((task.true_NL ^ task.given_NL).mean())
    for task, (_, share, _) in TASKS.items():
        assert np.mean(shares[task]) == pytest.approx(share, abs=0.2 * share)


def test_click_rates_are_biased_and_weighing_by_propensity_repairs_them():
    rng, biases, errors = np.random.default_rng(0), [], []
    for policy in plan_policies(_titles(), 0):
        shown, clicks = policy.log(rng, scale=2000)
        biases.append(clicks[0].sum(0) / shown[0].sum(0) / policy.rates - 1)
        errors.append(policy.estimate(shown, clicks)[0] / policy.rates - 1)
    bias, error = np.abs(np.concatenate(biases)), np.abs(np.concatenate(errors))
    assert np.median(bias) > 0.1
    assert np.median(error) < 0.005 and error.max() < 0.03


def test_estimates_of_a_log_as_written_scatter_around_the_true_rate():
    policy = plan_policies(_titles(), 0)[0]
    seen = policy.estimate(*policy.log(np.random.default_rng(1), 2000))
    standard_error = seen.std(axis=0) / np.sqrt(len(seen))
    assert (np.abs(seen.mean(axis=0) - policy.rates) < 4 * standard_error + 1e-5).all()


def test_the_log_adds_up(written):
    rows, requests = _rows(written / "popularity.csv"), defaultdict(int)
    propensity = defaultdict(float)
    for row in rows:
        assert 0 <= int(row["clicks"]) <= int(row["impressions"])
        requests[row["title_id"], row["segment"]] += int(row["impressions"])
        propensity[row["title_id"], row["segment"]] += float(row["propensity"])
        assert 0 < float(row["propensity"]) < 1
    assert len(requests) == 20
    assert all(n == labels.SEGMENTS[segment][0] for (_, segment), n in requests.items())
    assert all(total == pytest.approx(1, abs=1e-5) for total in propensity.values())
    for name in {row["title_id"] for row in rows}:
        assert (
            8 <= len({row["start"] + row["end"] for row in rows if row["title_id"] == name}) <= 12
        )


def test_labels_depend_on_seed_and_title_alone(tmp_path):
    few = write_labels(tmp_path / "a", _titles(4), 0)
    many = write_labels(tmp_path / "b", _titles(6), 0)
    other = write_labels(tmp_path / "c", _titles(4, seed=1), 1)
    tables = slice(len(TABLES))
    for a, b, c in zip(few[tables], many[tables], other[tables], strict=True):
        assert b.read_bytes().startswith(a.read_bytes())
        assert a.read_bytes() != c.read_bytes()
    write_labels(tmp_path / "d", _titles(4), 0)
    for path in few:
        assert path.read_bytes() == (tmp_path / "d" / path.name).read_bytes()


def test_labels_are_kept_until_settings_differ_or_one_is_missing(tmp_path):
    files = write_labels(tmp_path, _titles(2), 0)
    before = {path: path.stat().st_mtime_ns for path in files}
    write_labels(tmp_path, _titles(2), 0)
    assert {path: path.stat().st_mtime_ns for path in files} == before
    texts = {path: path.read_bytes() for path in files}
    write_labels(tmp_path, _titles(3), 0)
    assert all((p.read_bytes() == texts[p]) == (p.name == "taxonomy.tsv") for p in files)
    (tmp_path / "ads.csv").unlink()
    write_labels(tmp_path, _titles(2), 0)
    assert {path: path.read_bytes() for path in files} == texts
    (tmp_path / "ceiling.json").write_text("[]")
    write_labels(tmp_path, _titles(2), 0)
    assert {path: path.read_bytes() for path in files} == texts
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


def test_an_interrupted_write_is_made_again(tmp_path, monkeypatch):
    """Files of new settings never stand beside a report of the old ones."""
    old = write_labels(tmp_path, _titles(2), 0)
    texts = {path: path.read_bytes() for path in old}
    real = labels.write_whole

    def stop(path, content):
        if path.name == "ads.csv":
            raise OSError(28, "full")
        real(path, content)

    monkeypatch.setattr(labels, "write_whole", stop)
    with pytest.raises(MediaFMError, match="no space left"):
        write_labels(tmp_path, _titles(3), 0)
    monkeypatch.undo()
    write_labels(tmp_path, _titles(2), 0)
    assert {path: path.read_bytes() for path in old} == texts


def test_average_precision_and_tau_are_those_of_the_books():
    assert average_precision(np.array([[1, 0, 1, 0], [0, 0, 0, 1]], bool)) == pytest.approx(
        [(1 + 2 / 3) / 2, 1 / 4]
    )
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, 12).astype(float), rng.normal(size=12)
    assert kendall_tau(a, b) == pytest.approx(stats.kendalltau(a, b).statistic)
    assert kendall_tau(np.ones(3), b[:3]) == 0


def test_generate_writes_labels_under_the_ids_of_ingest(tmp_path):
    paths = generate(tmp_path, titles=1, seconds=8)
    ids = {item.title_id for item in find_media([tmp_path])}
    assert ids == {path.stem for path in paths}
    assert {row["title_id"] for row in _rows(tmp_path / "labels" / "tones.csv")} == ids
    assert sorted(path.name for path in (tmp_path / "labels").iterdir()) == sorted(FILES)
