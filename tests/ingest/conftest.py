"""Makes `media_kit` and `ingest_kit` importable here; a catalog of two films that tests share."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "media")]

from ingest_kit import FAST, SRT, Paid  # noqa: E402
from media_kit import Sound, Video, beeps, scene, write  # noqa: E402

from mediafm.encoders import EMBEDDED  # noqa: E402
from mediafm.ingest import ingest  # noqa: E402
from mediafm.ingest import title as title_module  # noqa: E402


@pytest.fixture
def registered(monkeypatch):
    """The encoders of `ingest_kit`, known by name."""
    for modality, name, cls in (
        ("video", "other-video", "OtherVideo"),
        ("audio", "clips", "OtherClips"),
        ("text", "paid", "Paid"),
    ):
        monkeypatch.setitem(EMBEDDED[modality], name, f"ingest_kit:{cls}")
    for modality, fake in (("video", "FakeVideo"), ("audio", "FakeAudio"), ("text", "FakeText")):
        monkeypatch.setitem(EMBEDDED[modality], "fake", f"ingest_kit:{fake}")
    monkeypatch.setitem(EMBEDDED["text"], "other", "ingest_kit:OtherText")
    monkeypatch.setitem(EMBEDDED, "length", {"length": "ingest_kit:Lengths"})
    Paid.seen, Paid.fail_at = [], None


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Two films with a subtitle each, one with a synopsis."""
    folder = tmp_path_factory.mktemp("films")
    for name, first in (("a", 0), ("b", 5)):
        frames = [f for i, n in enumerate((20, 30, 25)) for f in scene(first + i, n)]
        write(folder / f"{name}.mp4", Video(frames), Sound(beeps([0.3, 2.1], 2.5)))
        (folder / f"{name}.en.srt").write_text(SRT.format(f"This is {name}."))
    (folder / "b.json").write_text('{"synopsis": "A bee."}')
    return folder


@pytest.fixture
def films(tmp_path, originals):
    """A copy of them, ingested into the catalog `c` beside it."""
    shutil.copytree(originals, tmp_path / "films", copy_function=shutil.copy2)
    ingest(tmp_path / "films", tmp_path / "c", FAST)
    return tmp_path / "films"


@pytest.fixture
def opened(monkeypatch):
    """Which media was opened, and for what."""
    found, real = [], title_module.Reader

    def reader(path, options):
        found.append((path.name, options.pictures, options.sound))
        return real(path, options)

    monkeypatch.setattr(title_module, "Reader", reader)
    return found
