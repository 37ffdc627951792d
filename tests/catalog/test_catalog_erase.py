"""A title that is erased leaves no byte in the catalog's files."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from catalog_kit import check_title, write_title

from mediafm.catalog import Catalog, TitleRecord, VersionRecord
from mediafm.errors import CatalogError
from mediafm.timeline import US, Cue, Shot, Span

from catalog_kit import ENCODERS  # isort: skip

PICTURE = b"the picture of the title that goes, as bytes " * 4
WORDS = "a line of text that nobody else says, and that is long enough to be found"
SHOTS = 6


def marked(seed, dim):
    """Vectors whose bytes stand nowhere else."""
    return np.random.default_rng(seed).standard_normal((SHOTS, dim)).astype(np.float16)


def write_marked(catalog):
    with catalog.writer("gone", ENCODERS) as w:
        w.add_shots([Shot(i, Span(i * US, (i + 1) * US)) for i in range(SHOTS)])
        w.add_cues([Cue(Span(0, US), WORDS)])
        w.add_keyframes([(i, PICTURE) for i in range(SHOTS)])
        w.add_features("video", 0, marked(101, 8))
        w.add_features("text", 0, marked(102, 4))
        w.set_metadata("synopsis", marked(103, 4)[0])
        return w.commit(TitleRecord("gone", "", synopsis=f"synopsis: {WORDS}"))


def found_in(folder: Path, needles: dict[str, bytes]) -> set[str]:
    """Names of the needles that some file holds."""
    content = b"\0".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return {name for name, needle in needles.items() if needle in content}


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog.create(tmp_path / "c")
    write_title(catalog, "t0", seed=0)
    title = write_marked(catalog)
    write_title(catalog, "t1", seed=1)
    for number in range(2):
        catalog.create_version(VersionRecord(f"v{number}", f"f{number}", 5))
        for own in catalog.titles():
            x_NH = marked(110 + number, 5) if own == title else np.eye(5)[: own.shots]
            catalog.append_embeddings(f"v{number}", [(own.title_id, own.ingest_id, x_NH)])
    return catalog


NEEDLES = {
    "picture": PICTURE,
    "words": WORDS.encode(),
    # A row of a vector as it lies in a file: uncompressed, the width of the table.
    "video": marked(101, 8)[2].tobytes(),
    "text": marked(102, 4)[2].tobytes(),
    "metadata": marked(103, 4)[0].tobytes(),
    "first version": marked(110, 5)[2].tobytes(),
    "second version": marked(111, 5)[2].tobytes(),
}


def test_no_byte_is_left(catalog, tmp_path):
    assert found_in(tmp_path / "c", NEEDLES) == set(NEEDLES)
    reader = Catalog.open(catalog.uri)
    assert len(reader.titles()) == 3
    stream = reader.iter_embeddings("v0")
    catalog.erase("gone")
    assert found_in(tmp_path / "c", NEEDLES) == set()
    for title_id in ("t0", "t1"):
        check_title(catalog, title_id)
        assert len(catalog.embeddings("v1", title_id)) == 5
    assert [title.title_id for title in catalog.titles()] == ["t0", "t1"]
    # Who had the catalog open goes on without it.
    assert {title.title_id for title, _ in stream} == {"t0", "t1"}
    with pytest.raises(CatalogError, match="no title 'gone'"):
        catalog.erase("gone")


def test_bytes_of_a_title_that_was_replaced_or_removed_before_go_too(catalog, tmp_path):
    write_marked(catalog)  # the rows of the first writing are nobody's now
    catalog.erase("gone")
    assert found_in(tmp_path / "c", NEEDLES) == set()


def test_what_a_killed_erasing_left_goes_with_the_next(catalog, tmp_path, monkeypatch):
    from mediafm.catalog import upkeep

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(upkeep, "_rewrite", killed)
        with pytest.raises(KeyboardInterrupt):
            catalog.erase("gone")
    catalog.refresh()
    assert [title.title_id for title in catalog.titles()] == ["t0", "t1"]
    assert "picture" in found_in(tmp_path / "c", NEEDLES)
    catalog.erase_removed()
    assert found_in(tmp_path / "c", NEEDLES) == set()
    check_title(catalog, "t0")
    check_title(catalog, "t1")


def test_a_reader_that_has_read_before_goes_on_without_the_title(catalog):
    reader = Catalog.open(catalog.uri)
    assert len(list(reader.title_features())) == len(list(reader.iter_embeddings())) == 3
    catalog.erase("gone")
    assert [title.title_id for title in reader.title_features()] == ["t0", "t1"]
    assert [title.title_id for title, _ in reader.iter_embeddings()] == ["t0", "t1"]
    with pytest.raises(CatalogError):
        reader.embeddings("v0", "gone")


def test_a_full_disk_says_how_to_finish(catalog, make_disk, tmp_path):
    disk = make_disk("2m")
    shutil.copytree(tmp_path / "c", disk / "c")
    held = Catalog.open(disk / "c")
    held.titles()
    ballast = disk / "ballast"
    room = shutil.disk_usage(disk).free
    ballast.write_bytes(bytes(room - 12 * 1024))  # for the row, not for rewriting the tables
    with pytest.raises(CatalogError, match="no space left"):
        held.erase("gone")
    ballast.unlink()
    fresh = Catalog.open(disk / "c")
    fresh.erase("gone") if fresh.find("gone") else fresh.erase_removed()
    assert found_in(disk / "c", NEEDLES) == set()
