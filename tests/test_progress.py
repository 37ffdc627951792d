from __future__ import annotations

import io

import pytest

from mediafm.progress import Bars, Lines, Silent


def test_silent():
    with Silent().task("embed", None, "shots") as task:
        task.advance(3)
        task.note("x")
    Silent().say("nothing")


def test_lines_show_amount_rate_and_note():
    out = io.StringIO()
    progress = Lines(out, every=0)
    progress.say("hello")
    with progress.task("ingest", 4, "titles") as task:
        task.note("loss 0.1")
        task.advance()
        task.advance(3)
    lines = out.getvalue().splitlines()
    assert lines[0] == "hello"
    assert lines[1].startswith("ingest 1/4 titles, ")
    assert "s left" in lines[1]
    assert lines[-1].startswith("ingest 4/4 titles, ")
    assert "left" not in lines[-1]
    assert lines[-1].endswith("loss 0.1")


def test_lines_are_rare():
    out = io.StringIO()
    with Lines(out, every=60).task("train", None, "steps") as task:
        for _ in range(1000):
            task.advance()
    [line] = out.getvalue().splitlines()
    assert line.startswith("train 1000 steps, ")


def test_a_task_that_fails_says_not_that_it_is_done():
    out = io.StringIO()
    with pytest.raises(ValueError, match="x"), Lines(out).task("train", 2, "steps") as task:
        task.advance()
        raise ValueError("x")
    assert "2/2" not in out.getvalue()


@pytest.mark.parametrize("total", [None, 0, 0.3, 10, 1e9])
def test_bars_work_without_a_terminal(total, capsys):
    bars = Bars()
    with bars.task("outer", total, "titles") as outer:
        with bars.task("[inner]", total, "s") as inner:
            inner.advance(0.5)
            inner.note("[red]loss[/red] [/]")
        outer.advance()
        bars.say("a [line] stays")
    with bars.task("again", total, "s"):
        pass
    captured = capsys.readouterr()
    assert captured.out == ""  # standard output belongs to --json
    assert "a [line] stays" in captured.err
