"""A catalog with films, words, versions and a probe, and servers of it; makes kits importable."""

import dataclasses
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from fastapi.testclient import TestClient

from mediafm.catalog import Catalog
from mediafm.cli.main import main
from mediafm.serve import Settings, create_app

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "probes"))
from probe_kit import write_csv, write_task
from serve_kit import MARKUP, ORIGIN, Served, serving

import synthetic


@pytest.fixture(scope="session")
def library(tmp_path_factory) -> Settings:
    """Six titles, two of them films; one's id has a slash, one's words have markup."""
    folder = tmp_path_factory.mktemp("library")
    catalog = synthetic.make_catalog(
        folder / "catalog", [60, 30, 30, 30], films=2, versions=("older", "newer")
    )
    for number, title_id in ((4, "shelf/box 5 & 6?"), (5, MARKUP)):
        made = synthetic.plan(title_id, 12, number)
        record = synthetic.about(number, made, title=f"{MARKUP} {number}", synopsis=MARKUP)
        record = synthetic.add_title(catalog, made, record, number)
        for seed, version in enumerate(("older", "newer")):
            x_NH = synthetic.embeddings(made, seed)
            catalog.append_embeddings(version, [(title_id, record.ingest_id, x_NH)])
    plans = [synthetic.plan(f"title-{n:03d}", s, n) for n, s in enumerate([60, 30, 30, 30])]
    write_csv(folder / "labels.csv", synthetic.tone_rows(plans))
    write_task(folder, "clip-tone", kind="multi-label", column="tone",
               split={"by": "title", "folds": 2})  # fmt: skip
    probes = ["-c", str(folder / "catalog"), "--probes", str(folder / "probes")]
    assert main(["probe", "fit", str(folder / "clip-tone.toml"), "-f", "video", *probes]) == 0
    return Settings(
        str(folder / "catalog"),
        probes=folder / "probes",
        labels=folder / "labels",
        cache=folder / "cache",
    )


@pytest.fixture
def settings(library, tmp_path) -> Settings:
    """The library, with label files and caches of the test's own."""
    return dataclasses.replace(library, labels=tmp_path / "labels", cache=tmp_path / "cache")


@pytest.fixture
def client(settings):
    """Asks a server of the library as a program on this machine does."""
    with TestClient(create_app(settings), base_url=ORIGIN) as client:
        yield client


@pytest.fixture(scope="session")
def served(library) -> Served:
    """The library behind a real server, for the whole session."""
    with serving(library) as served:
        yield served


@pytest.fixture
def catalog(library) -> Catalog:
    return Catalog.open(library.catalog)


@pytest.fixture(scope="session")
def browser(chromium):
    """A real Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=chromium,
            # CI may run as root, in a container with little shared memory.
            args=["--no-sandbox", "--disable-dev-shm-usage"],
        )
        yield browser
        browser.close()
