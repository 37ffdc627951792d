"""Renders the sample catalog, titles side by side in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mediafm.errors import MediaFMError, describe_os_error
from mediafm.progress import Progress, Silent, Task
from mediafm.sample.labels import write_labels
from mediafm.sample.story import MAX_TITLES, TitlePlan, plan_title
from mediafm.sample.truth import load_truth, settings_of, truth_of
from mediafm.sample.write import paths_of, write_title


def generate(
    out: Path,
    titles: int = 10,
    seed: int = 0,
    progress: Progress | None = None,
    overwrite: bool = False,
    *,
    seconds: float | None = None,
    processes: int | None = None,
) -> list[Path]:
    """Renders a small catalog of films that needs no file from elsewhere.

    Beside each film ``X.mp4`` or ``X.mkv`` come ``X.json`` (metadata), mostly ``X.en.srt``
    (subtitles) and ``truth/X.truth.json`` (exact shots, scenes, tones; see :class:`Truth`).
    A title that is complete is kept. One that was interrupted is made again. ``labels/`` holds
    labels of these titles for the probes (see :mod:`mediafm.sample.labels`).

    Args:
        out: Folder to write to; made if absent.
        titles: How many films, 1 to 40; the first ten differ most.
        seed: Another seed gives other films of the same series.
        progress: Where to report.
        overwrite: Whether to replace files of the same names that other settings made.
        seconds: Length of each film, at least 8; ``None`` for a little over a minute.
        processes: Films rendered at once; ``None`` for one per processor, at most 8.

    Returns:
        The media files, in catalog order.

    Raises:
        MediaFMError: A number is out of range, the folder cannot be written, or it holds other
            files of the same names.
    """
    if not 1 <= titles <= MAX_TITLES:
        raise MediaFMError(f"{titles} titles cannot be made", do=f"ask for 1 to {MAX_TITLES}")
    if seconds is not None and not 8 <= seconds <= 600:
        raise MediaFMError(f"films of {seconds:g} s cannot be made", do="ask for 8 to 600")
    if seed < 0:
        raise MediaFMError(f"the seed {seed} is negative", do="use 0 or more")
    progress = Silent() if progress is None else progress
    plans = [plan_title(index, seed, seconds) for index in range(titles)]
    _make_folder(out)
    todo = [plan for plan in plans if overwrite or not _complete(plan, out)]
    with progress.task("sample", sum(plan.seconds for plan in todo), "s") as task:
        _render_all(todo, out, seconds, processes, task)
    write_labels(out / "labels", [(plan.slug, truth_of(plan)) for plan in plans], seed)
    return [paths_of(plan, out)["media"] for plan in plans]


def _make_folder(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise MediaFMError("is a file, not a folder", where=out, do="name another folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / f".{os.getpid()}.probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise MediaFMError(
            f"cannot be written ({describe_os_error(error)})", where=out, do="name another folder"
        ) from None


def _complete(plan: TitlePlan, out: Path) -> bool:
    files = paths_of(plan, out)
    if not files["media"].exists():
        return False
    try:
        made = load_truth(files["truth"]).settings
    except MediaFMError:
        made = "unknown"
    if made != settings_of(plan):
        raise MediaFMError(
            "was made by something else or with other settings",
            where=files["media"],
            do="name another folder, or remove it",
        )
    return all(path.exists() for path in files.values())


def _render_all(
    plans: list[TitlePlan],
    out: Path,
    seconds: float | None,
    processes: int | None,
    task: Task,
) -> None:
    workers = min(processes or min(8, os.cpu_count() or 1), len(plans))
    if workers <= 1:
        for plan in plans:
            task.note(plan.entry.name)
            write_title(plan, out, task.advance)
        return
    lock, running = threading.Lock(), set[subprocess.Popen[str]]()
    stop = threading.Event()

    def render(plan: TitlePlan) -> None:
        if stop.is_set():
            return
        with lock:
            task.note(plan.entry.name)
        try:
            _in_process(plan, out, seconds, lock, running, task.advance)
        except BaseException:
            stop.set()
            raise

    pool = ThreadPoolExecutor(workers, "sample")
    try:
        for future in [pool.submit(render, plan) for plan in plans]:
            future.result()
    finally:
        stop.set()
        with lock:
            for process in running:
                process.terminate()
        pool.shutdown()


def _in_process(
    plan: TitlePlan,
    out: Path,
    seconds: float | None,
    lock: threading.Lock,
    running: set[subprocess.Popen[str]],
    advance: Callable[[float], None],
) -> None:
    """Renders in a fresh interpreter: callers need no ``if __name__ == "__main__"``."""
    command = [
        sys.executable,
        "-m",
        "mediafm.sample.worker",
        str(out),
        str(plan.index),
        str(plan.seed),
    ]
    with subprocess.Popen(
        [*command, *([] if seconds is None else [str(seconds)])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    ) as process:
        with lock:
            running.add(process)
        assert process.stdout and process.stderr
        for line in process.stdout:
            with lock:
                advance(float(line))
        problem = process.stderr.read()
        with lock:
            running.discard(process)
    if process.returncode:
        last = (problem.strip() or f"stopped with status {process.returncode}").splitlines()[-1]
        raise MediaFMError(last)
