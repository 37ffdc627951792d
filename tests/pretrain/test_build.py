"""Building the training cache: stops, kills, damage, full disks."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from run_kit import Said
from shot_kit import make_titles
from store_kit import Source, check_same, odd_titles, run

from mediafm.errors import CatalogError
from mediafm.pretrain import build
from mediafm.pretrain.build import build_store, known_encoders
from mediafm.pretrain.cache import cached_store
from mediafm.pretrain.store import ShotStore
from mediafm.progress import Silent


def test_an_interrupted_build_goes_on(tmp_path, monkeypatch):
    titles = odd_titles()
    monkeypatch.setattr(build, "_SAFE", 1)  # the journal has every title
    with pytest.raises(KeyboardInterrupt):
        build_store(Source(titles, fail_after=2), tmp_path / "c", Silent())
    assert not (tmp_path / "c").exists()
    # A title that was half written when the machine went down.
    with (tmp_path / "c.building" / "features-video.f16").open("ab") as file:
        file.write(b"\xff" * 999)
    source = Source(titles)
    with build_store(source, tmp_path / "c", Silent()) as store:
        check_same(store, titles)
        assert store.fingerprint == ShotStore.of_titles(titles, known_encoders(source)).fingerprint
    assert source.given == [t.title_id for t in titles[2:]]
    assert [p.name for p in tmp_path.iterdir()] == ["c"]
    assert not (tmp_path / "c" / "journal.json").exists()


def test_an_interrupted_build_of_another_state_begins_anew(tmp_path, monkeypatch):
    titles = make_titles(4)
    monkeypatch.setattr(build, "_SAFE", 1)
    with pytest.raises(KeyboardInterrupt):
        build_store(Source(titles, fail_after=3), tmp_path / "c", Silent())
    titles[0] = replace(titles[0], ingest_id="new")
    source = Source(titles)
    with build_store(source, tmp_path / "c", Silent()) as store:
        check_same(store, titles)
    assert len(source.given) == 4


_KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from store_kit import *
from mediafm.pretrain import build
from mediafm.pretrain.build import build_store
from mediafm.progress import Silent
class Dies(Source):
    def title_features(self, ids=None):
        for number, title in enumerate(super().title_features(ids)):
            if number == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            yield title
build._SAFE = 1
build_store(Dies(odd_titles()), Path(sys.argv[1]), Silent())
"""


def test_a_killed_build_goes_on(tmp_path):
    done = run(_KILLED, tmp_path / "c", Path(__file__).parent)
    done.communicate(timeout=120)
    assert done.returncode == -9
    source = Source(odd_titles())
    with build_store(source, tmp_path / "c", Silent()) as store:
        check_same(store, odd_titles())
    assert len(source.given) == 3


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "film.mkv").write_text("x")
    with pytest.raises(CatalogError, match="not empty and holds no training cache; remove it, or"):
        cached_store(Source(make_titles(2)), tmp_path, Silent())
    with pytest.raises(CatalogError, match="not empty and holds no training cache"):
        cached_store(Source(make_titles(2)), tmp_path / "film.mkv", Silent())
    assert (tmp_path / "film.mkv").read_text() == "x"


def test_damage_is_one_line_and_the_next_run_builds_anew(tmp_path):
    titles, folder = make_titles(3), tmp_path / "c"
    cached_store(Source(titles), folder, Silent()).close()
    held = ShotStore.open(folder)
    os.truncate(folder / "features-video.f16", 1000)
    with pytest.raises(CatalogError, match=r"features-video\.f16: .* is cut short; delete the"):
        held.title(2)
    with pytest.raises(CatalogError, match=r"cut short \(1000 of \d+ bytes\); delete the .* anew"):
        ShotStore.open(folder)
    said = Said()
    with cached_store(Source(titles), folder, said) as store:
        check_same(store, titles)
    assert "cut short" in said.lines[0]
    for name, content in (
        ("training-cache.json", "{"),
        ("training-cache.json", '{"format": "mediafm training cache", "version": 9}'),
        ("training-cache.json", '{"format": "mediafm training cache", "version": 1}'),
        ("titles.jsonl", "[]\n"),
        ("titles.jsonl", ""),
    ):
        (folder / name).write_text(content)
        with pytest.raises(CatalogError, match=r"damaged|format \d|cut short") as caught:
            ShotStore.open(folder)
        assert "\n" not in str(caught.value)
        with cached_store(Source(titles), folder, Silent()) as store:
            check_same(store, titles)
    with pytest.raises(CatalogError, match=r"nix: holds no training cache; name the folder"):
        ShotStore.open(tmp_path / "nix")
    with pytest.raises(CatalogError, match=r"holds no training cache; open a folder in it: c$"):
        ShotStore.open(tmp_path)
    held.close()
    with pytest.raises(CatalogError, match="closed"):
        held.title(0)


@pytest.fixture
def small_disk(make_disk):
    return make_disk("1m")


def test_a_full_disk_is_told_and_the_build_goes_on(small_disk, monkeypatch):
    titles = make_titles(12, 600)
    monkeypatch.setattr(build, "_SAFE", 1)
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 500_000)
    with pytest.raises(CatalogError, match=r"no space left on the disk\); the same") as caught:
        cached_store(Source(titles), small_disk / "c", Silent())
    assert "\n" not in str(caught.value)
    filler.unlink()
    source = Source(titles)
    with cached_store(source, small_disk / "c", Silent()) as store:
        check_same(store, titles)
    assert 0 < len(source.given) < 12


def test_a_folder_of_something_else_with_our_names_in_it_is_left_alone(tmp_path):
    folder = tmp_path / "c"
    build_store(Source(make_titles(2)), folder, Silent()).close()
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(CatalogError, match="holds no training cache; remove it, or name another"):
        cached_store(Source(make_titles(3)), folder, Silent())
    assert (folder / "thesis.txt").read_text() == "years of work"
    assert (folder / "training-cache.json").exists()
