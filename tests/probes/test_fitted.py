"""Fitted probes: kept, and used for tags."""

import dataclasses
import json
import threading

import numpy as np
import pyarrow.parquet as pq
import pytest
from probe_kit import SECONDS, mood_rows

from mediafm.errors import FingerprintError, MediaFMError
from mediafm.probes.apply import apply, write_tags
from mediafm.probes.artifact import Probe, list_probes
from mediafm.probes.bench import Bench
from mediafm.probes.evaluate import fit_all
from mediafm.probes.labels import load_labels
from mediafm.probes.study import Contender
from mediafm.timeline import US, Clip, Span

CONTEXT = Contender("context", "context", ("one",))
VIDEO = Contender("video", "video")


def fitted(catalog, task, contender=VIDEO, version=None):
    bench, labels = Bench(catalog), load_labels(task, catalog)
    spec = bench.spec(contender)
    head = fit_all(labels, bench.vectors(labels, spec, version)).head
    return Probe(task.name, head, spec, bench.made_by(spec, version), measured={"value": 0.5})


def test_a_probe_comes_back_from_its_files_as_it_was(catalog, mood, tmp_path):
    probe = fitted(catalog, mood, CONTEXT, "one")
    probe.save(tmp_path / "mood")
    held = Probe.load(tmp_path / "mood")
    assert held.fingerprint == probe.fingerprint
    assert (held.name, held.spec, held.made_by) == (probe.name, probe.spec, probe.made_by)
    x_ND = np.random.default_rng(0).normal(size=(5, 16)).astype(np.float32)
    np.testing.assert_array_equal(held.head.probabilities(x_ND), probe.head.probabilities(x_ND))
    assert sum(f.stat().st_size for f in (tmp_path / "mood").iterdir()) < 10_000
    [listed], wrong = list_probes(tmp_path)
    assert (listed.name, wrong) == ("mood", [])


CHANGES = {
    "classes the other way round": {"classes": ["grim", "glad", "calm"]},
    "names the other way round": {"titles": ["grim", "glad", "calm"]},
    "another kind": {"kind": "multi-label"},
    "a class less": {"classes": ["calm", "glad"]},
    "another version": {"version": "two"},
    "weights elsewhere": {"weights": "../other.safetensors"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_said_of_a_probe_is_bound_to_it(catalog, mood, tmp_path, change):
    fitted(catalog, mood).save(tmp_path / "mood")
    about = tmp_path / "mood" / "probe.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), **CHANGES[change]}))
    with pytest.raises(MediaFMError, match="fit it anew"):
        Probe.load(tmp_path / "mood")


def test_a_probe_that_is_fitted_anew_meanwhile_is_the_old_or_the_new_one(catalog, mood, tmp_path):
    probe = fitted(catalog, mood)
    probes = [dataclasses.replace(probe, version=str(i)) for i in range(40)]
    probes[0].save(tmp_path / "mood")
    done = threading.Event()

    def writing():
        for own in probes:
            own.save(tmp_path / "mood")
        done.set()

    writer = threading.Thread(target=writing)
    writer.start()
    seen = []
    while not done.is_set():
        seen.append(int(Probe.load(tmp_path / "mood").version))
    writer.join()
    assert seen == sorted(seen)
    assert int(Probe.load(tmp_path / "mood").version) == 39
    assert len(list((tmp_path / "mood").iterdir())) == 2


@pytest.mark.parametrize("damage", ["cut", "other weights", "no json", "format"])
def test_a_damaged_probe_is_one_line(catalog, mood, tmp_path, damage):
    fitted(catalog, mood).save(tmp_path / "mood")
    [weights], about = (tmp_path / "mood").glob("*.safetensors"), tmp_path / "mood" / "probe.json"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-20])
    elif damage == "other weights":
        weights.write_bytes(weights.read_bytes()[:-4] + b"\1\2\3\4")
    elif damage == "no json":
        about.write_text("{")
    else:
        about.write_text(json.dumps({**json.loads(about.read_text()), "format": 99}))
    with pytest.raises(MediaFMError, match="fit it anew"):
        Probe.load(tmp_path / "mood")
    assert len(list_probes(tmp_path)[1]) == 1


def test_a_probe_is_bound_to_what_made_its_features(catalog, mood):
    probe, bench = fitted(catalog, mood, CONTEXT, "one"), Bench(catalog)
    probe.check(bench.made_by(probe.spec, "one"))
    with pytest.raises(FingerprintError, match="was fitted on model"):
        probe.check(bench.made_by(probe.spec, "two"))
    raw = fitted(catalog, mood)  # video only: any model will do
    raw.check(bench.made_by(raw.spec, "two"))


def test_tags_of_every_shot_are_those_of_the_probe(catalog, mood, tmp_path):
    probe = fitted(catalog, mood)
    found = dict(apply(probe, catalog))
    assert list(found) == [f"t{i}" for i in range(8)]
    truth = {(r["title_id"], r["start"] * US): r["mood"] for r in mood_rows()}
    given = [tag for tags in found.values() for tag in tags if tag.given]
    assert len(given) == 8 * 24  # exactly one class each
    right = [truth[t.clip.title_id, t.clip.span.start] == t.name for t in given]
    assert np.mean(right) > 0.85
    for suffix in (".parquet", ".csv", ".jsonl"):
        out = tmp_path / f"tags{suffix}"
        done = write_tags(out, probe, apply(probe, catalog))
        assert (done.titles, done.clips, done.given) == (8, 192, 192)
    table = pq.read_table(tmp_path / "tags.parquet").to_pylist()
    lines = [json.loads(x) for x in (tmp_path / "tags.jsonl").read_text().splitlines()]
    assert table == lines
    assert len((tmp_path / "tags.csv").read_text().splitlines()) == 193
    every = write_tags(tmp_path / "all.csv", probe, apply(probe, catalog), every=True)
    assert every.given == 192
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 3 * 192 + 1


def test_a_clip_without_any_of_the_features_gets_no_tag(catalog, mood):
    """Audio is missing in every fifth shot: a probability would look like an answer."""
    probe = fitted(catalog, mood, Contender("audio", "audio"))
    untagged: list[str] = []
    found = dict(apply(probe, catalog, titles=["t3"], untagged=untagged))
    absent = {i * SECONDS * US for i in range(24) if i % 5 == 3}
    assert {tag.clip.span.start for tag in found["t3"]}.isdisjoint(absent)
    assert len({tag.clip for tag in found["t3"]}) == 24 - len(absent)
    assert untagged == [f"t3: {len(absent)} of 24 have no audio"]


def test_clips_are_tagged_too(catalog, mood):
    probe = fitted(catalog, mood)
    clip = Clip("t3", Span(0, 3 * SECONDS * US))
    [(title_id, tags)] = apply(probe, catalog, [clip])
    assert title_id == "t3"
    assert {tag.clip for tag in tags} == {clip}
    assert sorted(tag.name for tag in tags) == ["calm", "glad", "grim"]


def test_a_title_that_cannot_be_tagged_stops_nobody(catalog, mood):
    probe = fitted(catalog, mood)
    bad = Clip("t1", Span(10**12, 10**12 + 5))
    failed = []
    found = dict(apply(probe, catalog, [bad, Clip("t2", Span(0, US))], failed=failed))
    assert list(found) == ["t2"]
    assert "no shot" in failed[0]
    with pytest.raises(MediaFMError, match="no shot"):
        list(apply(probe, catalog, [bad]))


def test_a_suffix_that_is_none_of_ours(catalog, mood, tmp_path):
    with pytest.raises(MediaFMError, match=r"name a \.parquet, \.csv, \.jsonl file"):
        write_tags(tmp_path / "tags.xlsx", fitted(catalog, mood), iter(()))
