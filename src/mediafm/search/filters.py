"""Where to look: in which titles, and in which part of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mediafm.catalog import Catalog, TitleRecord
from mediafm.errors import MediaFMError
from mediafm.timeline import Span, format_time


@dataclass(frozen=True, slots=True)
class Filter:
    """Where to look; everything that is named must hold, one of several of a kind suffices.

    Args:
        titles: Ids of titles.
        series: Ids of series.
        genres: Genres, in any case.
        tags: Tags, in any case.
        after: Only what begins so many microseconds into its title, or later.
        before: Only what ends by then.
    """

    titles: Sequence[str] = ()
    series: Sequence[str] = ()
    genres: Sequence[str] = ()
    tags: Sequence[str] = ()
    after: int = 0
    before: int | None = None

    def __post_init__(self) -> None:
        if self.before == 0:
            raise MediaFMError("nothing ends before a title begins", do="name a time above 0")
        if self.before is not None and self.before <= self.after:
            raise MediaFMError(
                f"nothing lies after {format_time(self.after)} and before "
                f"{format_time(self.before)}",
                do="swap them",
            )

    def within(self, catalog: Catalog, *, without: Iterable[str] = ()) -> list[str] | None:
        """The titles to look in, sorted; ``None`` for all.

        Args:
            catalog: The catalog.
            without: Titles that are left out.

        Raises:
            MediaFMError: Nothing in the catalog has one of these names.
        """
        out = set(without)
        if not (self.titles or self.series or self.genres or self.tags or out):
            return None
        held = catalog.titles()
        for name in self.titles:
            catalog.title(name)
        _check("series", self.series, [t.series_id for t in held if t.series_id])
        _check("genre", self.genres, [g for t in held for g in t.genres])
        _check("tag", self.tags, [g for t in held for g in t.tags])
        return [t.title_id for t in held if t.title_id not in out and self._holds(t)]

    def _holds(self, title: TitleRecord) -> bool:
        return (
            (not self.titles or title.title_id in self.titles)
            and (not self.series or title.series_id in self.series)
            and _share(self.genres, title.genres)
            and _share(self.tags, title.tags)
        )

    @property
    def in_time(self) -> bool:
        """Whether a part of each title is left out."""
        return self.after > 0 or self.before is not None

    def holds(self, span: Span) -> bool:
        """Whether a span lies in the part of its title that is looked at."""
        return span.start >= self.after and (self.before is None or span.end <= self.before)


EVERYWHERE = Filter()


def _share(wanted: Sequence[str], held: Sequence[str]) -> bool:
    return not wanted or not {w.casefold() for w in wanted}.isdisjoint(h.casefold() for h in held)


def _check(what: str, wanted: Sequence[str], known: Sequence[str]) -> None:
    by_fold = {name.casefold(): name for name in known}
    for name in wanted:
        if name.casefold() in by_fold if what != "series" else name in known:
            continue
        near = difflib.get_close_matches(name.casefold(), by_fold, n=3)
        if near:
            do = "did you mean " + " or ".join(f"'{by_fold[own]}'" for own in near) + "?"
        else:
            some = sorted(set(known))
            do = (
                f"there are {', '.join(some[:8])}{', ...' if len(some) > 8 else ''}"
                if some
                else (f"no title has a {what}")
            )
        raise MediaFMError(f"no title of {what} '{name}'", do=do)
