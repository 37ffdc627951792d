"""How a title, or a season, runs: a probe's classes over time. ``mediafm arc``.

What a probe says of every shot is smoothed over time; peaks are named by the shot that makes them.
Without a probe there is what needs none: the pace of cutting, how much is said, and how far each
moment is from the rest of its title.

Shapes: N shots of a title, G places on the time axis, C curves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mediafm.catalog import Catalog, TitleRecord
from mediafm.catalog.clip import unit
from mediafm.errors import CatalogError, MediaFMError
from mediafm.probes.artifact import Probe
from mediafm.probes.cells import did_you_mean
from mediafm.suggest.curves import Track, on_axis, peaks_of
from mediafm.suggest.fitted import FittedProbes, noted
from mediafm.suggest.speech import spoken_share
from mediafm.suggest.suggestion import Scores, percentile
from mediafm.timeline import US, Cue, Span

TONE = "clip-tone"
MOST = 6
"""Curves that a picture has room for."""

_STILL = 0.01  # a curve that moves less says nothing
_SMOOTH, _LEAST = 60, 3 * US
"""By default the window's deviation is a sixtieth of the whole, and three seconds at least."""


def figure(value: float) -> str:
    """A value as people read it: probabilities and shots a minute have few figures that matter."""
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"


@dataclass(frozen=True, slots=True)
class Part:
    """A title on the time axis.

    Args:
        title_id: The title.
        name: What people call it here.
        offset: Microseconds on the axis at which it begins.
        span: Its own time.
    """

    title_id: str
    name: str
    offset: int
    span: Span


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve.

    Args:
        name: The class, or what is measured.
        unit: What its values are.
        values: One per place on the axis.
    """

    name: str
    unit: str
    values: list[float]


@dataclass(frozen=True, slots=True)
class Peak:
    """Where a curve is highest.

    Args:
        curve: Its name.
        time: Microseconds on the axis.
        value: The curve's value there.
        title_id: The title.
        shot: The shot that names it: near, and high by itself.
        span: The shot's time in its title.
        said: What is said there.
    """

    curve: str
    time: int
    value: float
    title_id: str
    shot: int
    span: Span
    said: str


@dataclass(frozen=True, slots=True)
class Arc:
    """Curves over one or more titles.

    Args:
        name: Of the title or series.
        parts: The titles in order, one after the other on the axis.
        times: Places on the axis, microseconds.
        curves: The curves.
        peaks: In the order of time.
        smooth: Standard deviation of the smoothing window, microseconds.
        by: The probe, or what stood in for it.
        notes: What a user should know.
    """

    name: str
    parts: list[Part]
    times: list[int]
    curves: list[Curve]
    peaks: list[Peak]
    smooth: int
    by: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def duration(self) -> int:
        """Of all titles, microseconds."""
        return self.parts[-1].offset + self.parts[-1].span.duration


def find_arc(
    catalog: Catalog,
    name: str,
    *,
    season: int | None = None,
    probe: str | None = None,
    classes: Sequence[str] = (),
    probes: FittedProbes | None = None,
    version: str | None = None,
    smooth: int | None = None,
    peaks: int = 6,
) -> Arc:
    """Draws what a probe says over a title, a season or a series.

    Args:
        catalog: The catalog.
        name: A title, or a series: its episodes follow one another.
        season: Only this season of the series.
        probe: The probe, which must be there; by default :data:`TONE`, or what needs none.
        classes: Which of its classes; by default those that change most, :data:`MOST` at most.
        probes: Where the probe is looked for; none by default.
        version: Version of the embeddings, for what needs no probe.
        smooth: Standard deviation of the Gaussian window, microseconds; by default a sixtieth of
            the whole.
        peaks: How many are named at most.

    Raises:
        CatalogError: There is no such title or series, or it is not embedded.
        MediaFMError: There is no such probe or class, or a window of no length is asked for.
    """
    if smooth is not None and smooth <= 0:
        raise MediaFMError("a window of no length smooths nothing", do="name one above 0")
    titles = _titles(catalog, name, season)
    parts = _parts(catalog, titles)
    if probe is not None and (probes is None or probes.get(probe) is None):
        held = probes.usable() if probes is not None else []
        raise MediaFMError(
            probes.missing(probe) if probes is not None else f"no probe '{probe}' is fitted",
            do=f"there are {', '.join(held) or 'none'}; mediafm probe fit makes one",
        )
    probe = probe or TONE
    fitted = probes.get(probe) if probes is not None else None
    notes: list[str] = []
    if fitted is not None and probes is not None:
        chosen = _chosen(classes, fitted)
        raw = [probes.of_shots(probe, part.title_id)[:, chosen] for part in parts]
        unit_of, names = "probability", [fitted.names[c] for c in chosen]
        if fitted.head.kind == "ranking":
            raw = [percentile(score_NC[:, 0])[:, None] for score_NC in raw]
            unit_of = "share of the shots of its title that are below"
        if fitted.head.kind in ("binary", "ranking"):
            names = [probe]
        curves = [(name, unit_of) for name in names]
        parts, raw, unknown = _where_known(parts, raw, probe)
        notes += unknown
        by: tuple[str, ...] = (probe,)
    else:
        if classes:
            missing = f"no probe '{probe}' is fitted" if probes is None else probes.missing(probe)
            raise MediaFMError(
                f"{missing}: nothing knows '{classes[0]}'",
                do=f"fit it (mediafm probe fit {probe} --labels FILE)",
            )
        raw = [_plain(catalog, part.title_id, version) for part in parts]
        curves, by = list(_PLAIN.items()), tuple(_PLAIN)
        if not any(values_N3[:, 1].any() for values_N3 in raw):  # nobody speaks
            raw = [values_N3[:, [0, 2]] for values_N3 in raw]
            by = ("pace", "unlike the rest")
            curves = [(name, _PLAIN[name]) for name in by]
        missing = f"no probe '{probe}' is fitted" if probes is None else probes.missing(probe)
        notes.append(f"{missing}: by {', '.join(by)}")
    tracks = [
        Track(part.title_id, part.offset, catalog.shots(part.title_id), value_NC)
        for part, value_NC in zip(parts, raw, strict=True)
    ]
    whole = parts[-1].offset + parts[-1].span.duration
    width = smooth or max(_LEAST, whole // _SMOOTH)
    time_G, value_GC = on_axis(tracks, width)
    drawn, said = _moving([name for name, _ in curves], np.ptp(value_GC, axis=0), bool(classes))
    notes += said
    range_C = np.ptp(value_GC, axis=0)
    if len({unit_of for _, unit_of in curves}) == 1:  # one unit: they compare
        range_C = np.full(len(curves), range_C[drawn].max())
    found = []
    for c, g, track, shot in peaks_of(tracks, time_G, value_GC, range_C, drawn, width, peaks):
        span = track.shots[shot].span
        text = _said(catalog.cues(track.title_id), span)
        value = round(float(value_GC[g, c]), 5)
        found.append(Peak(curves[c][0], int(time_G[g]), value, track.title_id, shot, span, text))
    return Arc(
        _name(titles, name, season),
        parts,
        time_G.tolist(),
        [Curve(*curves[c], value_GC[:, c].round(5).tolist()) for c in drawn],
        found,
        width,
        by,
        noted(probes, notes),
    )


_PLAIN = {
    "pace": "shots a minute",
    "speech": "share of the time",
    "unlike the rest": "distance in context",
}


def _titles(catalog: Catalog, name: str, season: int | None) -> list[TitleRecord]:
    """A title, or the episodes of a series in their order."""
    one = catalog.find(name)
    if one is not None and season is None:
        if not one.shots:
            raise MediaFMError("the title has no shots", where=name)
        return [one]
    held = catalog.titles()
    own = [title for title in held if title.series_id == name]
    if not own:
        if one is not None:
            raise MediaFMError("is a title, and no series", where=name, do="leave --season out")
        known = {t.title_id for t in held} | {t.series_id for t in held if t.series_id}
        raise CatalogError(
            f"no title and no series '{name}'",
            where=catalog.uri,
            do=did_you_mean(name, known) or "mediafm info lists them",
        )
    if season is not None:
        seasons = sorted({title.season for title in own if title.season is not None})
        own = [title for title in own if title.season == season]
        if not own:
            raise CatalogError(
                f"the series has no season {season}",
                where=name,
                do=f"it has {', '.join(map(str, seasons)) or 'no seasons at all'}",
            )
    own = [title for title in own if title.shots]
    if not own:
        raise MediaFMError("no title of the series has shots", where=name)
    return sorted(own, key=lambda t: (t.season or 0, t.episode or 0, t.title_id))


def _parts(catalog: Catalog, titles: Sequence[TitleRecord]) -> list[Part]:
    found: list[Part] = []
    for title in titles:
        shots = catalog.shots(title.title_id)
        span = Span(shots[0].span.start, max(shot.span.end for shot in shots))
        offset = found[-1].offset + found[-1].span.duration if found else 0
        found.append(Part(title.title_id, _short_name(title, len(titles)), offset, span))
    return found


def _name(titles: Sequence[TitleRecord], name: str, season: int | None) -> str:
    if len(titles) == 1:
        return titles[0].title or titles[0].title_id
    return name if season is None else f"{name}, season {season}"


def _short_name(title: TitleRecord, of: int) -> str:
    if of > 1 and title.episode is not None:
        season = "" if title.season is None else f"{title.season}x"
        return f"{season}{title.episode:02d}"
    return title.title or title.title_id


def _chosen(classes: Sequence[str], probe: Probe) -> list[int]:
    """Numbers of the classes that are named, by id or name; of all where none is."""
    found = []
    for text in classes:
        number = probe.find(text)
        if number is None:
            raise MediaFMError(
                f"the probe '{probe.name}' has no class '{text}'",
                do=did_you_mean(text, probe.names) or f"it has {', '.join(probe.names)}",
            )
        found.append(number)
    return list(dict.fromkeys(found)) or list(range(len(probe.names)))


def _where_known(
    parts: list[Part], raw: list[Scores], probe: str
) -> tuple[list[Part], list[Scores], list[str]]:
    """The titles of which something is known that a probe reads, without gaps on the axis."""
    kept: list[Part] = []
    values, unknown = [], []
    for part, value_NC in zip(parts, raw, strict=True):
        if np.isnan(value_NC).all():
            unknown.append(part.title_id)
            continue
        offset = kept[-1].offset + kept[-1].span.duration if kept else 0
        kept.append(dataclasses.replace(part, offset=offset))
        values.append(value_NC)
    if not kept:
        raise MediaFMError(
            f"nothing that probe '{probe}' reads is known of it",
            where=unknown[0],
            do="name another probe with --probe",
        )
    said = [
        f"{name}: nothing that probe '{probe}' reads is known of it; left out" for name in unknown
    ]
    return kept, values, said


def _moving(names: Sequence[str], range_C: Scores, named: bool) -> tuple[list[int], list[str]]:
    """The curves that are drawn, all where they were named, and what is said of the others."""
    moving = [c for c in range(len(names)) if range_C[c] >= _STILL]
    drawn = sorted(moving, key=lambda c: -range_C[c])[:MOST]
    if named or not moving:
        drawn = list(range(len(names)))
    notes = []
    if len(moving) > len(drawn) and not named:
        notes.append(
            f"{len(drawn)} of {len(moving)} classes are drawn, those that change most; --class "
            "names others"
        )
    if still := [name for c, name in enumerate(names) if c not in moving]:
        notes.append(f"the same throughout: {', '.join(still)}")
    return sorted(drawn), notes


def _plain(catalog: Catalog, title_id: str, version: str | None) -> Scores:
    """What needs no probe, of every shot: the columns of :data:`_PLAIN`."""
    shots, e_NH = catalog.shots(title_id), unit(catalog.embeddings(version, title_id))
    lasts_N = np.array([max(shot.span.duration, 1) for shot in shots], np.float64)
    said_N = spoken_share([shot.span for shot in shots], catalog.cues(title_id))
    apart_N = 1 - e_NH @ unit(e_NH.mean(axis=0, keepdims=True))[0]
    return np.stack([60 * US / lasts_N, said_N, apart_N.astype(np.float64)], axis=1)


def _said(cues: list[Cue], span: Span) -> str:
    """The longest line of a shot."""
    inside = [cue.text for cue in cues if cue.kind == "speech" and span.touches(cue.span)]
    return " ".join(max(inside, key=len, default="").split())
