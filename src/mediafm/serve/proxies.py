"""Proxies: made on demand, one at a time, and kept while there is room.

A proxy is named by the content that it was made of and by how, so that it serves every title and
every server with that content. It is there whole or not at all. What it is made in has no name on
the disk, so that a server that is killed leaves at most the last copy behind, which the next one
removes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

import av

from mediafm.catalog.locks import acquire, release
from mediafm.errors import MediaFMError, describe_os_error
from mediafm.files import whole_file
from mediafm.fingerprint import fingerprint
from mediafm.serve.faststart import index_first
from mediafm.serve.problems import NotFoundError, NotNowError, public
from mediafm.serve.streaming import OpenFile
from mediafm.serve.transcode import SETTINGS, transcode
from mediafm.timeline import US

LOG = logging.getLogger(__name__)

MOST_BYTES = 10 << 30
"""What all proxies together may take on the disk."""

MOST_WAITING = 100
"""Proxies that may be asked for at a time."""

_RECENT = 600.0
"""Seconds for which a proxy that was played stays, whatever else needs room: players pause."""

_REMEMBERED = 256
_POLL = 0.2
_SUFFIXES = (".mp4", ".m4a")
_LOCK = ".lock"
_MAKER = fingerprint(SETTINGS)

State = Literal["none", "waiting", "working", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class Job:
    """Where a proxy stands.

    Args:
        state: ``none``, nobody asked for it; ``waiting``, others come first; ``working``;
            ``ready``; ``failed``, and may be asked for again.
        done: Share of the work that is done.
        rate: Seconds of media in a second.
        left: Seconds until it is ready, if that can be said.
        error: Why it failed.
    """

    state: State
    done: float = 0.0
    rate: float = 0.0
    left: float | None = None
    error: str | None = None


class _StoppedError(Exception):
    """The server ends."""


class _Making:
    """A proxy that somebody asked for.

    Args:
        key: Its name.
        source: Opens what it is made of, when it is its turn.
        duration: Of the source, microseconds; 0 where it is not known.
    """

    def __init__(self, key: str, source: Callable[[], OpenFile], duration: int):
        self.key, self.source, self.duration = key, source, duration
        self.state: State = "waiting"
        self.error: str | None = None
        self._began, self._reached = 0.0, 0

    def begin(self) -> None:
        """Its turn has come."""
        self._began = time.monotonic()
        self.state = "working"

    def reach(self, reached: int) -> None:
        """So far it is, microseconds."""
        self._reached = max(self._reached, reached)

    def job(self) -> Job:
        """Where it stands."""
        if self.state != "working":
            return Job(self.state, error=self.error)
        took = max(time.monotonic() - self._began, 1e-3)
        rate = self._reached / US / took
        done = min(self._reached / self.duration, 0.99) if self.duration else 0.0
        left = max(self.duration - self._reached, 0) / US / rate if rate and done else None
        return Job("working", round(done, 4), round(rate, 2), left and round(left, 1))


class Proxies:
    """All proxies of a server, and who makes them.

    Args:
        cache: The server's folder; proxies lie in ``proxies`` there.
        most: Bytes that they may take together.
    """

    def __init__(self, cache: Path, most: int = MOST_BYTES):
        self.folder, self.most = cache / "proxies", most
        # Reentrant: files that nobody closed are closed by the collector, at any time.
        self._changed = threading.Condition(threading.RLock())
        self._queue: deque[_Making] = deque()
        self._asked: OrderedDict[str, _Making] = OrderedDict()
        self._played: Counter[str] = Counter()
        self._stopped = False
        self._thread: threading.Thread | None = None
        if self.folder.is_dir():
            with contextlib.suppress(OSError, _StoppedError), self._alone(wait=False):
                pass  # having the folder for oneself is when leftovers are removed

    def key(self, content: str) -> str:
        """The name of the proxy of a content; see :func:`~mediafm.serve.media.content_of`."""
        return f"{content}-{_MAKER}"

    def status(self, key: str) -> Job:
        """Where a proxy stands."""
        if self._path(key) is not None:
            return Job("ready", 1.0)
        with self._changed:
            making = self._asked.get(key)
            return Job("none") if making is None or making.state == "ready" else making.job()

    def ask(self, key: str, source: Callable[[], OpenFile], duration: int) -> Job:
        """Has a proxy made, unless it is there or on its way.

        Args:
            key: Its name.
            source: Opens what it is made of.
            duration: Of the source, microseconds.

        Raises:
            NotNowError: Too many wait already, or the server ends.
        """
        with self._changed:
            held = self.status(key)
            if held.state in ("waiting", "working", "ready"):
                return held
            if self._stopped or len(self._queue) >= MOST_WAITING:
                raise NotNowError(
                    f"{len(self._queue)} proxies wait to be made", do="ask again in some minutes"
                )
            making = _Making(key, source, duration)
            self._asked[key] = making
            self._asked.move_to_end(key)
            for old in [k for k, m in self._asked.items() if m.state in ("ready", "failed")]:
                if len(self._asked) > _REMEMBERED:
                    del self._asked[old]
            self._queue.append(making)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="proxies", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return making.job()

    def open(self, key: str, name: str) -> tuple[OpenFile, str]:
        """Opens a proxy for being sent; it is not removed before it is closed, nor soon after.

        Args:
            key: The proxy.
            name: What it is called for whoever saves it, without the suffix.

        Returns:
            The file, which the caller closes, and its MIME type.

        Raises:
            NotFoundError: It is not there.
        """
        with self._changed:
            path = self._path(key)
            try:
                if path is None:
                    raise FileNotFoundError
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError:
                raise NotFoundError(
                    "has no proxy yet", where=name, do="ask for one: POST to the same address"
                ) from None
            self._played[key] += 1
            file = OpenFile(descriptor, f"{name}{path.suffix}", lambda: self._let_go(key))
        with contextlib.suppress(OSError):
            os.utime(descriptor, ns=(time.time_ns(), file.stat.st_mtime_ns))
        return file, "audio/mp4" if path.suffix == ".m4a" else "video/mp4"

    def _let_go(self, key: str) -> None:
        with self._changed:
            self._played[key] -= 1
            if self._played[key] <= 0:
                del self._played[key]

    def close(self) -> None:
        """Ends the work; what is not ready will have to be asked for again."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=30)

    def _path(self, key: str) -> Path | None:
        paths = (self.folder / f"{key}{suffix}" for suffix in _SUFFIXES)
        return next((path for path in paths if path.is_file()), None)

    def _run(self) -> None:
        if sys.platform == "linux":  # elsewhere this is the priority of the whole process
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        while True:
            with self._changed:
                while not self._queue and not self._stopped:
                    self._changed.wait()
                if self._stopped:
                    return
                making = self._queue.popleft()
            try:
                self._make(making)
                making.state = "ready"
            except _StoppedError:
                return
            except MediaFMError as error:
                self._fail(making, public(error))
            except (av.FFmpegError, OSError) as error:
                why = describe_os_error(error) if isinstance(error, OSError) else str(error)
                self._fail(making, f"the proxy cannot be made ({why}); ask again to try again")
            except Exception as error:
                LOG.exception("a proxy failed")
                self._fail(making, f"unexpected {type(error).__name__}; the server's log has more")

    def _fail(self, making: _Making, why: str) -> None:
        with self._changed:
            making.error, making.state = why, "failed"

    def _make(self, making: _Making) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone():
            if self._path(making.key) is not None:
                return  # another server has made it meanwhile
            making.begin()

            def report(reached: int) -> None:
                if self._stopped:
                    raise _StoppedError
                making.reach(reached)

            with making.source() as source, tempfile.TemporaryFile(dir=self.folder) as work:
                moving = transcode(source.descriptor, cast(BinaryIO, work), report)
                if source.changed():  # it would be kept under the name of what was there before
                    raise NotNowError("was written meanwhile", where=source.name, do="ask again")
                self._make_room(work.seek(0, os.SEEK_END))
                path = self.folder / f"{making.key}{_SUFFIXES[0 if moving else 1]}"
                with whole_file(path) as part:
                    with part.open("xb") as file:
                        index_first(cast(BinaryIO, work), file)
                    now = time.time_ns()
                    os.utime(part, ns=(now, now))  # never played; it may be once it has its name

    @contextlib.contextmanager
    def _alone(self, *, wait: bool = True) -> Iterator[None]:
        """Has the folder for oneself, among all servers: one proxy is made at a time."""
        lock = self.folder / _LOCK
        try:
            handle = acquire(lock)
            while handle is None:
                if self._stopped or not wait:
                    raise _StoppedError
                time.sleep(_POLL)
                handle = acquire(lock)
        except OSError:
            if not self.folder.is_dir() or not os.access(self.folder, os.W_OK):
                raise
            yield  # a share without locks: names are apart, the last one made stays
            return
        try:
            for left in self.folder.glob(".*.m[p4][4a]-*"):
                left.unlink(missing_ok=True)
            yield
        finally:
            release(handle, lock)

    def _make_room(self, size: int) -> None:
        """Removes what was not played for longest, until so many bytes more may lie there."""
        held, now = [], time.time()
        for path in self.folder.iterdir():
            if path.suffix in _SUFFIXES and not path.name.startswith("."):
                with contextlib.suppress(FileNotFoundError):
                    held.append((path, path.stat()))
        total = size + sum(stat.st_size for _, stat in held)
        for path, stat in sorted(held, key=lambda one: max(one[1].st_atime, one[1].st_mtime)):
            if total <= self.most:
                return
            played = stat.st_atime > stat.st_mtime and now - stat.st_atime < _RECENT
            with self._changed:
                if played or self._played[path.stem] > 0:
                    continue
                path.unlink(missing_ok=True)
            total -= stat.st_size
