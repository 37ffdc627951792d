"""Makes `probe_kit` importable here, and one small catalog for all tests of a file."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from probe_kit import make_catalog, make_version, mood_rows, write_csv, write_task

from mediafm.probes.task import load_task


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small matrices gain nothing from threads, and on a busy machine lose a factor of 50."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a module keeps its catalog, models and tables of labels."""
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def catalog(folder):
    """A catalog with planted labels, and two versions."""
    found = make_catalog(folder)
    make_version(found, folder / "model")
    make_version(found, folder / "other", "two", seed=1)
    write_csv(folder / "labels.csv", mood_rows())
    return found


@pytest.fixture(scope="module")
def mood(folder, catalog):
    """A task of three classes."""
    return load_task(write_task(folder))


@pytest.fixture(scope="module")
def change(folder, catalog):
    """A task of two."""
    return load_task(write_task(folder, "change", kind="binary", column="change", metric="AP"))


@pytest.fixture(scope="module")
def rate(folder, catalog):
    """A ranking."""
    return load_task(write_task(folder, "rate", kind="ranking", column="rate", metric="kendall"))
