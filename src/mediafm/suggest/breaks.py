"""Places for advertisements. ``mediafm suggest ad-breaks``.

A break lies between two scenes, where nobody speaks. The fitted probe ``ad-relevancy`` says which
categories of the IAB Content Taxonomy the scenes on both sides belong to.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from mediafm.catalog import Catalog
from mediafm.errors import MediaFMError
from mediafm.probes.artifact import Probe
from mediafm.probes.iab import is_id
from mediafm.suggest.clips import Boundaries
from mediafm.suggest.fitted import FittedProbes, noted
from mediafm.suggest.scenes import find_scenes
from mediafm.suggest.suggestion import Suggestion, Suggestions, percentile
from mediafm.suggest.tags import Tagged, tagged
from mediafm.timeline import US, Clip, Span

CATEGORIES = "ad-relevancy"
LIKED = "ad-break"
"""A probe of what people accepted (``mediafm suggest accept ad-breaks``), where one is fitted."""

SPACING = 8 * 60 * US
"""Microseconds between two breaks, and from either end of the title."""

_PAUSE = 3 * US
"""A pause of this length is as good as any longer one."""


@dataclass(frozen=True, slots=True)
class Break(Suggestion):
    """A place for advertisements.

    Args:
        before: Categories of the scene before it, for people.
        after: Likewise of the scene after it.
        categories: Those of both, most probable first, where they are ids of the IAB Content
            Taxonomy.
        words: Otherwise, the same for people.
    """

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


def suggest_breaks(
    catalog: Catalog,
    title_id: str,
    *,
    probes: FittedProbes | None = None,
    version: str | None = None,
    spacing: int = SPACING,
    exclude: Collection[str] = (),
) -> Suggestions:
    """Suggests places for advertisements.

    Args:
        catalog: The catalog.
        title_id: The title.
        probes: Where the probes are looked for; none by default.
        version: Version of the embeddings, for scenes without a probe.
        spacing: Microseconds between two breaks, and from either end, at least.
        exclude: Categories that must not be beside a break, by name or id.

    Returns:
        Breaks in the order of time; as many as fit, the best where not all do.

    Raises:
        CatalogError: There is no such title.
        MediaFMError: A category is excluded that the probe does not know, or that no probe tells.
    """
    if spacing < 0:
        raise MediaFMError("breaks cannot be less than nothing apart", do="name a spacing above 0")
    cut = find_scenes(catalog, title_id, probes, version=version)
    probe = probes.get(CATEGORIES) if probes is not None else None
    excluded = _excluded(exclude, probe, probes)
    clips = [Clip(title_id, scene.span) for scene in cut.scenes]
    kinds = [Tagged(title_id, clip.span, 0.0) for clip in clips]  # nothing is known of them
    if probe is not None and probes is not None:
        p_NC = probes.scores(CATEGORIES, clips)
        for number, (clip, p_C) in enumerate(zip(clips, p_NC, strict=True)):
            if not np.isnan(p_C).any():
                kinds[number] = tagged(probe, clip, p_C)
    speech = Boundaries(catalog.cues(title_id))
    start, end = cut.scenes[0].span.start, cut.scenes[-1].span.end
    places = [
        place
        for place in range(1, len(cut.scenes))
        if start + spacing <= cut.scenes[place].span.start <= end - spacing
        and not speech.speaks(cut.scenes[place].span.start)
        and not {*kinds[place - 1].tags, *kinds[place].tags} & excluded
    ]
    sure_K = percentile([cut.scenes[p].score for p in places])
    pauses = [speech.pause(cut.scenes[p].span.start) for p in places]
    shares = [sure_K, np.minimum(np.array(pauses) / _PAUSE, 1.0)]
    liked = probes is not None and probes.get(LIKED) is not None
    if liked and probes is not None:
        firsts = [cut.scenes[p].first for p in places]
        liked_K = np.nan_to_num(probes.of_shots(LIKED, title_id)[firsts, 0])
        shares.append(percentile(liked_K))
    score_K = np.mean(shares, axis=0)
    taken: list[int] = []
    for k in np.argsort(-score_K, kind="stable").tolist():
        time = cut.scenes[places[k]].span.start
        if all(abs(time - cut.scenes[places[other]].span.start) >= spacing for other in taken):
            taken.append(k)
    found: list[Suggestion] = []
    for k in sorted(taken):
        scene, before, after = cut.scenes[places[k]], kinds[places[k] - 1], kinds[places[k]]
        pause = "nobody speaks near it"
        if pauses[k] < 60 * US:
            pause = f"{pauses[k] / US:.1f} s from the nearest speech"
        reasons = [f"a new scene begins ({cut.by} {scene.score:.2f})", pause]
        evidence = {"scene": scene.score, "pause": min(pauses[k], 60 * US) / US}
        if liked:
            reasons.append(f"like breaks that were accepted ({liked_K[k]:.2f})")
            evidence[LIKED] = round(float(liked_K[k]), 4)
        found.append(
            Break(
                title_id,
                Span(scene.span.start, scene.span.start),
                round(float(score_K[k]), 4),
                tuple(reasons),
                evidence,
                before.names,
                after.names,
                *_around(before, after, probe),
            )
        )
    notes = list(cut.notes)
    if probe is None:
        missing = (
            f"no probe '{CATEGORIES}' is fitted" if probes is None else probes.missing(CATEGORIES)
        )
        notes.append(f"{missing}: categories are not known")
    if not found:
        notes.append(
            f"no scene begins {spacing / US:g} s or more from both ends, away from speech"
            + (" and from excluded categories" if exclude else "")
            + (": name a smaller --spacing" if spacing > 10 * US else "")
        )
    by = (cut.by, *([LIKED] if liked else []), *([CATEGORIES] if probe is not None else []))
    return Suggestions(title_id, "ad-breaks", found, by, noted(probes, notes))


def _excluded(
    exclude: Collection[str], probe: Probe | None, probes: FittedProbes | None
) -> set[str]:
    """The classes that are excluded, by id or name.

    Raises:
        MediaFMError: No probe tells one of them.
    """
    found = set()
    for text in exclude:
        number = probe.find(text) if probe is not None else None
        if probe is None or number is None:
            why = probes.missing(CATEGORIES) if probes is not None and probe is None else ""
            raise MediaFMError(
                f"no probe tells the category '{text}'" + (f": {why}" if why else ""),
                do=f"it knows {', '.join(probe.names)}"
                if probe is not None
                else f"fit one: mediafm probe fit {CATEGORIES}",
            )
        found.add(probe.head.classes[number])
    return found


def _around(
    before: Tagged, after: Tagged, probe: Probe | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The classes of both scenes, most probable first: as ids of the taxonomy, else as words."""
    likely: dict[str, float] = {}
    names: dict[str, str] = {}
    for side in (before, after):
        for own, name in zip(side.tags, side.names, strict=True):
            likely[own] = max(likely.get(own, 0.0), side.evidence[own])
            names[own] = name
    ordered = sorted(likely, key=lambda own: -likely[own])
    if probe is not None and all(map(is_id, probe.head.classes)):
        return tuple(ordered), ()
    return (), tuple(names[own] for own in ordered)
