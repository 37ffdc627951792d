"""The map: all shots of a version on a plane, those that are alike near one another.

At once by the two directions in which shots differ most (PCA); then, from a process beside the
server, by their neighbours (:mod:`mediafm.serve.neighbours`). That one is kept on the disk.

Shapes: N shots, H the width of a contextual embedding, D that of what neighbours are found by.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from mediafm.catalog import Catalog, TitleRecord, VersionRecord
from mediafm.errors import MediaFMError, one_line
from mediafm.files import write_whole
from mediafm.serve.library import View
from mediafm.serve.neighbours import METHOD
from mediafm.serve.problems import public

LOG = logging.getLogger(__name__)

LEAST = 30
"""Shots from which neighbours say more than the plane of PCA."""

SIDE = 32767
"""The largest coordinate."""

_WIDTH = 128  # principal axes in which neighbours are found: further ones hold noise
_SOON = 1.5  # seconds that a first question waits for the first map
_POLL = 0.2  # seconds between looks whether a map that waits for its turn is still wanted
_FOLDER = "maps"

Points = npt.NDArray[np.int16]
State = Literal["none", "working", "ready"]
Method = Literal["pca", "neighbours"]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Points, and whose they are.

    Args:
        titles: Titles in order, and the place of their first shot among the points.
        points: ``y_N2``, a point per shot.
        method: What made the points.
    """

    titles: list[tuple[TitleRecord, int]] = field(default_factory=list)
    points: Points = field(default_factory=lambda: np.zeros((0, 2), np.int16))
    method: Method = "pca"

    @property
    def key(self) -> str:
        """Changes with the shots, and not with where they lie."""
        return _short(repr([(title.ingest_id, first) for title, first in self.titles]))

    @property
    def etag(self) -> str:
        """Changes with the shots and with where they lie."""
        return f"{self.key}-{hashlib.blake2b(self.points.tobytes(), digest_size=8).hexdigest()}"


class Map:
    """One version's shots on a plane, as far as it is made.

    Args:
        catalog: The catalog as it is.
        version: The version.
        file: Where the map by neighbours is kept.
        turn: Held while neighbours are found: by one process of the server at a time.
        before: The map of the same shots as they were a moment ago; it counts until this one knows
            better.

    Attributes:
        drawn: The points of now.
        done: How far the map by neighbours is, 0 .. 1.
        error: Why there is none.
        first: Whether there are points.
    """

    def __init__(
        self,
        catalog: Catalog,
        version: VersionRecord,
        file: Path,
        turn: threading.Lock,
        before: Map | None = None,
    ):
        self.version, self.file, self._turn = version, file, turn
        self.drawn: Drawn = before.drawn if before else Drawn()
        self.done: float = before.done if before else 0.0
        self.error: str | None = before.error if before else None
        self._digest: str = before._digest if before else ""
        self.first, self._stopped = threading.Event(), threading.Event()
        if before:
            self.first.set()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._catalog: Catalog | None = catalog
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"map {version.name}")
        self._thread.start()

    @property
    def working(self) -> bool:
        """Whether something is still being made."""
        return self._thread.is_alive()

    @property
    def state(self) -> State:
        """Whether something is being made, or there is nothing to make it of."""
        if self.working and (self.done < 1 or not len(self.drawn.points)):
            return "working"
        return "ready" if len(self.drawn.points) else "none"

    def stop(self) -> None:
        """Ends what is being made, soon."""
        self._stopped.set()
        with self._lock:
            if self._process is not None:
                self._process.kill()

    def join(self, timeout: float = 10) -> None:
        """Waits until it has ended."""
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            assert self._catalog is not None
            self._make(self._catalog)
        except MediaFMError as error:
            self.error = public(error)
        except Exception as error:
            LOG.exception("no map of version %s", self.version.name)
            self.error = one_line(f"the map by neighbours failed: {error or type(error).__name__}")
        finally:
            self._catalog = None  # not held in memory for what is done
            self.first.set()

    def _make(self, catalog: Catalog) -> None:
        titles, digest, axes_HD, mean_H = _axes(catalog, self.version, self._stopped)
        if self._stopped.is_set() or (digest == self._digest and self.done == 1):
            return
        self._digest = digest
        kept = _load(self.file, digest, sum(title.shots for title, _ in titles))
        if kept is not None:
            self.drawn, self.done, self.error = Drawn(titles, kept, "neighbours"), 1.0, None
            return
        x_ND = _project(catalog, self.version, titles, axes_HD, mean_H, self._stopped)
        if self._stopped.is_set():
            return
        if not self.first.is_set():  # else what was drawn before stays until there is better
            self.drawn = Drawn(titles, _scaled(x_ND[:, :2]))
        self.done, self.error = 0.0, None
        self.first.set()
        if len(x_ND) >= LEAST:
            while not self._turn.acquire(timeout=_POLL):
                if self._stopped.is_set():
                    return
            try:
                y_N2 = self._arrange(x_ND)
            finally:
                self._turn.release()
            if self._stopped.is_set():
                return
            self.drawn = Drawn(titles, _scaled(y_N2), "neighbours")
            _save(self.file, digest, self.drawn.points)
        self.done = 1.0

    def _arrange(self, x_ND: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Runs :mod:`mediafm.serve.neighbours` on the vectors."""
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        command = [sys.executable, "-m", "mediafm.serve.neighbours"]
        with self._lock:
            if self._stopped.is_set():
                return x_ND
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env={**os.environ, **threads},
            )  # fmt: skip
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        said: list[bytes] = []
        listener = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
        listener.start()
        try:
            with contextlib.suppress(BrokenPipeError):  # it says why
                process.stdin.write(f"{len(x_ND)} {x_ND.shape[1]}\n".encode())
                process.stdin.write(np.ascontiguousarray(x_ND, "<f4").data)
                process.stdin.flush()
            for line in process.stdout:
                if line == b"done\n":
                    places = np.frombuffer(process.stdout.read(), "<f4")
                    y_N2: npt.NDArray[np.float32] = places.reshape(len(x_ND), 2)
                    return y_N2
                self.done = min(float(line), 0.99)
        finally:
            process.kill()
            process.wait()
            listener.join(timeout=1)
            for pipe in (process.stdin, process.stdout, process.stderr):
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        if self._stopped.is_set():
            return x_ND
        last = said[-1].decode(errors="replace").strip() if said else f"it ended ({process.wait()})"
        if "openTSNE" in last and "No module" in last:
            raise MediaFMError(
                "there is no map by neighbours: openTSNE is not installed",
                do="pip install 'mediafm[serve]'",
            )
        raise MediaFMError(f"the map by neighbours failed: {last}")


class Projections:
    """The maps of a server.

    Args:
        cache: The folder of what can be made again.
    """

    def __init__(self, cache: Path):
        self.folder = cache / _FOLDER
        self._maps: dict[str, tuple[Hashable, int, Map]] = {}
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._closed = False

    def of(self, view: View, version: str | None, wait: float = _SOON) -> Map:
        """The map of a version as far as it is made; begins with it where nobody did.

        Args:
            view: The catalog as it is now.
            version: The version's name; the current one by default.
            wait: Seconds to wait for the first points.

        Raises:
            CatalogError: There is no such version.
        """
        record = view.catalog.version(version)
        key = (record.fingerprint, frozenset(view.catalog.embedded_ingests(record.name)))
        with self._lock:
            held = self._maps.get(record.name)
            same = held is not None and held[0] == key
            late = held is not None and held[1] > view.number  # a request of before the change
            stale = held is None or (held[1] != view.number and not held[2].working)
            if held is None or (not late and (not same or stale)):
                if held is not None and not same:
                    held[2].stop()
                file = self._file(view, record.name)
                # Embeddings may be made anew under the same ingest: what is held is looked over.
                before = held[2] if held is not None and same else None
                held = key, view.number, Map(view.catalog, record, file, self._turn, before)
                if self._closed:
                    held[2].stop()
                self._maps[record.name] = held
        held[2].first.wait(wait)
        return held[2]

    def close(self) -> None:
        """Ends all that is being made."""
        with self._lock:
            self._closed = True
            made = [one for _, _, one in self._maps.values()]
        for one in made:
            one.stop()
        for one in made:
            one.join()

    def _file(self, view: View, version: str) -> Path:
        """Where a version's map is kept; forgets those of versions that are gone."""
        here = _short(view.catalog.uri)
        versions = {held.name for held in view.catalog.versions()}
        for gone in self._maps.keys() - versions:
            self._maps.pop(gone)[2].stop()
        names = {f"{here}-{_short(name)}.npz" for name in versions}
        for file in self.folder.glob(f"{here}-*.npz"):
            if file.name not in names:
                file.unlink(missing_ok=True)
        return self.folder / f"{here}-{_short(version)}.npz"


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _axes(
    catalog: Catalog, version: VersionRecord, stopped: threading.Event
) -> tuple[list[tuple[TitleRecord, int]], str, npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Principal axes ``axes_HD`` of a version, in bounded memory, and a digest of all its vectors.

    Also the titles that are embedded, each with the place of its first shot.
    """
    digest = hashlib.blake2b(f"{METHOD} {version.fingerprint}".encode(), digest_size=16)
    titles: list[tuple[TitleRecord, int]] = []
    sum_H = np.zeros(version.dim)
    square_HH = np.zeros((version.dim, version.dim))
    shots = 0
    for title, x_NH in catalog.iter_embeddings(version.name):
        if stopped.is_set():
            break
        if not len(x_NH):
            continue
        titles.append((title, shots))
        digest.update(f"{title.ingest_id} {len(x_NH)} ".encode() + x_NH.tobytes())
        shots += len(x_NH)
        sum_H += x_NH.sum(axis=0, dtype=np.float64)
        square_HH += x_NH.T @ x_NH
    mean_H = sum_H / max(shots, 1)
    _, axes_HH = np.linalg.eigh(square_HH / max(shots, 1) - np.outer(mean_H, mean_H))
    axes_HD = axes_HH[:, ::-1][:, :_WIDTH]
    # An axis has no direction of its own: the largest part points up, on every machine.
    longest_D = axes_HD[np.abs(axes_HD).argmax(axis=0), np.arange(axes_HD.shape[1])]
    axes_HD = axes_HD * np.sign(longest_D)
    return titles, digest.hexdigest(), axes_HD.astype(np.float32), mean_H.astype(np.float32)


def _project(
    catalog: Catalog,
    version: VersionRecord,
    titles: list[tuple[TitleRecord, int]],
    axes_HD: npt.NDArray[np.float32],
    mean_H: npt.NDArray[np.float32],
    stopped: threading.Event,
) -> npt.NDArray[np.float32]:
    shots = sum(title.shots for title, _ in titles)
    x_ND = np.zeros((shots, max(axes_HD.shape[1], 2)), np.float32)
    ids = [title.title_id for title, _ in titles]
    place = {title.title_id: first for title, first in titles}
    for title, x_NH in catalog.iter_embeddings(version.name, ids):
        if stopped.is_set():
            break
        first = place[title.title_id]
        x_ND[first : first + len(x_NH), : axes_HD.shape[1]] = (x_NH - mean_H) @ axes_HD
    return x_ND


def _scaled(y_N2: npt.NDArray[np.float32]) -> Points:
    """Points in the middle of the square, both axes by one measure."""
    if not len(y_N2):
        return np.zeros((0, 2), np.int16)
    y_N2 = y_N2.astype(np.float64)  # the smallest distances have no half in float32
    low, high = y_N2.min(axis=0), y_N2.max(axis=0)
    half = float((high - low).max()) / 2 or 1.0
    points: Points = np.rint((y_N2 - (low + high) / 2) / half * SIDE).astype(np.int16)
    return points


def _load(file: Path, digest: str, shots: int) -> Points | None:
    """A map that was kept, where it is of these vectors."""
    try:
        with np.load(file, allow_pickle=False) as held:
            points: Points = held["points"]
            if str(held["digest"]) != digest:
                return None
    except FileNotFoundError:
        return None
    except Exception as error:
        LOG.info("%s is not a map, and is made anew: %r", file, error)
        return None
    fits = points.dtype == np.int16 and points.shape == (shots, 2)
    return points if fits else None


def _save(file: Path, digest: str, points: Points) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, points=points, digest=np.array(digest))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, buffer.getvalue())
    except OSError as error:  # it is there all the same, until the server ends
        LOG.warning("the map is not kept: %s", error)
