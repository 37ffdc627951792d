"""Fixtures that every test folder shares."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Each worker would use all cores, and OpenMP's threads wait for one another at full speed:
    # fixtures that train took twenty times as long. Read when torch is imported, also by children.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED = Path(__file__).resolve().parents[2] / "shared"
REQUIRED = {name for name in os.environ.get("MEDIAFM_REQUIRE", "").split(",") if name}


@pytest.fixture(scope="session", autouse=True)
def caches(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What the tests cache stays out of the user's folders, that of child processes too."""
    os.environ["MEDIAFM_VECTOR_CACHE"] = str(tmp_path_factory.mktemp("vectors"))
    os.environ["MEDIAFM_TRAINING_CACHE"] = str(tmp_path_factory.mktemp("training"))


def absent(name: str, reason: str) -> NoReturn:
    """Skips a test for what is not on this machine, or fails it where ``MEDIAFM_REQUIRE`` names it.

    Args:
        name: ``shared`` or ``browser``.
        reason: What is missing, in words.
    """
    if name in REQUIRED:
        pytest.fail(f"{reason}, and MEDIAFM_REQUIRE names '{name}'")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real media and data beside the checkout; skips where it is absent."""
    if not SHARED.is_dir():
        absent("shared", f"the real media and data are not at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a real browser; skips where there is none."""
    found = os.environ.get("MEDIAFM_CHROMIUM") or shutil.which("chromium")
    if found is None:
        absent("browser", "there is no Chromium (apt-get install chromium)")
    return found


@pytest.fixture
def make_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a real file system of a size such as ``2m``, once per test."""
    disk = tmp_path / "disk"

    def make(size: str) -> Path:
        disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            disk.rmdir()
            pytest.skip("a small file system cannot be mounted here")
        return disk

    yield make
    if disk.exists():
        subprocess.run(["umount", "-l", str(disk)], check=True)
