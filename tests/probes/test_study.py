"""Measuring, keeping, judging: on a small catalog with planted labels."""

import dataclasses

import numpy as np
import pytest
from probe_kit import make_catalog, make_version, mood_rows, write_csv, write_task

from mediafm.errors import MediaFMError
from mediafm.probes import bench as bench_module
from mediafm.probes.bench import Bench
from mediafm.probes.evaluate import evaluate, sides
from mediafm.probes.features import ClipFeatures, FeatureSpec
from mediafm.probes.gate import compare, gate, gate_versions
from mediafm.probes.kept import KeepError
from mediafm.probes.labels import load_labels
from mediafm.probes.study import Contender
from mediafm.probes.task import load_task

CONTEXT = Contender("context", "context", ("one",))
VIDEO = Contender("video", "video")


def test_planted_labels_are_found_and_shuffled_ones_are_not(catalog, mood, folder):
    labels = load_labels(mood, catalog)
    x_ND = ClipFeatures(catalog, FeatureSpec.parse("concatenated", ["audio", "video"])).of(
        labels.clips
    )
    run = evaluate(labels, x_ND)
    assert run.value > 0.9
    assert run.chance == pytest.approx(1 / 3, abs=0.05)
    rng = np.random.default_rng(0)
    rows = mood_rows()
    moods = rng.permutation([row["mood"] for row in rows])
    for row, other in zip(rows, moods, strict=True):
        row["mood"] = other
    write_csv(folder / "shuffled.csv", rows)
    control = evaluate(load_labels(mood.replace(labels=folder / "shuffled.csv"), catalog), x_ND)
    assert control.value == pytest.approx(control.chance, abs=0.1)


def test_every_clip_is_measured_once_and_by_other_groups(catalog, mood):
    labels = load_labels(mood, catalog)
    found = sides(labels)
    assert sum(found).tolist() == [1] * len(labels)
    for tested_N in found:
        groups = np.array(labels.groups)
        assert not set(groups[tested_N]) & set(groups[~tested_N])


def test_a_split_by_value_measures_that_side_only(catalog, folder):
    task = load_task(
        write_task(folder, "season", split={"by": "series", "column": "season", "test": ["2"]})
    )
    labels = load_labels(task, catalog)
    x_ND = ClipFeatures(catalog, FeatureSpec.parse("video", ["audio", "video"])).of(labels.clips)
    run = evaluate(labels, x_ND)
    assert set(run.predictions.groups) == {"s2", "s3"}
    assert run.fitted == (~labels.tested_N).sum()
    # What is measured never decides: other truths there, the same scores.
    swapped_NC = labels.y_NC.copy()
    swapped_NC[labels.tested_N] = swapped_NC[labels.tested_N][:, ::-1]
    object.__setattr__(labels, "y_NC", swapped_NC)
    np.testing.assert_array_equal(
        evaluate(labels, x_ND).predictions.score_NC, run.predictions.score_NC
    )


def test_few_labels_are_worse_than_all(catalog, mood):
    labels = load_labels(mood, catalog)
    x_ND = ClipFeatures(catalog, FeatureSpec.parse("video", ["audio", "video"])).of(labels.clips)
    few = evaluate(labels, x_ND, budget=6)
    assert few.fitted == 6
    assert few.value < evaluate(labels, x_ND).value


def test_a_ranking_orders_the_clips_of_unseen_titles(catalog, rate):
    labels = load_labels(rate, catalog)
    [run] = Bench(catalog).measure(labels, Contender("all", "concatenated"))
    assert run.value > 0.25  # knowing the moods would give 0.76, no mood at all 0
    assert run.chance == 0
    labels.y_NC[:] = np.random.default_rng(0).permutation(labels.y_NC)
    [control] = Bench(catalog).measure(labels, Contender("all", "concatenated"))
    assert abs(control.value) < 0.15


@pytest.mark.parametrize("cut", [False, True])
def test_measurements_are_kept_and_go_on(catalog, mood, change, tmp_path, monkeypatch, cut):
    tasks, work = [mood, change], tmp_path / "work"
    first = Bench(catalog, work).run(tasks, [VIDEO, CONTEXT])
    assert len(list(work.glob("*.npz"))) == 4
    torn = next(work.glob("*.npz"))
    torn.write_bytes(torn.read_bytes()[:-100] if cut else b"torn")
    calls = []
    monkeypatch.setattr(
        bench_module, "evaluate", lambda *a, **k: calls.append(1) or evaluate(*a, **k)
    )
    again = Bench(catalog, work).run(tasks, [VIDEO, CONTEXT])
    assert len(calls) == 1  # the torn one
    for old, new in zip(first.measurements, again.measurements, strict=True):
        np.testing.assert_allclose(
            old.runs[0].predictions.score_NC, new.runs[0].predictions.score_NC
        )
        assert old.runs[0].value == new.runs[0].value


def test_other_labels_and_other_settings_are_measured_anew(catalog, mood, folder, tmp_path):
    work = tmp_path / "work"
    Bench(catalog, work).run([mood], [VIDEO])
    rows = mood_rows()
    rows[0]["mood"] = "grim" if rows[0]["mood"] != "grim" else "calm"
    write_csv(folder / "changed.csv", rows)
    Bench(catalog, work).run([mood.replace(labels=folder / "changed.csv")], [VIDEO])
    Bench(catalog, work, seed=1).run([mood], [VIDEO])
    Bench(catalog, work).run([mood.replace(balance=True)], [VIDEO])
    assert len(list(work.glob("*.npz"))) == 4


def test_what_cannot_be_measured_is_said_and_the_rest_goes_on(catalog, mood, folder):
    missing = mood.replace(name="missing", labels=folder / "nowhere.csv")
    study = Bench(catalog).run([missing, mood], [VIDEO, Contender("tactile", "touch")])
    assert [m.contender.name for m in study.measurements] == ["video"]
    assert "nowhere.csv" in study.skipped[0]
    assert "there are no features 'touch'" in study.skipped[1]
    with pytest.raises(MediaFMError, match=r"nowhere\.csv"):
        Bench(catalog).run([missing], [VIDEO])
    with pytest.raises(MediaFMError, match=r"no task can be measured: missing: .*nowhere\.csv"):
        Bench(catalog).run([missing, missing.replace(name="again")], [VIDEO])
    with pytest.raises(MediaFMError, match="nothing could be measured: mood, tactile"):
        Bench(catalog).run([mood], [Contender("tactile", "touch")])


def test_versions_of_one_contender_are_its_seeds(catalog, mood):
    [measurement] = (
        Bench(catalog).run([mood], [Contender("context", "context", ("one", "two"))]).measurements
    )
    assert len(measurement.runs) == 2
    assert measurement.runs[0].value != measurement.runs[1].value


def test_labels_from_a_field_that_global_sees_are_refused(tmp_path):
    catalog = make_catalog(tmp_path, titles=4, shots=12)
    make_version(catalog, tmp_path / "model", metadata={"tags": 6})
    write_csv(tmp_path / "labels.csv", mood_rows(4, 12))
    task = load_task(write_task(tmp_path, derived_from=["tags"], split={"by": "title", "folds": 2}))
    labels, bench = load_labels(task, catalog), Bench(catalog)
    with pytest.raises(MediaFMError, match=r"tags, which \[GLOBAL\] of the model sees"):
        bench.measure(labels, CONTEXT)
    with pytest.raises(MediaFMError, match="knows the answer"):
        bench.measure(labels, Contender("alone", "context", ("one",), alone=True))
    # Without [GLOBAL], and without the model, nothing leaks.
    bench.measure(labels, Contender("blind", "context", ("one",), use_metadata=False))
    bench.measure(labels, VIDEO)
    # Another field of the metadata is no leak.
    bench.measure(load_labels(task.replace(derived_from=("genres",)), catalog), CONTEXT)


def test_the_model_of_a_version_is_found_or_asked_for(catalog, mood, folder, tmp_path):
    labels = load_labels(mood, catalog)
    alone = Contender("alone", "context", ("one",), alone=True)
    [run] = Bench(catalog).measure(labels, alone)
    (folder / "model").rename(folder / "moved")
    try:
        with pytest.raises(MediaFMError):
            Bench(catalog).measure(labels, alone)
        [again] = Bench(catalog, model=folder / "moved").measure(labels, alone)
        with pytest.raises(MediaFMError, match="is not the model that made version 'one'"):
            Bench(catalog, model=folder / "other").measure(labels, alone)
    finally:
        (folder / "moved").rename(folder / "model")
    np.testing.assert_array_equal(run.predictions.score_NC, again.predictions.score_NC)


def by_title(task):
    """Eight groups, where series are four."""
    return task.replace(split=dataclasses.replace(task.split, by="title"))


def test_the_gate_tells_better_worse_and_the_same(catalog, mood):
    bench, mood = Bench(catalog), by_title(mood)
    strong, weak = Contender("strong", "concatenated"), Contender("weak", "audio")
    [judged], study = gate(bench, [mood], strong, weak)
    assert (judged.outcome, study.skipped) == ("better", [])
    assert judged.difference.low > 0
    assert judged.ours.value - judged.theirs.value == pytest.approx(judged.difference.value)
    [judged], _ = gate(bench, [mood], weak, strong)
    assert judged.outcome == "worse"
    [judged], _ = gate(bench, [mood], strong, Contender("twin", "audio+video"))
    assert (judged.outcome, judged.difference.value) == ("same", 0.0)


def test_few_groups_decide_nothing(catalog, mood):
    strong, weak = Contender("strong", "concatenated"), Contender("weak", "audio")
    [judged], _ = gate(Bench(catalog), [mood], strong, weak)
    assert judged.difference.groups == 4
    assert judged.difference.low > 0
    assert judged.outcome == "unknown"


def test_what_is_the_same_for_every_version_is_no_gate(catalog, mood):
    with pytest.raises(MediaFMError, match="'audio' are the same for every version"):
        gate_versions(Bench(catalog), [mood], "one", "two", "audio")
    with pytest.raises(MediaFMError, match="against itself"):
        gate_versions(Bench(catalog), [mood], "one", "one")
    [judged], _ = gate_versions(Bench(catalog), [mood], "one", "two")
    assert judged.task == "mood"


def test_two_tasks_of_one_name_are_refused(catalog, mood, change):
    with pytest.raises(MediaFMError, match="two tasks are called 'mood'"):
        Bench(catalog).run([mood, change.replace(name="mood")], [VIDEO])


def test_stored_embeddings_are_bound_to_the_model_that_made_them(catalog, mood, folder):
    """Not to a model that was named, and that nobody asked."""
    bench = Bench(catalog, model=folder / "model")
    spec = FeatureSpec.parse("context", ["audio", "video"])
    assert bench.made_by(spec, None) == {"model": catalog.version().fingerprint}
    other = FeatureSpec.parse("untrained", ["audio", "video"])
    assert bench.made_by(other, None) == {"model": catalog.version("one").fingerprint}


def test_with_one_group_measured_nothing_is_known(catalog, folder):
    rows = [row | {"half": row["title_id"] in ("t0", "t1")} for row in mood_rows()]
    write_csv(folder / "half.csv", rows)
    split = {"by": "series", "column": "half", "test": ["True"]}
    task = load_task(write_task(folder, "one-group", labels="half.csv", split=split))
    [judged], _ = gate(Bench(catalog), [task], VIDEO, Contender("audio", "audio"))
    assert judged.outcome == "unknown"


@pytest.mark.parametrize("versions", [("one",), ("one", "two"), ("one", "two", "one")])
def test_what_is_compared_are_means_over_seeds(catalog, mood, versions):
    ours = Contender("context", "context", versions)
    theirs = Contender("untrained", "untrained", ("one", "two"))
    study = Bench(catalog).run([mood], [ours, theirs])
    a, b = study.of("mood").values()
    assert (len(a.runs), len(b.runs)) == (len(versions), 2)
    mean = np.mean([run.value for run in a.runs]) - np.mean([run.value for run in b.runs])
    assert compare(a, b).value == pytest.approx(mean)


def test_tasks_over_the_same_clips_share_features_and_design(catalog, mood, monkeypatch):
    from mediafm.probes import designs, features

    made = {"features": 0, "designs": 0}
    of = features.ClipFeatures.of

    def counted_of(self, clips, progress=None):
        made["features"] += 1
        return of(self, clips, progress)

    class Counted(designs.Rows):
        def __init__(self, x_ND):
            made["designs"] += 1
            super().__init__(x_ND)

    monkeypatch.setattr(features.ClipFeatures, "of", counted_of)
    monkeypatch.setattr(designs, "Rows", Counted)
    split = mood.split.__class__("series", 3, "season", ("2",))
    first = mood.replace(split=split)
    again = first.replace(name="again", column="change", kind="binary", metric="AP")
    both = Contender("context", "context", ("one", "two"))
    together = Bench(catalog).run([first, again], [both])
    assert made == {"features": 2, "designs": 2}  # one per version
    alone = Bench(catalog).run([again], [both])
    np.testing.assert_array_equal(
        together.of("again")["context"].runs[1].predictions.score_NC,
        alone.of("again")["context"].runs[1].predictions.score_NC,
    )


def test_a_full_disk_ends_the_study_and_keeps_what_was_measured(catalog, mood, change, make_disk):
    work = make_disk("1m") / "work"
    bench = Bench(catalog, work)
    bench.run([mood], [VIDEO])
    (work.parent / "ballast").write_bytes(bytes(1 << 20)[: _free(work)])
    with pytest.raises(KeepError, match="no space left on the disk"):
        bench.run([mood, change], [VIDEO, Contender("audio", "audio")])
    assert len(list(work.iterdir())) == 1  # whole, and no part of another


def _free(folder):
    import os

    held = os.statvfs(folder)
    return held.f_bavail * held.f_frsize
