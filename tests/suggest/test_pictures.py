"""--picture: what commands find, drawn."""

import json

import pytest
from PIL import Image

from mediafm.cli.main import main

COMMANDS = {
    "search": ["search", "until here", "--by", "words"],
    "similar": ["similar", "film@0:10"],
    "similar clips": ["similar", "film@0:10-0:20"],
    "scenes": ["scenes", "film"],
    "clips": ["suggest", "clips", "film", "--shortest", "4", "--longest", "12"],
    "artwork": ["suggest", "artwork", "film"],
    "ad-breaks": ["suggest", "ad-breaks", "film", "--spacing", "2"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_what_is_found_is_drawn(film, tmp_path, capsys, command, form):
    picture = tmp_path / "deep" / "sheet.png"
    assert main([*command, "-c", film.uri, "--picture", str(picture), *form]) == 0
    out = capsys.readouterr().out
    with Image.open(picture) as image:
        assert image.width == 1800
        assert len(image.convert("RGB").getcolors(1 << 24)) > 200  # keyframes, not blank boxes
    if form:
        json.loads(out)
    else:
        assert str(picture) in out.splitlines()


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_another_form_is_refused_before_the_work(film, tmp_path, capsys, command):
    picture = tmp_path / "sheet.jpg"
    assert main([*command, "-c", film.uri, "--picture", str(picture)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"error: {picture}: a picture cannot be written as .jpg; name a .png file\n"


def test_where_nothing_is_found_nothing_is_drawn(film, tmp_path, capsys):
    picture = tmp_path / "sheet.png"
    command = ["suggest", "ad-breaks", "film", "--spacing", "600", "-c", film.uri]
    assert main([*command, "--picture", str(picture)]) == 0
    assert f"nothing to draw: {picture} is not written" in capsys.readouterr().out
    assert not picture.exists()
