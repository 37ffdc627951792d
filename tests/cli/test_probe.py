"""``mediafm probe``, as a user runs it."""

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mediafm.catalog import Catalog
from mediafm.cli.main import main

sys.path.insert(0, str(Path(__file__).parents[1] / "probes"))
from probe_kit import make_catalog, make_version, mood_rows, write_csv, write_task


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a catalog, two versions, labels and task files."""
    folder = tmp_path_factory.mktemp("probe")
    catalog = make_catalog(folder)
    make_version(catalog, folder / "model")
    make_version(catalog, folder / "other", "two", seed=1)
    rows = mood_rows()
    rows.append({"title_id": "t99", "start": 0, "end": 4, "mood": "calm"})
    rows.append({"title_id": "t1", "start": 5000, "end": 5004, "mood": "calm"})
    write_csv(folder / "labels.csv", rows)
    write_task(folder)
    write_task(folder, "by-title", split={"by": "title", "folds": 3})
    write_task(folder, "rate", kind="ranking", column="rate", metric="top-1")
    return folder


@pytest.fixture(autouse=True)
def here(place, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.setenv("MEDIAFM_CATALOG", "catalog")


def run(capsys, *arguments, status=0):
    assert main(["probe", *arguments]) == status
    return capsys.readouterr()


def test_the_built_in_tasks_are_listed_and_copied(capsys, tmp_path):
    shown = run(capsys, "tasks").out
    assert "clip-tone" in shown
    run(capsys, "tasks", "--write", str(tmp_path / "tasks"))
    files = sorted(path.name for path in (tmp_path / "tasks").iterdir())
    assert files == [
        "ad-break.toml",
        "ad-relevancy.toml",
        "artwork.toml",
        "clip-genre.toml",
        "clip-popularity.toml",
        "clip-retrieval.toml",
        "clip-tone.toml",
        "popularity-winner.toml",
        "segment-boundary.toml",
    ]
    refused = run(capsys, "tasks", "--write", str(tmp_path / "tasks"), status=1).err
    assert "is there already" in refused
    listed = json.loads(run(capsys, "tasks", "--json").out)
    assert {task["name"] for task in listed} == {name.removesuffix(".toml") for name in files}


def test_eval_compares_with_the_first_and_says_what_is_wrong(capsys):
    shown = run(capsys, "eval", "mood.toml", "-f", "audio", "-f", "concatenated").out
    assert "more than audio" in shown
    assert "chance 0.3" in shown
    assert "t99" in shown
    assert "194" in shown  # the row, with the header as the first
    found = json.loads(
        run(capsys, "eval", "mood.toml", "-f", "audio", "-f", "concatenated", "--json").out
    )["measured"]
    assert [row["features"] for row in found] == ["audio", "concatenated"]
    assert found[1]["value"] > found[0]["value"]
    assert found[1]["gain"]["low"] > 0
    assert found[1]["clips"] == 192
    assert f"{found[1]['value']:.3f}" in shown


def test_fit_list_apply(capsys, place):
    shown = run(capsys, "fit", "mood.toml").out
    assert "probe in mediafm-probes/mood" in shown
    listed = run(capsys, "list").out
    assert "mood" in listed
    assert "context" in listed
    about = json.loads((place / "mediafm-probes" / "mood" / "probe.json").read_text())
    assert about["version"] == "one"  # the current one
    # Another one that becomes current does not change which one an old probe reads.
    Catalog.open("catalog").promote("two")
    shown = run(capsys, "apply", "mood", "--out", "tags.parquet").out
    assert "192 tags on 192 shots of 8 titles in tags.parquet" in shown
    assert len(pq.read_table(place / "tags.parquet")) == 192
    refused = run(capsys, "apply", "mood", "--version", "two", status=1).err
    assert "was fitted on model" in refused
    assert "fit it anew" in refused
    some = json.loads(
        run(capsys, "apply", "mood", "--title", "t3", "--out", "t3.csv", "--json").out
    )
    assert (some["titles"], some["clips"], some["failed"]) == (1, 24, [])
    refused = run(capsys, "apply", "mood", "--title", "t33", "--out", "t33.csv", status=1).err
    assert "did you mean 't3'" in refused
    assert not (place / "t33.csv").exists()


def test_apply_tags_the_clips_of_a_file(capsys, place):
    run(capsys, "fit", "mood.toml")
    good = "title_id,start,end,note\nt3,0,4,first\nt1,0:01,0:03.5,\nt3,0,4,again\n"
    (place / "clips.csv").write_text(good)
    shown = run(capsys, "apply", "mood", "--clips", "clips.csv", "--out", "tags.csv").out
    assert "2 tags on 2 clips of 2 titles in tags.csv" in shown
    rows = (place / "tags.csv").read_text().splitlines()
    assert rows[1].startswith("t1,1000000,3500000,mood,")
    assert rows[2].startswith("t3,0,4000000,mood,")
    one = run(capsys, "apply", "mood", "--clips", "clips.csv", "--title", "t3", "-o", "t3.csv").out
    assert "1 tag on 1 clip of 1 title in" in one
    # What is wrong is left out, said with its row, and the rest is tagged.
    (place / "clips.csv").write_text(good + "t33,0,4,\nt1,5,2,\n")
    shown = run(capsys, "apply", "mood", "--clips", "clips.csv", "-o", "some.csv", status=1).out
    assert "2 tags on 2 clips" in shown
    assert "row 5: no title 't33'" in shown
    assert "row 6:" in shown
    (place / "clips.csv").write_text("title_id,start,end\nt33,0,4\n")
    refused = run(capsys, "apply", "mood", "--clips", "clips.csv", "-o", "no.csv", status=1).err
    assert "holds no clip of the catalog" in refused
    assert "row 2" in refused
    assert not (place / "no.csv").exists()


def test_a_ranking_probe_scores_every_shot(capsys, place):
    run(capsys, "fit", "rate.toml", "-f", "video")
    run(capsys, "apply", "rate", "--out", "rate.parquet")
    table = pq.read_table(place / "rate.parquet").to_pylist()
    assert len(table) == 192
    assert sum(row["given"] for row in table) == 8  # the best of each title


def test_the_gate_decides_the_exit_status(capsys):
    shown = run(capsys, "gate", "one", "two", "by-title.toml", "-f", "context", "--work", "work")
    assert "passed" in shown.out or "failed" in shown.out
    found = json.loads(
        run(capsys, "gate", "one", "two", "by-title.toml", "--json", "--work", "work").out
    )
    [judged] = found["tasks"]
    assert judged["outcome"] in ("better", "same")
    better = json.loads(
        run(capsys, "gate", "two", "one", "by-title.toml", "--json", "--work", "work",
            status=int(judged["outcome"] == "better")).out
    )  # fmt: skip
    assert better["tasks"][0]["difference"]["value"] == pytest.approx(
        -judged["difference"]["value"]
    )


def test_wrong_rows_and_notes_are_said_everywhere(capsys, place):
    """One misspelt class is a number that is wrong in silence, else."""
    text = (place / "labels.csv").read_text().replace(",grim,", ",Grim,", 1)
    (place / "case.csv").write_text(text)
    write_task(place, "case", labels="case.csv", split={"by": "title", "folds": 3})
    note = "count as different classes: are they one?"
    own = ["--work", "work", "-f", "audio"]
    assert note in run(capsys, "eval", "case.toml", *own).out
    found = json.loads(run(capsys, "eval", "case.toml", *own, "--json").out)["labels"]["case"]
    assert any(note in line for line in found["notes"])
    assert any("row 194" in line for line in found["wrong"])
    found = json.loads(run(capsys, "fit", "case.toml", "-f", "audio", "--json").out)
    assert any("row 194" in line for line in found["wrong"])
    assert any(note in line for line in found["notes"])
    gate = ["gate", "one", "two", "case.toml", "--work", "work"]
    main(["probe", *gate])
    assert note in capsys.readouterr().out
    main(["probe", *gate, "--json"])
    found = json.loads(capsys.readouterr().out)["labels"]["case"]
    assert any("row 194" in line for line in found["wrong"])


def test_a_file_of_clips_is_not_overwritten_by_its_tags(capsys, place):
    run(capsys, "fit", "mood.toml")
    (place / "mine.csv").write_text("title_id,start,end\nt3,0,4\n")
    (place / "link.csv").unlink(missing_ok=True)
    (place / "link.csv").symlink_to("mine.csv")
    for out in ("mine.csv", "./mine.csv", "link.csv"):
        refused = run(capsys, "apply", "mood", "--clips", "mine.csv", "-o", out, status=1).err
        assert "is the file of the clips" in refused
    assert (place / "mine.csv").read_text().count("\n") == 2
    refused = run(capsys, "apply", "mood", "--clips", "mine.csv", "--title", "t1", status=1).err
    assert "no clip of these titles" in refused
    run(capsys, "apply", "mood", "--title", "t3", "--title", "t3", "-o", "twice.csv")
    assert (place / "twice.csv").read_text().count("\n") == 25


def test_what_a_value_stands_on_is_said(capsys, place):
    shown = run(capsys, "eval", "mood.toml", "-f", "audio", "--work", "work").out
    assert "192 clips of 8 titles, 3 classes; measured on 4 groups (series) in folds" in shown
    assert "intervals are rough" in shown
    first = run(capsys, "fit", "by-title.toml", "-f", "audio").out
    assert "fitted on 192 clips" in first
    assert "replaces" not in first
    assert "it replaces one on audio (" in run(capsys, "fit", "by-title.toml").out
    some = write_task(
        place, "some", kind="multi-label", split={"by": "title", "column": "season", "test": ["2"]}
    )
    told = json.loads(run(capsys, "fit", str(some), "-f", "audio", "--json").out)
    assert (told["clips"], told["fitted_on"]) == (96, 96)
    assert told["not_told_apart"] == []


def test_a_probe_has_one_description_of_clips(capsys):
    refused = run(capsys, "fit", "mood.toml", "-f", "audio", "-f", "video", status=1).err
    assert "join: -f audio+video" in refused
    shown = run(capsys, "fit", "mood.toml", "-f", "audio", "--probes", "my probes").out
    assert "mediafm probe apply mood --probes 'my probes'" in shown
    shown = run(capsys, "apply", "mood", "--probes", "my probes", "-o", "audio.csv").out
    assert "not tagged: t0: 5 of 24 have no audio, and 7 titles more" in shown


def test_a_gate_of_few_groups_says_how_many_are_needed(capsys):
    shown = run(capsys, "gate", "one", "two", "mood.toml", "--work", "work", status=1).out
    assert "mood: measured on 4 groups; 6 are needed" in shown
    assert "failed" in shown


def test_a_class_that_no_head_can_tell_is_said(capsys, place):
    rows = mood_rows()
    for number, row in enumerate(rows):
        row["mood"] = ["odd", "even"][hash_of(number)]
    write_csv(place / "noise.csv", rows)
    write_task(
        place, "noise", kind="multi-label", labels="noise.csv", split={"by": "title", "folds": 4}
    )
    found = json.loads(run(capsys, "fit", "noise.toml", "-f", "video", "--json").out)
    run(capsys, "apply", "noise", "--every", "-o", "noise-tags.parquet")
    tags = pq.read_table(place / "noise-tags.parquet").to_pylist()
    for name in ("odd", "even"):
        scores = {tag["score"] for tag in tags if tag["class"] == name}
        assert (len(scores) == 1) == (name in found["not_told_apart"])
    assert found["not_told_apart"]
    assert "the same for every clip" in run(capsys, "fit", "noise.toml", "-f", "video").out


def hash_of(number):
    """0 or 1, without any order that a head could learn."""
    return (number * 2654435761 >> 7) & 1


def test_a_model_that_would_not_be_asked_is_refused(capsys):
    for command in (["eval", "mood.toml", "-f", "context"], ["fit", "mood.toml"]):
        refused = run(capsys, *command, "--model", "/nowhere", status=1).err
        assert "--model is not used" in refused
        assert "--version" in refused


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("eval", "nothing.toml"), "no such file"),
        (("eval", "clip-tonne"), "did you mean 'clip-tone'?"),
        (("eval", "clip-tone"), "--labels"),
        (("eval", "mood.toml", "-f", "contxt"), "there are no features 'contxt'"),
        (("eval", "mood.toml", "--version", "three"), "no version 'three'"),
        (("eval", "mood.toml", "rate.toml", "-l", "labels.csv"), "names one file"),
        (("fit", "mood.toml", "-f", "context", "--version", "three"), "no version 'three'"),
        (("apply", "nothing"), "mediafm probe fit"),
        (("eval", "mood.toml", "--work", "labels.csv"), "name a folder that you may write to"),
        (("gate", "one", "one", "mood.toml"), "against itself"),
        (("gate", "one", "three", "mood.toml"), "no version 'three'"),
        (("eval", "mood.toml", "--catalog", "nowhere"), "no catalog there"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, words):
    refused = run(capsys, *arguments, status=1)
    assert words in refused.err
    assert refused.err.count("\n") == 1
    assert "Traceback" not in refused.err
