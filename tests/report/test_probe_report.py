"""The probe report: the same numbers in three files, everything that is wrong said, all kept."""

import dataclasses
import io
import json
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "probes"))
from probe_kit import (
    make_catalog,
    make_version,
    mood_rows,
    write_csv,
    write_task,
)

from mediafm.catalog import Catalog
from mediafm.cli.main import main
from mediafm.errors import MediaFMError
from mediafm.probes import bench as bench_module
from mediafm.probes.bench import Bench
from mediafm.probes.bootstrap import FEWEST
from mediafm.probes.study import Contender
from mediafm.probes.summary import staircase, summarise
from mediafm.probes.task import load_task
from mediafm.report.probes import report, words
from mediafm.report.probes.make import read_ceilings
from mediafm.report.probes.mistakes import worst

NASTY = '<b>glad</b> & *so* "much"'
SHOTS = 10
SPLIT = {"by": "series", "folds": 2}
VOID = {"meta", "img", "br", "wbr", "col", "hr", "path", "circle", "polygon", "polyline"}


class Page(HTMLParser):
    """Checks that elements are closed in order, and collects what could make a request."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []
        self.text = ""
        self.tags: list[tuple[str, dict]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        for name, value in attrs:
            local = (value or "").startswith(("#", "data:"))
            if name in ("src", "href", "srcset", "action", "data", "poster") and not local:
                self.outside.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data + " "


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def catalog(folder):
    found = make_catalog(folder, titles=6, shots=SHOTS)
    title = found.title("t0")
    found.touch(dataclasses.replace(title, title="<script>alert('x')</script>|"))
    make_version(found, folder / "model")
    make_version(found, folder / "other", "two", seed=1)
    rows = [
        row
        | {"mood": NASTY if row["mood"] == "glad" else row["mood"]}
        | {"side": "last" if row["title_id"] in ("t4", "t5") else "first"}
        for row in mood_rows(titles=6, shots=SHOTS)
    ]
    write_csv(folder / "labels.csv", [*rows, rows[0] | {"title_id": "nobody|<i>"}])
    found.refresh()
    return found


@pytest.fixture(scope="module")
def tasks(folder, catalog):
    return [
        load_task(write_task(folder, about="Moods, <planted>.", split=SPLIT)),
        load_task(write_task(folder, "change", **kind("binary", "change", "AP"))),
        load_task(write_task(folder, "rate", **kind("ranking", "rate", "kendall"))),
    ]


def kind(name: str, column: str, metric: str) -> dict:
    return {"kind": name, "column": column, "metric": metric, "split": SPLIT}


def contenders(catalog):
    broken = Contender("broken", "context", ("gone",), role="extra")
    return [*staircase(catalog, ["one"], {"rival": ["two", "one"]}), broken]


@pytest.fixture(scope="module")
def made(folder, catalog, tasks):
    bench = Bench(catalog, folder / "work", device="cpu")
    files = report(
        bench,
        tasks,
        contenders(catalog),
        folder / "out",
        draws=50,
        curve_draws=2,
        ceilings={"mood": 0.987},
        command="mediafm report --out '<x>'",
    )
    return {file.suffix: file for file in files}


@pytest.fixture(scope="module")
def data(made):
    def refuse(name):
        raise AssertionError(f"{name} in JSON")

    return json.loads(made[".json"].read_text("utf-8"), parse_constant=refuse)


@pytest.fixture(scope="module")
def page(made):
    return Page(made[".html"].read_text("utf-8"))


def cells(line: str) -> list[str]:
    return re.split(r"(?<!\\)\|", line.strip())[1:-1]


def test_three_files_and_the_page_needs_nothing_else(made, page):
    assert sorted(made) == [".html", ".json", ".md"]
    assert page.outside == []
    text = made[".html"].read_text("utf-8")
    assert "@import" not in text
    assert "url(" not in text


def test_intervals_are_the_same_in_all_three(made, data, page):
    markdown = made[".md"].read_text("utf-8")
    for task in data["tasks"]:
        assert len(task["rows"]) == 2 + 1 + 2 + 2 + 2 + 1 + 2
        for row in task["rows"]:
            value, span = words.number(row["value"]), words.span(row["low"], row["high"])
            assert row["low"] <= row["value"] <= row["high"] or row["low"] <= row["high"]
            assert value in page.text
            assert span in page.text
            assert f"| {value} | {span} |" in markdown
        for found in task["differences"] + task["switches"]:
            span = words.span(found["low"], found["high"])
            assert f"| {words.signed(found['value'])} | {span} |" in markdown
            assert words.signed(found["value"]) in page.text
            if found["low"] > 0:
                enough = task["labels"]["measured_groups"] >= FEWEST
                assert found["outcome"] == ("better" if enough else "unknown")


def test_tables_of_markdown_have_equal_columns(made):
    tables, wide = 0, None
    for line in made[".md"].read_text("utf-8").splitlines():
        if not line.startswith("|"):
            wide = None
            continue
        if wide is None:
            tables += 1
            wide = len(cells(line))
        assert len(cells(line)) == wide, line
    assert tables > 12


def test_names_of_others_are_text(made, page):
    assert NASTY in page.text
    assert "<script>alert('x')</script>|" in page.text
    assert "<planted>" in page.text
    assert "--out '<x>'" in page.text
    assert [tag for tag, _ in page.tags].count("script") == 1
    markdown = made[".md"].read_text("utf-8")
    assert "<script>" not in markdown
    assert "&lt;b>glad&lt;/b> &amp; \\*so\\*" in markdown
    assert "&lt;script>alert('x')&lt;/script>\\|" in markdown


def test_what_is_left_out_is_said(made, data, page):
    [*skipped] = data["skipped"]
    assert any("broken" in line and "gone" in line for line in skipped)
    assert any(
        "nobody|<i>" in problem["what"] for problem in data["tasks"][0]["labels"]["problems"]
    )
    for text in (page.text, made[".md"].read_text("utf-8")):
        assert "broken" in text
        assert f"row {6 * SHOTS + 2}" in text


def test_the_ceiling_is_drawn_where_it_is_known(made, data, page):
    assert [task["ceiling"] for task in data["tasks"]] == [0.987, None, None]
    assert "ceiling .987" in page.text
    lines = [tag for tag, names in page.tags if tag == "i" and names.get("class") == "ceiling"]
    assert len(lines) == len(data["tasks"][0]["rows"])
    assert ".987" in made[".md"].read_text("utf-8")


def test_switches_compare_like_with_like(data):
    for task in data["tasks"]:
        pairs = {(found["about"], found["ours"], found["theirs"]) for found in task["switches"]}
        assert pairs == {
            ("in context against the clip alone", "context", "context, clip alone"),
            ("one against rival", "context", "context, rival"),
            ("one against rival", "context+concatenated", "context+concatenated, rival"),
        }
        [rival] = [row for row in task["rows"] if row["contender"] == "context, rival"]
        assert len(rival["runs"]) == 2


def test_the_curve_ends_where_everything_is_fitted(data):
    [mood, *_] = data["tasks"]
    own = [point for point in mood["curve"] if point["contender"] == "context"]
    assert [point["labels"] for point in own] == [10, 30]
    assert [point["draws"] for point in own] == [2, 1]
    [row] = [row for row in mood["rows"] if row["contender"] == "context"]
    assert own[-1]["value"] == pytest.approx(row["value"])


def test_classes_and_mistakes(data):
    mood, change, rate = data["tasks"]
    assert {line["name"] for line in mood["classes"]} == {"calm", NASTY, "grim"}
    assert sum(line["positives"] for line in mood["classes"]) == 6 * SHOTS
    assert change["classes"] == rate["classes"] == []
    for mistake in mood["mistakes"]:
        assert mistake["kind"] == "confused"
        assert mistake["said"] != mistake["truth"]
    assert {mistake["kind"] for mistake in change["mistakes"]} == {"claimed", "missed"}
    taus = [mistake["score"] for mistake in rate["mistakes"]]
    assert taus == sorted(taus)
    assert all(len(task["mistakes"]) <= 8 for task in data["tasks"])


def test_headlines_are_honest(data):
    for task in data["tasks"]:
        gains = {(found["ours"], found["theirs"]): found for found in task["differences"]}
        found = gains["context+concatenated", "concatenated"]
        assert task["outcome"] == found["outcome"]
        assert words.signed(found["value"]) in task["headline"]
        if found["outcome"] != "better":
            assert " adds " not in task["headline"]


def test_a_second_run_measures_nothing(folder, catalog, tasks, made, monkeypatch):
    monkeypatch.setattr(bench_module, "evaluate", None)
    before = {file: file.stat().st_mtime_ns for file in (folder / "work").iterdir()}
    bench = Bench(catalog, folder / "work", device="cpu")
    [file] = report(bench, tasks, contenders(catalog), folder / "again.md", draws=50, curve_draws=2)
    assert file == folder / "again.md"
    assert before == {file: file.stat().st_mtime_ns for file in (folder / "work").iterdir()}


def test_an_interrupted_run_goes_on(folder, catalog, tasks, tmp_path, monkeypatch):
    own = [Contender(name, name) for name in ("video", "audio", "concatenated")]
    calls = []

    def count(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return evaluate(*args, **kwargs)

    evaluate = bench_module.evaluate
    monkeypatch.setattr(bench_module, "evaluate", count)
    bench = Bench(catalog, tmp_path / "work", device="cpu")
    with pytest.raises(KeyboardInterrupt):
        report(bench, tasks[:1], own, tmp_path / "out", draws=10, curve_draws=0)
    assert list(tmp_path.glob("out*")) == []
    report(bench, tasks[:1], own, tmp_path / "out", draws=10, curve_draws=0)
    assert len(calls) == 1 + 1 + 2


def test_too_few_groups_say_so(folder, catalog, tmp_path):
    """One series is measured, which says nothing of other series."""
    split = {"by": "series", "column": "side", "test": ["last"]}
    file = write_task(folder, "few", **kind("binary", "change", "AP") | {"split": split})
    bench = Bench(catalog, tmp_path / "work", device="cpu")
    own = [Contender("video", "video", role="joined"), Contender("context", "context", ("one",))]
    made = report(bench, [load_task(file)], own, tmp_path / "out", draws=20, curve_draws=0)
    html, markdown, found = (file.read_text("utf-8") for file in made)
    [task] = json.loads(found)["tasks"]
    assert [row["low"] for row in task["rows"]] == [None, None]
    assert task["outcome"] == "unknown"
    assert "too few groups" in task["headline"]
    assert words.NO_INTERVAL in Page(html).text
    assert words.NO_INTERVAL in markdown


def test_keyframes_are_in_the_page_and_damaged_ones_are_not(catalog, tasks, monkeypatch):
    buffer = io.BytesIO()
    Image.new("RGB", (640, 360), "red").save(buffer, "JPEG")
    pictures = {"t0": buffer.getvalue(), "t1": b"no picture"}
    monkeypatch.setattr(Catalog, "keyframe", lambda _, title_id, shot: pictures.get(title_id))
    bench = Bench(catalog, None, device="cpu")
    study = bench.run(tasks[2:], [Contender("video", "video")])
    [task] = summarise(study, 10)
    scenes = [
        scene
        for mistake in worst(study.measurements[0], task.labels, catalog)
        for scene in mistake.scenes
    ]
    assert {scene.title_id for scene in scenes} >= {"t0", "t1"}
    for scene in scenes:
        assert (scene.jpeg is not None) == (scene.title_id == "t0")
        if scene.jpeg:
            assert Image.open(io.BytesIO(scene.jpeg)).height <= 180


def test_without_a_version_what_needs_none_is_measured(tmp_path):
    catalog = make_catalog(tmp_path, titles=2, shots=4)
    names = [contender.name for contender in staircase(catalog, features=["video", "video:step2"])]
    assert names == [
        *("audio", "video", "concatenated", "concatenated:window4", "concatenated:around1"),
        "video:step2",
    ]
    with pytest.raises(MediaFMError, match="no embeddings yet"):
        staircase(catalog, ["one"])


def test_ceilings_are_found_by_task_word_or_file(tmp_path, tasks):
    def read(value):
        (tmp_path / "c.json").write_text(json.dumps(value))
        return read_ceilings(tmp_path / "c.json", tasks)

    assert read({"mood": 0.5, "rate": {"ceiling": 0.25}}) == {"mood": 0.5, "rate": 0.25}
    assert read({"labels": 1, "change": None}) == {"mood": 1.0, "rate": 1.0}
    for wrong in ([1], {"mood": "high"}, {"mood": True}):
        with pytest.raises(MediaFMError):
            read(wrong)


@pytest.fixture
def cli():
    """The command, also before it is registered."""
    return main


def test_the_command(cli, folder, catalog, tasks, made, tmp_path, capsys):
    shutil.copytree(folder / "work", tmp_path / "report-work")
    arguments = ["report", str(folder / "mood.toml"), "--catalog", str(folder / "catalog")]
    arguments += ["--version", "one", "--rival", "rival=two,one", "--draws", "20"]
    arguments += ["--out", str(tmp_path / "report"), "--quick", "--json"]
    assert cli(arguments) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert [Path(file).name for file in files] == ["report.html", "report.md", "report.json"]
    assert json.loads(Path(files[2]).read_text())["tasks"][0]["curve"] == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--version", "gone"], "no version 'gone'"),
        (["--rival", "adamw"], "names no versions"),
        (["--rival", "a=one", "--rival", "a=two"], "said twice"),
        (["--features", "vidoe"], "no features 'vidoe'"),
        (["--out", "report.pdf"], "cannot be written as .pdf"),
        (["--labels", "nowhere"], "is no folder"),
    ],
)
def test_wrong_options_are_one_line_before_anything_is_measured(
    cli, folder, catalog, tasks, more, message, capsys
):
    assert cli(["report", str(folder / "mood.toml"), "-c", str(folder / "catalog"), *more]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_without_tasks_the_labels_choose(cli, folder, catalog, tmp_path, capsys):
    assert cli(["report", "-c", str(folder / "catalog"), "--labels", str(tmp_path)]) == 1
    assert "boundaries.csv" in capsys.readouterr().err
