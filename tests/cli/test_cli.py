"""What a user types and sees: exit status, one line per error, JSON on standard output."""

import json
import os
import subprocess
import sys

import pytest

from mediafm.catalog import Catalog, TitleRecord
from mediafm.cli.main import main
from mediafm.errors import MediaFMError
from mediafm.timeline import Shot, Span


def command(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", "from mediafm.cli.main import run; run()", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


@pytest.mark.parametrize(
    "name",
    [
        "demo",
        "sample",
        "ingest",
        "import",
        "reencode",
        "encoders",
        "pretrain",
        "runs",
        "embed",
        "similar",
        "search",
        "plot",
        "info",
    ],
)
def test_every_command_has_help_with_an_example(name, capsys):
    assert main([name, "--help"]) == 0
    assert f"Example: mediafm {name}" in capsys.readouterr().out


def test_nothing_typed_shows_the_commands(capsys):
    assert main([]) in (0, 2)
    shown = "".join(capsys.readouterr())
    assert "ingest" in shown and "pretrain" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ingest", "nowhere", "-c", "cat"], "error: nowhere: no such file"),
        (["info", "-c", "nowhere"], "error: "),
        (["import", "nowhere.parquet", "-c", "cat"], "error: nowhere.parquet: cannot be read"),
        (["pretrain", "-c", "nowhere"], "error: "),
        (["embed", "-c", "nowhere"], "error: "),
        (["plot", "film", "-c", "nowhere"], "error: "),
        (["similar", "film@0:10", "-c", "nowhere"], "error: "),
        (["ingest", ".", "--min-shot", "5", "--max-shot", "2"], "error: shots of 5 to 2 s"),
        (["reencode", "--text", "use-multilingual", "-c", "nowhere"], "error: "),
        (["search", "rain", "-c", "nowhere"], "error: "),
        (["encoders", "use-multilingul"], "error: there is no text encoder 'use-multilingul' (did"),
        (
            ["ingest", ".", "--encoders", "netflx"],
            "error: there is no set of encoders 'netflx'",
        ),
        (["ingest", ".", "--with", "é=csv:a"], "error: --with é=csv:a: 'é' is no name for"),
        (
            ["ingest", ".", "--with", "metadata=csv:a"],
            "error: --with metadata=csv:a: 'metadata' is",
        ),
        (["ingest", ".", "--with", "a=b", "--with", "a=c"], "error: --with a= was said twice"),
        (
            ["encoders", "x\x1b]0;y\a"],
            "error: there is no video encoder 'x\\x1b]0;y\\x07'",
        ),
        (["ingest", ".", "--with", "audience"], "error: --with audience names no modality"),
        (
            ["ingest", ".", "--with", "text=a"],
            "error: --with text=a: text has an option",
        ),
    ],
)
def test_errors_are_one_line_and_status_1(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith(message)
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_debug_lets_the_error_through(tmp_path):
    with pytest.raises(MediaFMError):
        main(["info", "-c", str(tmp_path / "nowhere")], debug=True)


def test_wrong_options_are_status_2(capsys):
    assert main(["ingest"]) == 2
    assert main(["info", "--no-such-option"]) == 2


def test_a_batch_goes_on_and_says_so_at_the_end(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("hello")
    done = command("ingest", tmp_path, "-c", tmp_path / "cat")
    assert done.returncode == 1
    assert "2 failed" in done.stdout
    assert "empty.mp4: the file is empty" in done.stdout
    assert "Traceback" not in done.stderr
    listed = command("info", "-c", tmp_path / "cat", "--json")
    assert len(json.loads(listed.stdout)["failures"]) == 2


def test_json_stands_alone_on_standard_output(tmp_path):
    (tmp_path / "text.mp4").write_text("hello")
    done = command("ingest", tmp_path, "-c", tmp_path / "cat", "--json")
    outcomes = json.loads(done.stdout)["outcomes"]
    assert outcomes[0]["status"] == "failed"
    assert done.stderr == ""


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    command("ingest", tmp_path, "-c", tmp_path / "cat")
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", "from mediafm.cli.main import run; run()", "--help"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert "Traceback" not in done.stderr


def test_importing_the_package_does_not_import_torch():
    code = "import sys, mediafm; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.fixture
def odd(tmp_path, monkeypatch):
    """A catalog whose one title has a name that trips programs."""
    monkeypatch.chdir(tmp_path)
    catalog = Catalog.create("cat")
    with catalog.writer("a.b/Show.S01E01 [x264]") as writer:
        writer.add_shots([Shot(0, Span(0, 10**6)), Shot(1, Span(10**6, 2 * 10**6))])
        writer.commit(TitleRecord("a.b/Show.S01E01 [x264]", "", title="Odd [/bold] <b>"))
    return "a.b/Show.S01E01 [x264]"


def test_names_with_markup_are_shown_as_they_are(odd, capsys):
    assert main(["info", odd, "-c", "cat"]) == 0
    assert "Odd [/bold] <b>" in capsys.readouterr().out
    assert main(["info", "-c", "cat"]) == 0


def test_a_title_with_dots_is_drawn_into_the_present_folder(odd, tmp_path, capsys):
    assert main(["plot", odd, "-c", "cat"]) == 0
    assert (tmp_path / "a.b-Show.S01E01 [x264].png").exists()
    assert (tmp_path / "a.b-Show.S01E01 [x264].html").exists()


def test_an_unexpected_error_is_one_line_too(odd, capsys, monkeypatch):
    def broken(self):
        raise ValueError("something\nodd")

    monkeypatch.setattr(Catalog, "titles", broken)
    assert main(["info", "-c", "cat"]) == 1
    assert "unexpected ValueError: something odd" in capsys.readouterr().err
    with pytest.raises(ValueError, match="something"):
        main(["info", "-c", "cat"], debug=True)
