"""Progress of long work: how much is done, how fast, how long it will take.

Code that works calls :meth:`Progress.task` and advances what it gets; the command line decides
whether a terminal shows bars, a log gets lines, or nobody looks.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TextIO


class Task(Protocol):
    """One piece of work whose size is known or guessed."""

    def advance(self, amount: float = 1.0) -> None:
        """Says that ``amount`` more units are done."""

    def note(self, text: str) -> None:
        """Shows a short text beside the bar (a loss, a title)."""


class Progress(Protocol):
    """Where long work reports."""

    def task(self, name: str, total: float | None, unit: str) -> AbstractContextManager[Task]:
        """Opens a task; use it in a ``with`` block.

        Args:
            name: What is done, in a word or two.
            total: Units to do, ``None`` where unknown.
            unit: What is counted: ``s`` for seconds of media, ``shots``, ``steps``.
        """

    def say(self, text: str) -> None:
        """Prints a line that stays."""


class Silent:
    """Progress that nobody looks at: the default of the Python API."""

    @contextmanager
    def task(self, name: str, total: float | None, unit: str) -> Iterator[Task]:
        """See :class:`Progress`."""
        yield _SilentTask()

    def say(self, text: str) -> None:
        """See :class:`Progress`."""


class _SilentTask:
    def advance(self, amount: float = 1.0) -> None:
        pass

    def note(self, text: str) -> None:
        pass


@dataclass
class Lines:
    """Progress for logs and pipes: a line at the start, every few seconds, and at the end.

    Args:
        stream: Where the lines go.
        every: Seconds between two lines of a task.
    """

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    every: float = 15.0

    @contextmanager
    def task(self, name: str, total: float | None, unit: str) -> Iterator[Task]:
        """See :class:`Progress`."""
        task = _LineTask(self, name, total, unit)
        yield task
        task.show(final=True)

    def say(self, text: str) -> None:
        """See :class:`Progress`."""
        print(text, file=self.stream, flush=True)


@dataclass
class _LineTask:
    parent: Lines
    name: str
    total: float | None
    unit: str
    done: float = 0.0
    text: str = ""
    started: float = field(default_factory=time.monotonic)
    shown: float = field(default_factory=time.monotonic)

    def advance(self, amount: float = 1.0) -> None:
        self.done += amount
        if time.monotonic() - self.shown >= self.parent.every:
            self.show()

    def note(self, text: str) -> None:
        self.text = text

    def show(self, final: bool = False) -> None:
        self.shown = time.monotonic()
        seconds = max(self.shown - self.started, 1e-9)
        rate = self.done / seconds
        of = f"/{self.total:.0f}" if self.total else ""
        line = f"{self.name} {self.done:.0f}{of} {self.unit}, {rate:.1f} {self.unit}/s"
        if not final and self.total and rate > 0:
            line += f", {max(self.total - self.done, 0) / rate:.0f} s left"
        self.parent.say(line + (f"  {self.text}" if self.text else ""))


class Bars:
    """Progress bars in a terminal, with rate and time left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress

        self.console = Console(stderr=True)
        self._rich = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}  {task.fields[rate]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=self.console,
            transient=True,
        )
        self._open = 0

    @contextmanager
    def task(self, name: str, total: float | None, unit: str) -> Iterator[Task]:
        """See :class:`Progress`."""
        if self._open == 0:
            self._rich.start()
        self._open += 1
        identity = self._rich.add_task(
            name, total=None if total is None else round(total), unit=unit, rate="", note=""
        )
        try:
            yield _BarTask(self, identity, unit)
        finally:
            self._rich.remove_task(identity)
            self._open -= 1
            if self._open == 0:
                self._rich.stop()

    def say(self, text: str) -> None:
        """See :class:`Progress`."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


class _BarTask:
    def __init__(self, parent: Bars, identity: object, unit: str):
        self._rich, self._id, self._unit = parent._rich, identity, unit
        self._started, self._done = time.monotonic(), 0.0

    def advance(self, amount: float = 1.0) -> None:
        self._done += amount
        rate = self._done / max(time.monotonic() - self._started, 1e-9)
        self._rich.update(
            self._id,  # type: ignore[arg-type]
            completed=int(self._done),
            rate=f"{rate:.1f} {self._unit}/s",
        )

    def note(self, text: str) -> None:
        self._rich.update(self._id, note=text)  # type: ignore[arg-type]
