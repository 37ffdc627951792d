"""What every fitted probe says of a title, scene by scene. ``mediafm suggest tags``.

Without any probe, the genres and tags that the catalog has of the titles most like this one.

Shapes: N scenes of a title, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mediafm.catalog import Catalog
from mediafm.errors import MediaFMError
from mediafm.probes.artifact import Probe
from mediafm.probes.cells import did_you_mean
from mediafm.probes.task import Task
from mediafm.search import Hit, similar_titles
from mediafm.suggest.feedback import Answer
from mediafm.suggest.fitted import FittedProbes, noted
from mediafm.suggest.scenes import find_scenes
from mediafm.suggest.suggestion import Scores, Suggestion, Suggestions
from mediafm.timeline import Clip

NEAREST = 5
"""Titles that vote on what is not known of another."""
FIELDS = ("genres", "tags")
_DOUBT = 0.3
"""A vote for nothing, of a title at this cosine: neighbours that are hardly like it decide less."""
_HALF = 0.5  # share of the votes that a genre or a tag needs
NO_PROBE = "no probe that gives classes is fitted (mediafm probe fit clip-tone --labels FILE)"


@dataclass(frozen=True, slots=True)
class Tagged(Suggestion):
    """Classes of a part of a title.

    Args:
        probe: The probe that gives them; ``genres`` or ``tags`` where titles like it do.
        tags: The classes, as its labels write them, most probable first; none is an answer, too.
        names: The same for people, where classes are ids.
    """

    probe: str = ""
    tags: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def suggest_tags(
    catalog: Catalog,
    title_id: str,
    *,
    only: Sequence[str] = (),
    probes: FittedProbes | None = None,
    version: str | None = None,
) -> Suggestions:
    """Tags a title, scene by scene.

    Args:
        catalog: The catalog.
        title_id: The title.
        only: Names of probes; by default all that give classes: not rankings, not yes-or-no ones.
        probes: Where the probes are looked for; none by default.
        version: Version of the embeddings, for scenes without a probe and for titles like this one.

    Returns:
        :class:`Tagged` in the order of time, one per scene and probe.

    Raises:
        CatalogError: There is no such title.
        MediaFMError: There is no such probe, or it is a ranking, which has no classes.
    """
    wanted = chosen(probes, only)
    if not wanted or probes is None:
        voted, said = by_nearest(catalog, title_id, version=version)
        notes = noted(probes, [f"{NO_PROBE}: {said}"])
        return Suggestions(title_id, "tags", list(voted), FIELDS, notes)
    cut = find_scenes(catalog, title_id, probes, version=version)
    clips = [Clip(title_id, scene.span) for scene in cut.scenes]
    found: list[Tagged] = []
    notes_: list[str] = []
    for probe in wanted:
        p_NC = probes.scores(probe.name, clips)
        known = [(clip, p_C) for clip, p_C in zip(clips, p_NC, strict=True) if _known(p_C)]
        found += [tagged(probe, clip, p_C) for clip, p_C in known]
        if less := len(clips) - len(known):
            notes_.append(f"{probe.name}: nothing that it reads is known of {less} scenes")
    found.sort(key=lambda one: one.span)
    by = (cut.by, *(probe.name for probe in wanted))
    return Suggestions(title_id, "tags", list(found), by, noted(probes, [*cut.notes, *notes_]))


def chosen(probes: FittedProbes | None, only: Sequence[str] = ()) -> list[Probe]:
    """The probes that tag: those that are named, or all that give classes.

    Raises:
        MediaFMError: There is no such probe, or it is a ranking.
    """
    if probes is None:
        if only:
            raise MediaFMError(f"there is no probe '{only[0]}'", do="fit it (mediafm probe fit)")
        return []
    for name in dict.fromkeys(only):
        probe = probes.get(name)
        if probe is None:
            raise MediaFMError(
                probes.missing(name),
                do=f"there are {', '.join(probes.usable()) or 'none'}; mediafm probe fit makes one",
            )
        if probe.head.kind == "ranking":
            raise MediaFMError(f"'{name}' orders clips, it gives no tags", do="name another probe")
    names = dict.fromkeys(only or probes.names())
    held = [probe for name in names if (probe := probes.get(name)) is not None]
    return [p for p in held if only or p.head.kind in ("multi-label", "multi-class")]


def tags_of(
    catalog: Catalog,
    probes: FittedProbes,
    name: str,
    clip: Clip,
    *,
    version: str | None = None,
) -> tuple[str, ...]:
    """The tags that a probe suggests for a clip: of a scene, or of a whole title.

    Args:
        catalog: The catalog.
        probes: Where the probe is looked for.
        name: The probe.
        clip: The clip; of a whole title the mean over its scenes counts, as for a cold start.
        version: Version of the embeddings, for scenes without a probe.

    Raises:
        MediaFMError: There is no such probe, or nothing that it reads is known of the clip.
    """
    [probe] = chosen(probes, [name])
    clips = [clip]
    if clip == catalog.clip(clip.title_id).clip:
        clips = scene_clips(catalog, clip.title_id, probes, version)
    p_C = mean_over(probe, probes, clips)
    if not _known(p_C):
        raise MediaFMError(
            f"nothing that probe '{name}' reads is known of {clip.span}", where=clip.title_id
        )
    return tagged(probe, clip, p_C).tags


def tags_in_answer(
    answer: Answer,
    task: Task,
    clip: Clip,
    probes: FittedProbes,
    named: Sequence[str],
    shown: Sequence[str] | None = None,
) -> tuple[list[str], tuple[str, ...], list[str]]:
    """What an answer to tags is about.

    Args:
        answer: What is said of them.
        task: The tags' task.
        clip: What was tagged.
        probes: Where the task's probe is looked for.
        named: Tags that a user named, by name or id.
        shown: The tags that the user was shown, as labels write them; what the probe says by now,
            by default, which may be something else.

    Returns:
        Those, as labels write them; the tags that were suggested, where the answer depends on them;
        and notes, of tags that are new.

    Raises:
        MediaFMError: The answer depends on what was suggested, and there is no probe.
    """
    suggested = tuple(shown or ())
    asks = answer == "accepted" or (answer == "rejected" and (named or task.kind == "binary"))
    if shown is None and asks:
        suggested = tags_of(probes.catalog, probes, task.name, clip, version=probes.version)
    probe = probes.get(task.name) if named else None
    if probe is None:
        return list(named), suggested, []
    found, notes = [], []
    for name in named:
        number = probe.find(name)
        found.append(name if number is None else probe.head.classes[number])
        if number is None:
            hint = did_you_mean(name, probe.names)
            notes.append(f"'{name}' is a new class" + (f"; {hint}" if hint else ""))
    return found, suggested, notes


def scene_clips(
    catalog: Catalog, title_id: str, probes: FittedProbes | None, version: str | None
) -> list[Clip]:
    """The scenes of a title as clips."""
    scenes = find_scenes(catalog, title_id, probes, version=version).scenes
    return [Clip(title_id, scene.span) for scene in scenes]


def mean_over(probe: Probe, probes: FittedProbes, clips: Sequence[Clip]) -> Scores:
    """Mean probabilities ``p_C`` over clips, each as long as it lasts; NaN where none is known."""
    p_NC = probes.scores(probe.name, list(clips))
    known_N = ~np.isnan(p_NC).any(axis=1)
    weight_N = np.array([max(clip.span.duration, 1) for clip in clips], np.float64) * known_N
    if not known_N.any():
        return np.full(p_NC.shape[1], np.nan)
    mean_C: Scores = weight_N / weight_N.sum() @ np.nan_to_num(p_NC)
    return mean_C


def _known(p_C: Scores) -> bool:
    return not np.isnan(p_C).any()


def tagged(probe: Probe, clip: Clip, p_C: Scores) -> Tagged:
    """What a probe gives a clip, by its threshold; of exactly one class, the most probable one.

    Args:
        probe: The probe.
        clip: The clip.
        p_C: Its calibrated probabilities.
    """
    order = [c for c in np.argsort(-p_C, kind="stable").tolist() if c in probe.telling] or [0]
    if probe.head.kind == "multi-class":
        given = order[:1]
    else:
        given = [c for c in order if p_C[c] >= probe.head.threshold_C[c]]
    classes, names = probe.head.classes, probe.names
    reasons = tuple(f"{names[c]} {p_C[c]:.2f}" for c in given)
    if not given:
        reasons = (f"nothing; {names[order[0]]} comes nearest, {p_C[order[0]]:.2f}",)
    return Tagged(
        clip.title_id,
        clip.span,
        round(float(p_C[(given or order)[0]]), 4),
        reasons,
        {classes[c]: round(float(p_C[c]), 4) for c in order},
        probe.name,
        tuple(classes[c] for c in given),
        tuple(names[c] for c in given),
    )


def by_nearest(
    catalog: Catalog,
    title_id: str,
    hits: Sequence[Hit] | None = None,
    *,
    version: str | None = None,
) -> tuple[list[Tagged], str]:
    """Genres and tags that titles like one have, each series voting by the cosine of its nearest.

    Args:
        catalog: The catalog.
        title_id: The title; what is known of itself does not count.
        hits: The titles like it, best first; looked for by default.
        version: Version of the embeddings, to look for them.

    Returns:
        One :class:`Tagged` of the whole title per field that any of them has, and a note.
    """
    if hits is None:
        hits = similar_titles(catalog, title_id, NEAREST, version=version)
    near = [hit for hit in hits[:NEAREST] if hit.score > 0]
    if not near:
        return [], "and no other title is like this one"
    whole = catalog.clip(title_id).clip.span
    found = []
    voters: dict[str, Hit] = {}
    for hit in near:  # best first: a series has one vote, that of its nearest title
        voters.setdefault(catalog.title(hit.title_id).series_id or hit.title_id, hit)
    for field in FIELDS:
        votes: dict[str, float] = {}
        total = _DOUBT
        for hit in voters.values():
            own: tuple[str, ...] = getattr(catalog.title(hit.title_id), field)
            total += hit.score if own else 0.0
            for value in own:
                votes[value] = votes.get(value, 0.0) + hit.score
        ordered = sorted(votes.items(), key=lambda item: -item[1])
        shares = {value: round(vote / total, 4) for value, vote in ordered}
        given = tuple(value for value, share in shares.items() if share >= _HALF)
        if shares:
            reasons = tuple(f"{value} {share:.2f}" for value, share in shares.items())
            top = next(iter(shares.values()))
            found.append(Tagged(title_id, whole, top, reasons[:5], shares, field, given, given))
    names = ", ".join(hit.title_id for hit in near[:3]) + (", …" if len(near) > 3 else "")
    alike = "the title most like it" if len(near) == 1 else f"the {len(near)} titles most like it"
    if not found:
        return [], f"and {alike} ({names}) has no genres or tags in the catalog"
    return found, f"genres and tags of {alike} ({names})"
