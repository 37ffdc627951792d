"""``mediafm demo``, and every command that it leaves its user with."""

import os
import shlex
import subprocess
from pathlib import Path

import httpx
import pytest
from cli_kit import MEDIAFM, server
from PIL import Image

from mediafm.cli.main import main


@pytest.mark.parametrize(("content", "words"), [(b"", "empty"), (b"not a film", "no media file")])
def test_films_of_which_none_can_be_read(tmp_path, capsys, content, words):
    """It ends where it has nothing to go on with, and the last line says why."""
    film = tmp_path / "film.mp4"
    film.write_bytes(content)
    assert main(["demo", str(film), "--out", str(tmp_path / "demo")]) == 1
    shown = capsys.readouterr()
    last = shown.out.splitlines()[-1]
    assert last.startswith(f"failed: {film}: ") and words in last
    assert "pretrain" not in shown.out + shown.err


def test_a_file_where_its_folder_should_be_is_kept(tmp_path, capsys):
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    for out in (notes, notes / "demo"):
        assert main(["demo", "--out", str(out)]) == 1
        shown = capsys.readouterr().err
        assert shown.startswith(f"error: {out}: ") and "file" in shown and shown.count("\n") == 1
    assert notes.read_text() == "mine"


def run(arguments, folder, **variables):
    done = subprocess.run(
        arguments,
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "2"} | variables,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert not done.returncode, done.stderr
    return done.stdout


def commands(said):
    """What is printed to go on with, the variable apart."""
    lines = [line.strip() for line in said.split("Go on:\n")[1].splitlines()]
    name, value = lines[0].removeprefix("export ").split("=")
    words = [shlex.split(line, comments=True) for line in lines[1:]]
    return {name: value}, {own[1]: own for own in words if own[0] == MEDIAFM}


@pytest.mark.slow
def test_the_demo_and_what_it_says_to_go_on_with(tmp_path):
    said = run([MEDIAFM, "demo"], tmp_path)
    pictures = said.split("Pictures:\n")[1].split("Go on:")[0].split()
    assert {Path(path).suffix for path in pictures} == {".png", ".html"}
    for path in pictures:
        file = tmp_path / path
        assert file.stat().st_size > 10_000
        assert file.suffix != ".png" or Image.open(file).width > 600
    variables, offered = commands(said)
    assert set(offered) == {"serve", "info", "similar", "plot"}
    for name in ("info", "similar", "plot"):
        assert run(offered[name], tmp_path, **variables)

    with server([*offered["serve"], "--cache", "cache"], tmp_path, **variables) as ours:
        assert "10 titles" in ours.line
        with httpx.Client(base_url=ours.url, timeout=60) as client:
            assert "<script" in client.get("/").text
            [title, *_] = client.get("/api/titles").raise_for_status().json()["items"]
            # The page is complete: tags and arcs come from the probes that the demo fitted.
            title_id = title["title_id"]
            arc = client.get(f"/api/titles/{title_id}/arc").raise_for_status().json()
            assert arc["by"] == ["clip-tone"]
            tags = client.get(f"/api/titles/{title_id}/tags").raise_for_status().json()
            assert {"ad-relevancy", "clip-genre", "clip-tone"} <= {*tags["by"]}
            names = {name for found in tags["found"] for name in found["names"]}
            assert names and not [name for name in names if name.isdigit()]
