"""Training runs from their folders: real ones, and logs that something happened to."""

import json
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mediafm.errors import MediaFMError, ModelError
from mediafm.pretrain import TrainConfig, pretrain
from mediafm.pretrain.run import only_one
from mediafm.report.curves import moving_mean, plot_runs
from mediafm.report.run_files import read_runs
from mediafm.report.runs import caveats, comparable, differing, sort_runs

sys.path.insert(0, str(Path(__file__).parents[1] / "pretrain"))
from shot_kit import make_titles

STEPS = {"steps": 12, "batch_shots": 128, "eval_every": 4, "val_fraction": 0.25}


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Two runs on the same titles with another treatment and optimizer."""
    above = tmp_path_factory.mktemp("runs")
    titles = make_titles(12)
    pretrain(titles, above / "a", TrainConfig(**STEPS))
    other = {"treatment": "unit", "optimizer": "adamw", "modalities": ("video", "text")}
    pretrain(titles, above / "deep/b", TrainConfig(**STEPS, **other))
    return above


@pytest.fixture
def copy(real, tmp_path):
    """The first run, to be damaged."""
    return Path(shutil.copytree(real / "a", tmp_path / "copy"))


def lines_of(folder, event=None):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if event in (None, line["event"])]


def cut(folder, kept, tail=""):
    """Leaves a run as a kill would: a shorter log, and no model."""
    lines = (folder / "log.jsonl").read_text().splitlines()[:kept]
    (folder / "log.jsonl").write_text("".join(f"{line}\n" for line in lines) + tail)
    for name in ("model.safetensors", "training.json"):
        (folder / name).unlink()


def made_up(folder, cosines, *, settings=None, baselines=True, ids=("t1",)):
    """A run as the log of an imaginary one tells it."""
    folder.mkdir(parents=True)
    settings = {"treatment": "centred", "steps": 40, "seed": 0, **(settings or {})}
    (folder / "run.json").write_text(json.dumps({"settings": settings}))
    every = [{"event": "start", "step": 0, "data": {"val_title_ids": list(ids)}}]
    for i, cosine in enumerate(cosines):
        line = {"event": "validate", "step": i * 10, "cosine": cosine, "reciprocal_rank": cosine}
        if i == 0 and baselines:
            line["baselines"] = {
                name: {"cosine": value, "reciprocal_rank": value / 2}
                for name, value in (("nearest", 0.1), ("title mean", 0.101), ("no context", 0.0))
            }
        every.append(line)
        for step in range(i * 10 + 1, i * 10 + 11):
            loss = float(np.exp(-step / 20))
            every.append({"event": "step", "step": step, "loss": loss, "seconds": 1, "shots": 5})
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in every))
    return folder


def test_measures_are_those_of_the_log(real):
    found = read_runs([real])
    assert [run.name for run in found.runs] == ["a", "deep/b"]
    assert found.left_out == []
    for run in found.runs:
        measures, steps = run.measures(), lines_of(run.folder, "step")
        best_step = json.loads((run.folder / "training.json").read_text())["best_step"]
        validations = {line["step"]: line for line in lines_of(run.folder, "validate")}
        best, first = validations[best_step], validations[0]
        baseline = max(first["baselines"].values(), key=lambda values: values["cosine"])
        seconds = sum(line["seconds"] for line in steps)
        waited = sum(line["seconds"] * line["waiting"] for line in steps)
        assert (run.state, run.steps, run.of_steps) == ("finished", 12, 12)
        assert measures["best_step"] == best_step
        assert measures["cosine"] == best["cosine"]
        assert measures["reciprocal_rank"] == best["reciprocal_rank"]
        assert measures["effective_rank"] == best["effective_rank"]
        assert measures["modality"] == best["modality"]
        assert measures["margin"] == pytest.approx(best["cosine"] - baseline["cosine"])
        assert measures["loss"] == steps[-1]["loss"]
        assert measures["shots_per_s"] == np.median([line["shots_per_s"] for line in steps])
        assert measures["seconds"] == pytest.approx(seconds)
        assert measures["waiting"] == pytest.approx(waited / seconds)
        assert measures["memory_gb"] == max(line["memory_gb"] for line in steps)
        [start], [verdict] = lines_of(run.folder, "start"), lines_of(run.folder, "verdict")
        assert measures["parameters"] == start["parameters"]
        assert measures["verdict"]["margin"] == verdict["margin"]
        assert json.loads(json.dumps(measures, allow_nan=False)) == measures


def test_only_what_differs_is_named_and_nothing_that_follows_from_it(real):
    runs = read_runs([real]).runs
    # Not video.treatment and metadata's, which the treatment decides.
    assert sorted(differing(runs)) == ["modalities", "optimizer", "treatment"]
    assert differing(runs[:1]) == []
    assert runs[1].settings["modalities"] == ["video", "text"]
    assert runs[0].settings["modalities"] == ["video", "audio", "text"]  # none chosen: all


def test_across_treatments_the_reciprocal_rank_decides(real):
    runs = read_runs([real]).runs
    assert not comparable(runs)
    [line] = caveats(runs)
    assert "cosines" in line and "reciprocal rank" in line
    ranks = [run.measures()["reciprocal_rank"] for run in sort_runs(runs)]
    assert ranks == sorted(ranks, reverse=True)
    assert comparable(runs[:1]) and caveats(runs[:1]) == []


def test_a_setting_that_a_version_does_not_know_does_not_differ(tmp_path):
    made_up(tmp_path / "a", [0.1], settings={"compile": False})
    made_up(tmp_path / "b", [0.1], settings={"seed": 1})
    assert differing(read_runs([tmp_path]).runs) == ["seed"]


def test_other_validation_titles_or_masks_are_said(tmp_path):
    for name, more in (("a", {}), ("b", {"ids": ["t2"]}), ("c", {"settings": {"mask_ratio": 0.5}})):
        made_up(tmp_path / name, [0.1], **more)
    a, b, c = read_runs([tmp_path]).runs
    assert "validated on different titles" in caveats([a, b])[0]
    assert "validated on different titles" in caveats([a, c])[0]
    assert caveats([a, a]) == []


def test_sorting(tmp_path):
    made_up(tmp_path / "low", [0.1, 0.2], settings={"lr": 3})
    made_up(tmp_path / "high", [0.1, 0.3], settings={"lr": 20})
    made_up(tmp_path / "none", [], settings={"lr": 1})

    def order(key=None):
        return [run.name for run in sort_runs(read_runs([tmp_path]).runs, key)]

    assert order() == ["high", "low", "none"]  # unknown comes last
    assert order("lr") == ["none", "low", "high"]  # by value, not by letter
    assert order("run") == ["high", "low", "none"]
    with pytest.raises(MediaFMError, match=r"cannot be sorted by 'cosinus'; choose .*cosine.*lr"):
        order("cosinus")


def test_the_best_step_is_the_one_that_training_keeps(tmp_path):
    made_up(tmp_path / "a", [0.2, 0.3, 0.30005, 0.25])  # the third is no improvement
    [run] = read_runs([tmp_path]).runs
    assert run.best_step == 10
    assert run.margin == pytest.approx(0.3 - 0.101)
    assert run.best_baseline == "title mean"


def test_damaged_lines_are_left_out_and_counted(copy):
    log = copy / "log.jsonl"
    whole = lines_of(copy)
    rows = log.read_text().splitlines()
    rows[4:4] = ["", "{", "[]", "7", '{"event": "step"}', '{"event": "step", "step": "x"}', "\0\0"]
    rows.insert(2, '{"event": "of tomorrow", "step": 1}')
    log.write_bytes("\n".join(rows).encode() + b"\n\xff\xfe\n")
    [run] = read_runs([copy]).runs
    assert len(run.curves["step"]) == sum(line["event"] == "step" for line in whole)
    assert run.notes == ["copy: 8 lines of its log are damaged and left out"]


def test_numbers_that_are_none_are_left_out(tmp_path):
    folder = made_up(tmp_path / "a", [0.1])
    with (folder / "log.jsonl").open("a") as file:
        file.write('{"event": "validate", "step": 10, "cosine": NaN}\n')
        file.write('{"event": "validate", "step": 20, "cosine": 0.5, "effective_rank": NaN}\n')
        file.write('{"event": "step", "step": 20, "loss": "low", "seconds": 1e999}\n')
        file.write(f'{{"event": "step", "step": 21, "loss": 1{"0" * 400}, "modality": 3}}\n')
    [run] = read_runs([tmp_path]).runs
    assert [v.step for v in run.validations] == [0, 20]
    assert run.best is not None and run.best.effective_rank is None
    assert json.dumps(run.measures(), allow_nan=False)
    assert plot_runs([run], tmp_path / "x.png").exists()


def test_a_log_that_is_damaged_as_a_whole_stops_nobody_else(copy, real, tmp_path):
    (copy / "log.jsonl").write_bytes(os.urandom(4000) + b"\n" * 3)
    found = read_runs([real, copy])
    assert len(found.runs) == 2
    [line] = found.left_out
    assert str(copy / "log.jsonl") in line and "damaged" in line
    with pytest.raises(ModelError, match="damaged"):
        read_runs([copy])
    (copy / "log.jsonl").write_text('{"time": 3, "message": "of another program"}\n')
    with pytest.raises(ModelError, match="none of its lines"):
        read_runs([copy])
    (copy / "log.jsonl").unlink()
    (copy / "log.jsonl").mkdir()
    with pytest.raises(ModelError, match=r"log\.jsonl: cannot be read"):
        read_runs([copy])


def test_steps_beyond_all_reason_are_damage(copy):
    with (copy / "log.jsonl").open("a") as file:
        file.write('{"event": "step", "step": 1' + "0" * 400 + ', "loss": 1}\n')
        file.write('{"event": "step", "step": 13, "loss": 1e308, "seconds": 1e300}\n')
    [run] = read_runs([copy]).runs
    assert run.steps == 13
    assert run.notes == ["copy: 1 line of its log is damaged and left out"]
    assert plot_runs([run], copy / "x.png", "seconds").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_may_not_be_read_hides_nothing_else(real, tmp_path):
    shutil.copytree(real / "a", tmp_path / "a")
    (tmp_path / "locked").mkdir(mode=0)
    try:
        assert [run.name for run in read_runs([tmp_path]).runs] == ["a"]
    finally:
        (tmp_path / "locked").chmod(0o700)


def test_without_run_json_the_log_tells_the_settings(copy):
    for damage in ("", "[1]", "{"):
        (copy / "run.json").write_text(damage)
        [run] = read_runs([copy]).runs
        assert run.settings["optimizer"] == "muon"
        assert run.notes == ["copy: run.json is damaged and left out"]
    (copy / "run.json").unlink()
    [run] = read_runs([copy]).runs
    assert run.notes == []


def test_states(copy):
    cut(copy, 9, tail='{"event": "step", "st')
    with only_one(copy):  # as a process does that trains
        [run] = read_runs([copy]).runs
    assert (run.state, run.checkpoint) == ("going on", None)
    assert run.steps == lines_of_prefix(copy)
    assert run.notes == []  # half a line is what a run that writes looks like
    (copy / f"checkpoints/step-{run.steps:08d}").mkdir(parents=True)
    [run] = read_runs([copy]).runs
    assert (run.state, run.checkpoint) == ("stopped", run.steps)


def test_states_of_a_run_whose_lock_is_not_seen(copy):
    cut(copy, 9)
    now = time.time()
    [run] = read_runs([copy], now).runs
    assert run.state == "going on"
    [run] = read_runs([copy], now + 3600).runs
    assert run.state == "stopped"


def lines_of_prefix(folder):
    rows = (folder / "log.jsonl").read_text().splitlines()[:-1]
    return max(json.loads(row)["step"] for row in rows)


def test_a_run_that_has_not_logged_yet(tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new/run.json").write_text('{"settings": {"steps": 9}}')
    [run] = read_runs([tmp_path]).runs
    assert (run.state, run.steps, run.of_steps) == ("going on", 0, 9)
    assert plot_runs([run], tmp_path / "x.png").exists()


def test_where_runs_are_looked_for(real, tmp_path, monkeypatch):
    monkeypatch.chdir(real)
    assert len(read_runs([Path()]).runs) == 2
    assert [run.name for run in read_runs([Path("a/log.jsonl")]).runs] == ["a"]
    assert len(read_runs([Path("a"), Path(), Path("deep/../a")]).runs) == 2  # each once
    (tmp_path / "links").mkdir()
    (tmp_path / "links/mine").symlink_to(real / "a")
    (tmp_path / "links/loop").symlink_to(tmp_path / "links")
    [run] = read_runs([tmp_path / "links"]).runs
    assert run.name == "mine"
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").touch()
    found = read_runs([tmp_path / "empty", real / "a", tmp_path / "note.txt"])
    assert len(found.runs) == 1
    assert [line.split(": ")[1] for line in found.left_out] == ["holds no training run"] * 2
    with pytest.raises(ModelError, match="empty: holds no training run; name the folder"):
        read_runs([tmp_path / "empty"])
    with pytest.raises(ModelError, match="nowhere: no such file or folder"):
        read_runs([real / "a", tmp_path / "nowhere"])


@pytest.mark.parametrize("by", ["step", "seconds", "shots"])
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_plot_of_real_runs(real, tmp_path, by, suffix):
    out = plot_runs(read_runs([real]).runs, tmp_path / f"x.{suffix}", by)
    assert [p.name for p in tmp_path.iterdir()] == [f"x.{suffix}"]
    if suffix == "svg":
        assert out.read_text().startswith("<?xml")
    else:
        with Image.open(out) as image:
            assert image.width > 1400


@pytest.mark.parametrize("count", [1, 8, 23])
def test_the_plot_of_few_and_many(tmp_path, count):
    heights = []
    for i in range(count):
        made_up(tmp_path / f"runs/{i}", [0.1, 0.2 + i / 100], settings={"seed": i})
    plot_runs(read_runs([tmp_path]).runs, tmp_path / "x")
    with Image.open(tmp_path / "x.png") as image:
        heights.append(image.height)
    assert heights[0] < 1500


def test_other_suffixes_are_refused(real, tmp_path):
    runs = read_runs([real]).runs
    with pytest.raises(MediaFMError, match=r"cannot be drawn as \.pdf; name a \.png"):
        plot_runs(runs, tmp_path / "x.pdf")
    assert plot_runs(runs, tmp_path) == tmp_path / "runs.png"


def test_the_moving_mean():
    y = np.arange(9.0)
    assert moving_mean(y, 5)[2:-2] == pytest.approx(y[2:-2])
    assert moving_mean(y, 5)[0] == pytest.approx(1)  # of what there is: 0, 1, 2
    assert moving_mean(y, 1) == pytest.approx(y)
    assert moving_mean(np.array([0.0, 0, 3, 0, 0]), 3) == pytest.approx([0, 1, 1, 1, 0])
