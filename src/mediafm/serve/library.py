"""The catalog as a server holds it: opened once, looked at again when it changed.

One :class:`View` is one state of the catalog. A request takes it once and answers from it, so that
shots and embeddings of one answer belong together, whatever is ingested meanwhile.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Hashable
from typing import Annotated, TypeVar, cast

from fastapi import Depends, Request

from mediafm.catalog import Catalog, TitleRecord
from mediafm.encoders import QueryEncoder
from mediafm.errors import CatalogError
from mediafm.probes.artifact import ABOUT
from mediafm.search import query_encoders
from mediafm.serve.problems import NotFoundError, UnavailableError
from mediafm.serve.queries import shared
from mediafm.serve.settings import Settings
from mediafm.serve.shelf import Shelf
from mediafm.suggest import FittedProbes

T = TypeVar("T")

_FRESH = 2.0
"""Seconds for which an answer may be behind the catalog."""

_OLD = 1200.0
"""Seconds after which the catalog is opened anew, though it shows the same."""

_ANSWERS = 256
"""Answers that are kept per state of the catalog."""

_PICTURES = 64 << 20
"""Bytes of pictures that are kept per state of the catalog."""


class View:
    """One state of the catalog, and answers from it that were dear.

    Args:
        catalog: Pinned to this state.
        settings: Where the probes are.
        number: Which state it is, counted by this server.
    """

    def __init__(self, catalog: Catalog, settings: Settings, number: int):
        self.catalog, self.settings, self.number = catalog, settings, number
        self.titles: dict[str, TitleRecord] = {t.title_id: t for t in catalog.titles()}
        self._answers, self._pictures = Shelf(_ANSWERS), Shelf(_PICTURES, len)

    def title(self, title_id: str) -> TitleRecord:
        """One title.

        Raises:
            NotFoundError: There is none of this id.
        """
        held = self.titles.get(title_id)
        if held is None:
            raise NotFoundError(f"there is no title '{title_id[:200]}'", do="see /api/titles")
        return held

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """An answer, made by the first who asks while the others wait; see :meth:`Shelf.once`."""
        return self._answers.once(key, make)

    def picture(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """A picture, likewise."""
        return self._pictures.once(key, make)

    def probes(self, version: str | None = None) -> FittedProbes:
        """The fitted probes; a new object, since it is not made for several threads."""
        return FittedProbes(self.catalog, self.settings.probes, version or self.settings.version)

    def fitted(self) -> tuple[tuple[str, int], ...]:
        """Which probes lie in the folder, and since when: what answers by probes depend on."""
        found = []
        for about in self.settings.probes.glob(f"*/{ABOUT}"):
            with contextlib.suppress(FileNotFoundError):  # just being replaced
                found.append((about.parent.name, about.stat().st_mtime_ns))
        return tuple(sorted(found))


class Library:
    """What all requests share.

    Args:
        settings: What the server is told.

    Raises:
        CatalogError: There is no catalog, it cannot be read, or it lacks the version.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self._lock = threading.Lock()
        catalog = Catalog.open(settings.catalog)
        if settings.version is not None:
            catalog.version(settings.version)
        self._view = View(catalog, settings, 1)
        self._looked = self._opened = time.monotonic()
        self._failed: UnavailableError | None = None
        self._loading = threading.Lock()
        self._encoders: dict[Hashable, dict[str, QueryEncoder]] = {}

    def view(self) -> View:
        """The catalog as it was a moment ago, or as it was before that while another looks.

        Raises:
            UnavailableError: It could not be read a moment ago.
        """
        now = time.monotonic()
        if now - self._looked > _FRESH and self._lock.acquire(blocking=False):
            try:
                self._look(now)
            finally:
                self._lock.release()
        if self._failed is not None:
            raise self._failed
        return self._view

    def shown(self) -> View:
        """The catalog as it was when somebody last looked."""
        return self._view

    def look(self, after: float = 0.0) -> None:
        """Sees at once what has changed.

        Args:
            after: Seconds from the last look within which this one is left out.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._looked >= after:
                self._look(now)

    def _look(self, now: float) -> None:
        try:
            fresh = Catalog.open(self.settings.catalog)
            fresh.state()
        except CatalogError as error:
            self._failed = UnavailableError(error.what, where="the catalog", do=error.do)
            self._looked = time.monotonic()  # not tried by everybody who asks: it may be slow
            return
        # What was replaced stays readable for an hour: a state is not held for that long.
        if fresh.state() != self._view.catalog.state() or now - self._opened > _OLD:
            self._view = View(fresh, self.settings, self._view.number + 1)
            self._opened = now
        self._failed = None
        self._looked = time.monotonic()

    def encoders(self, view: View) -> dict[str, QueryEncoder]:
        """The encoders that read sentences, loaded once as long as the catalog's are the same.

        Args:
            view: The catalog.

        Raises:
            MediaFMError: One of them is not there any more, or is another one by now.
        """
        held = view.catalog.encoders()
        key = tuple((modality, record.fingerprint) for modality, record in held.items())
        with self._loading:
            if key not in self._encoders:
                found = query_encoders(view.catalog, self.settings.device)
                # Those of one state only: they are large.
                self._encoders = {key: {m: shared(encoder) for m, encoder in found.items()}}
            return self._encoders[key]


def _library(request: Request) -> Library:
    return cast(Library, request.app.state.library)


def _view(request: Request) -> View:
    request.state.view = view = _library(request).view()
    return view


LibraryOf = Annotated[Library, Depends(_library)]
"""Of a route: what all requests share."""

ViewOf = Annotated[View, Depends(_view)]
"""Of a route: the catalog as it is now."""
