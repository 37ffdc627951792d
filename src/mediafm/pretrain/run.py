"""The folder of a training run: what it holds, its log, and how a run is stopped."""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
import threading
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TextIO

from mediafm.errors import ModelError, describe_os_error
from mediafm.files import write_whole
from mediafm.model.hub import read_json, to_json

RUN, LOG, CHECKPOINTS, BOARD = "run.json", "log.jsonl", "checkpoints", "tensorboard"


def claim_folder(out: Path, identity: dict[str, Any]) -> bool:
    """Makes the folder of a run, or checks that it holds the same one.

    Args:
        out: The folder.
        identity: What decides the result: settings and data.

    Returns:
        Whether the run was begun before.

    Raises:
        ModelError: The folder holds something else, or cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        begun = (out / RUN).exists()
        if not begun:
            if any(p for p in out.iterdir() if not p.name.startswith(".")):
                raise ModelError(
                    "is not empty and holds no training run", where=out, do="name another folder"
                )
            write_whole(out / RUN, to_json(identity))
            return False
    except FileExistsError:
        raise ModelError("is a file", where=out, do="name a folder for the model") from None
    except OSError as error:
        raise ModelError(
            describe_os_error(error), where=out, do="name a folder that can be written"
        ) from None
    try:
        held = read_json(out / RUN)
    except ModelError as error:
        raise ModelError(f"{error}; remove the folder, or name another") from None
    now = json.loads(to_json(identity))
    if held != now:
        before, after = _flat(held), _flat(now)
        changed = [k for k in {**before, **after} if before.get(k) != after.get(k)]
        words = [f"{k} was {before.get(k)}, is {after.get(k)}" for k in changed]
        raise ModelError(
            f"holds a run with other settings or data ({'; '.join(words[:3])})",
            where=out,
            do="name another folder, or remove this one",
        )
    return True


@contextmanager
def only_one(out: Path) -> Iterator[None]:
    """Keeps a second process from training in the same folder.

    Raises:
        ModelError: One does.
    """
    with (out / RUN).open("r+b") as file:  # to lock a file for oneself NFS wants it writable
        for again in (True, True, False):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if again:  # who looks whether a run goes on holds it for a moment
                    time.sleep(0.05)
                    continue
                raise ModelError(
                    "another process trains in this folder", where=out, do="wait, or name another"
                ) from None
            except OSError:
                break  # a file system without locks
        yield


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


class Log:
    """One JSON object per line; on resuming, lines of steps that will be done again go.

    Args:
        path: The file.
        step: Steps done so far.
        board: Folder for TensorBoard files as well, or ``None``.
        write: Whether this process writes at all.

    Raises:
        ModelError: It cannot be written, or TensorBoard is wanted and not installed.
    """

    def __init__(self, path: Path, step: int, board: Path | None = None, *, write: bool = True):
        self._path = path
        self._file: TextIO | None = None
        self._board: Any = None
        if not write:
            return
        with self._told():
            text = path.read_text("utf-8", errors="replace") if path.exists() else ""
            kept = "".join(f"{line}\n" for line in text.splitlines() if _done(line, step))
            write_whole(path, kept.encode())
            self._file = path.open("a", encoding="utf-8")
        if board is not None:
            try:
                self._board = _tensorboard(board, step)
            except BaseException:
                self._file.close()
                raise

    def write(self, event: str, *, step: int, **values: Any) -> None:
        """Adds a line.

        Raises:
            ModelError: It cannot be written.
        """
        if self._file is not None:
            with self._told():
                self._file.write(json.dumps({"event": event, "step": step, **values}) + "\n")
                self._file.flush()
        if self._board is not None and event in ("start", "verdict"):
            text = json.dumps(values, indent=2)
            self._board.add_text(event, f"```json\n{text}\n```", step)
        elif self._board is not None:
            for name, value in _flat(values).items():
                if isinstance(value, int | float):
                    self._board.add_scalar(f"{event}/{name.replace('.', '/')}", value, step)

    def __enter__(self) -> Self:
        return self

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ModelError(
                f"the log cannot be written ({describe_os_error(error)})",
                where=self._path,
                do="make room and run the same command again to continue",
            ) from None

    def __exit__(self, kind: type[BaseException] | None, *args: object) -> None:
        if self._board is not None:
            with suppress(OSError):
                self._board.close()
        if self._file is not None:
            # A full disk was said when the line was written; closing tries it once more.
            with suppress(OSError) if kind else self._told():
                self._file.close()


def _done(line: str, step: int) -> bool:
    """Whether a line is of a step up to ``step``; one cut off by a kill is not."""
    try:
        return bool(json.loads(line).get("step", 0) <= step)
    except (ValueError, AttributeError, TypeError, RecursionError):
        return False


def _tensorboard(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ModelError(
            "TensorBoard is not installed", do="pip install 'mediafm[tensorboard]'"
        ) from None
    return SummaryWriter(str(folder / BOARD), purge_step=step + 1)


def forget_checkpoints(out: Path) -> None:
    """Removes what a finished run no longer needs."""
    shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)


class Stop:
    """Turns the first Ctrl-C or SIGTERM into a wish to stop; a second one acts at once.

    Python delivers signals to the main thread only; elsewhere nothing is changed.
    """

    def __init__(self) -> None:
        self.wanted: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        self.wanted = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def __exit__(self, *args: object) -> None:
        self._restore()

    def done(self) -> None:
        """Lets signals act at once again."""
        self._restore()

    def leave(self) -> None:
        """Leaves as the signal would have.

        Raises:
            KeyboardInterrupt: After Ctrl-C.
            SystemExit: After SIGTERM, with status 143.
        """
        if self.wanted == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + (self.wanted or signal.SIGTERM))
