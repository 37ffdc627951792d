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
from mediafm.suggest.clips import Boundaries
from mediafm.suggest.fitted import FittedProbes
from mediafm.suggest.scenes import Scene, find_scenes
from mediafm.suggest.suggestion import Suggestion, Suggestions, percentile
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
        categories: Those of both, as labels write them: ids of a taxonomy, where it has ids.
    """

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


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
    kinds, ids = _categories(title_id, cut.scenes, probes)
    known = tuple(ids)
    wanted = {name for name, own in ids.items() if name in exclude or own in exclude}
    wrong = sorted(set(exclude) - {*ids, *ids.values()})
    if wrong:
        raise MediaFMError(
            f"no probe tells the category '{wrong[0]}'",
            do=f"it knows {', '.join(known)}"
            if known
            else f"fit one: mediafm probe fit {CATEGORIES}",
        )
    speech = Boundaries(catalog.cues(title_id))
    start, end = cut.scenes[0].span.start, cut.scenes[-1].span.end
    places = [
        place
        for place in range(1, len(cut.scenes))
        if start + spacing <= cut.scenes[place].span.start <= end - spacing
        and not speech.speaks(cut.scenes[place].span.start)
        and not {*kinds[place - 1], *kinds[place]} & wanted
    ]
    sure_K = percentile([cut.scenes[p].score for p in places])
    pauses = [speech.pause(cut.scenes[p].span.start) for p in places]
    shares = [sure_K, np.minimum(np.array(pauses) / _PAUSE, 1.0)]
    liked = probes is not None and probes.get(LIKED) is not None
    if liked and probes is not None:
        firsts = [cut.scenes[p].first for p in places]
        liked_K = probes.of_shots(LIKED, title_id)[firsts, 0]
        shares.append(percentile(liked_K))
    score_K = np.mean(shares, axis=0)
    taken: list[int] = []
    for k in np.argsort(-score_K, kind="stable").tolist():
        time = cut.scenes[places[k]].span.start
        if all(abs(time - cut.scenes[places[other]].span.start) >= spacing for other in taken):
            taken.append(k)
    found: list[Suggestion] = []
    for k in sorted(taken):
        scene, before = cut.scenes[places[k]], kinds[places[k] - 1]
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
                before,
                kinds[places[k]],
                tuple(dict.fromkeys(ids[name] for name in (*before, *kinds[places[k]]))),
            )
        )
    notes = list(cut.notes)
    if not known:
        notes.append(f"no probe '{CATEGORIES}' is fitted: categories are not known")
    if not found:
        notes.append(
            f"no scene begins {spacing / US:g} s or more from both ends, away from speech"
            + (" and from excluded categories" if exclude else "")
        )
    by = (cut.by, *([LIKED] if liked else []), *([CATEGORIES] if known else []))
    return Suggestions(title_id, "ad-breaks", found, by, tuple(notes))


def _categories(
    title_id: str, scenes: list[Scene], probes: FittedProbes | None
) -> tuple[list[tuple[str, ...]], dict[str, str]]:
    """The categories of every scene, most probable first, and what each is called in labels."""
    probe = probes.get(CATEGORIES) if probes is not None else None
    if probe is None or probes is None:
        return [()] * len(scenes), {}
    names = probe.titles or probe.head.classes
    p_KC = probes.scores(CATEGORIES, [Clip(title_id, scene.span) for scene in scenes])
    given_KC = p_KC >= probe.head.threshold_C
    return [
        tuple(names[c] for c in np.argsort(-p_C, kind="stable") if given_C[c])
        for p_C, given_C in zip(p_KC, given_KC, strict=True)
    ], dict(zip(names, probe.head.classes, strict=True))
