"""What ``mediafm runs`` prints."""

import json
import sys
from pathlib import Path

import pytest

from mediafm.cli.main import main
from mediafm.pretrain import TrainConfig, pretrain

sys.path.insert(0, str(Path(__file__).parents[1] / "pretrain"))
from shot_kit import make_titles


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Two runs that differ in the optimizer."""
    above = tmp_path_factory.mktemp("runs")
    for optimizer in ("muon", "adamw"):
        config = TrainConfig(
            optimizer=optimizer, steps=12, batch_shots=128, eval_every=4, val_fraction=0.25
        )
        pretrain(make_titles(12), above / optimizer, config)
    return above


def cells(text, heading):
    """The rows of a printed table, by the first cell."""
    lines = text.split(heading, 1)[1].splitlines()[4:]
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]
    return {row[0]: row[1:] for row in rows[: next(i for i, r in enumerate(rows) if len(r) < 2)]}


def log(folder, event):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def test_the_tables_hold_the_numbers_of_the_logs(real, capsys):
    assert main(["runs", str(real)]) == 0
    shown = capsys.readouterr().out
    results, costs = cells(shown, "Runs"), cells(shown, "Cost")
    best = cells(shown, "At the best step")
    assert set(results) == {"muon", "adamw"}
    for name, row in results.items():
        step = json.loads((real / name / "training.json").read_text())["best_step"]
        [kept] = [line for line in log(real / name, "validate") if line["step"] == step]
        assert row[:3] == [name, "finished", "12/12"]  # the optimizer is what differs
        assert row[3] == f"{kept['cosine']:.3f}"
        assert row[5] == f"{kept['reciprocal_rank']:.3f}"
        assert row[6] == log(real / name, "verdict")[0]["outcome"]
        assert best[name][:2] == [str(step), f"{kept['effective_rank']:.1f}"]
        assert best[name][2] == f"{kept['modality']['video']:.3f}"
        assert costs[name][0] == f"{log(real / name, 'start')[0]['parameters']:,}"
        total = sum(line["seconds"] for line in log(real / name, "step"))
        assert costs[name][-1] == f"{total:.1f} s"
    assert "seed" not in shown.split("Cost")[0]
    assert shown.splitlines()[-1] == "the curves: the same with --plot runs.png"


def test_json(real, capsys):
    assert main(["runs", str(real), "--json", "--sort", "optimizer"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [run["run"] for run in said["runs"]] == ["adamw", "muon"]
    assert said["differing"] == ["optimizer"]
    assert said["cosines_compare"] is True
    assert said["notes"] == []
    assert said["runs"][0]["settings"]["optimizer"] == "adamw"
    assert said["runs"][0]["verdict"]["outcome"] in ("context wins", "no gain")


def test_the_plot_is_written_where_it_was_asked_for(real, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(real)
    before = set(real.iterdir())
    assert main(["runs"]) == 0
    assert set(real.iterdir()) == before
    out = tmp_path / "new/curves.svg"
    assert main(["runs", "--plot", str(out), "--by", "seconds"]) == 0
    assert out.read_text().count("<svg") == 1
    assert capsys.readouterr().out.splitlines()[-1] == str(out)


def test_a_damaged_run_is_named_below_the_others(real, capsys, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/log.jsonl").write_text("damaged [/bold]\n")
    assert main(["runs", str(real), str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert f"left out: {tmp_path / 'bad/log.jsonl'}: is damaged" in shown
    assert main(["runs", str(real), str(tmp_path), "--json"]) == 0
    assert "is damaged" in json.loads(capsys.readouterr().out)["notes"][0]


def test_many_settings_get_a_table_of_their_own(capsys, tmp_path):
    def shown(count):
        for i in range(2):
            (tmp_path / f"{i}").mkdir(exist_ok=True)
            settings = {f"setting{j}": i + j / 10 for j in range(count)}
            (tmp_path / f"{i}/run.json").write_text(json.dumps({"settings": settings}))
        assert main(["runs", str(tmp_path)]) == 0
        return capsys.readouterr().out

    assert "What differs" not in shown(3)
    assert cells(shown(8), "What differs")["1"][3] == "1.3"
    assert cells(shown(30), "What differs")["setting3"] == ["0.3", "1.3"]  # turned


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runs"], "error: .: holds no training run; name the folder"),
        (["runs", "nowhere"], "error: nowhere: no such file or folder"),
        (["runs", "--plot", "x.gif"], "error: x.gif: curves cannot be drawn as .gif"),
        (["runs", "--plot", "x.png", "--by", "hours"], "error: curves cannot lie over 'hours'"),
    ],
)
def test_errors_are_one_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith(message)
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_the_help_has_an_example(capsys):
    assert main(["runs", "--help"]) == 0
    assert "Example: mediafm runs" in capsys.readouterr().out
