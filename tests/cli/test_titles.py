"""``mediafm remove`` and ``mediafm relink``."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "catalog"))

from catalog_kit import write_title

from mediafm.catalog import Catalog
from mediafm.cli.main import main


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog.create(tmp_path / "c")
    (tmp_path / "old").mkdir()
    for i in range(3):
        path = tmp_path / "old" / f"t{i}.mp4"
        path.write_bytes(b"x" * (10 + i))
        write_title(catalog, f"t{i}", seed=i, path=str(path), size=10 + i)
    return catalog


def test_remove(catalog, capsys):
    assert main(["remove", "t0", "t2", "t0", "-c", catalog.uri]) == 0
    assert "2 titles removed" in capsys.readouterr().out
    catalog.refresh()
    assert [title.title_id for title in catalog.titles()] == ["t1"]
    assert main(["remove", "t1", "t9", "-c", catalog.uri]) == 1
    assert "no title 't9'" in capsys.readouterr().err
    catalog.refresh()
    assert len(catalog.titles()) == 1  # nothing is removed where a name is wrong


def test_relink(catalog, tmp_path, capsys):
    new = tmp_path / "new"
    (tmp_path / "old").rename(new)
    command = ["relink", str(tmp_path / "old"), str(new), "-c", catalog.uri]
    assert main(command) == 0
    assert "3 titles relinked" in capsys.readouterr().out
    catalog.refresh()
    assert {Path(title.path).parent for title in catalog.titles()} == {new}
    assert main(command) == 1
    said = capsys.readouterr().err
    assert "no title's file was there" in said and str(new) in said


def test_files_that_are_missing_or_others_are_said(catalog, tmp_path, capsys):
    new = tmp_path / "new"
    (tmp_path / "old").rename(new)
    (new / "t1.mp4").unlink()
    (new / "t2.mp4").write_bytes(b"another film, and longer")
    command = ["relink", str(tmp_path / "old"), str(new), "-c", catalog.uri, "--json"]
    assert main(command) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["moved"], found["different"]) == (["t0"], ["t2"])
    assert found["missing"] == ["t1"]
    assert main(["relink", str(tmp_path / "old"), str(tmp_path / "no"), "-c", catalog.uri]) == 1
    assert "there is nothing" in capsys.readouterr().err
