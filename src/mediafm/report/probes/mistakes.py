"""Where a probe is most wrong: what it says with conviction, what it misses, what it misorders.

Shapes: N clips, C classes.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mediafm.catalog import Catalog
from mediafm.probes.labels import LabelSet
from mediafm.probes.metrics import Array
from mediafm.probes.ranking import kendall_tau
from mediafm.probes.study import Measurement
from mediafm.probes.summary import measured_clips
from mediafm.report.material import picture
from mediafm.timeline import Clip

_MOST = 8
_PER_CLASS = 2
_PER_TITLE = 2
_HEIGHT, _QUALITY = 180, 76


@dataclass(frozen=True, slots=True)
class Scene:
    """A clip as a picture with a name and a time.

    Args:
        title_id: The title.
        title: Its name for people.
        start: Microseconds.
        end: Microseconds.
        role: What it is, where a mistake has several: ``put first``, ``truly first``.
        jpeg: The keyframe of the shot that takes most of it; ``None`` where there is none.
    """

    title_id: str
    title: str
    start: int
    end: int
    role: str = ""
    jpeg: bytes | None = None


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake.

    Args:
        kind: ``claimed``: said to be there and is not. ``missed``: is there and was not said.
            ``confused``: one class taken for another. ``order``: a title whose clips are ranked
            wrongly.
        said: The class that was given or missed; the rates of an order.
        truth: The class that it is, of a confusion.
        score: The head's score, before calibration; tau of an order.
        rank: Place of the clip among all measured clips by the score for the class, from 1; of a
            confusion 0.
        of: How many clips there are.
        scenes: What to look at.
    """

    kind: str
    said: str
    truth: str
    score: float
    rank: int
    of: int
    scenes: tuple[Scene, ...]


def worst(own: Measurement, labels: LabelSet, catalog: Catalog, seed: int = 0) -> list[Mistake]:
    """The worst mistakes of a contender, each with its keyframe; scores are means over runs.

    Args:
        own: The measurement.
        labels: Of its task.
        catalog: Where titles and keyframes are.
        seed: That of the measurement.

    Returns:
        At most eight, from different classes and titles where there are enough.
    """
    predictions = own.predictions
    clips = measured_clips(labels, predictions[0], seed)
    truth_NC = predictions[0].truth_NC
    score_NC: Array = np.mean([p.score_NC for p in predictions], axis=0)
    if labels.task.kind == "ranking":
        found = _orders(clips, truth_NC[:, 0], score_NC[:, 0])
    elif labels.task.kind == "multi-class":
        found = _confusions(clips, truth_NC, score_NC, labels.classes)
    else:
        both = _claims(clips, truth_NC, score_NC, labels.classes)
        half = _MOST // 2
        found = [m for mistakes in both for m in mistakes[:half]]
    names = {title.title_id: title.title for title in catalog.titles()}
    return [_with_pictures(mistake, catalog, names) for mistake in found]


def _claims(
    clips: Sequence[Clip], truth_NC: Array, score_NC: Array, classes: Sequence[str]
) -> tuple[list[Mistake], list[Mistake]]:
    rank_NC = 1 + np.argsort(np.argsort(-score_NC, axis=0, kind="stable"), axis=0)
    # A class that is rare has low scores throughout: what is missed is low within its class.
    middle_C, spread_C = np.median(score_NC, axis=0), score_NC.std(axis=0)
    low_NC = (score_NC - middle_C) / np.where(spread_C > 0, spread_C, 1)
    found = []
    for kind, value, order_NC in (("claimed", 0, -score_NC), ("missed", 1, low_NC)):
        rows, columns = np.nonzero(truth_NC == value)
        order = np.argsort(order_NC[rows, columns], kind="stable")[: 50 * _MOST]
        # Nobody would call it a mistake that a clip lies where its class does.
        good = [
            (int(n), int(c))
            for n, c in zip(rows[order], columns[order], strict=True)
            if (score_NC[n, c] > middle_C[c]) == (kind == "claimed")
        ]
        found.append(
            [
                Mistake(
                    kind,
                    classes[c],
                    "",
                    float(score_NC[n, c]),
                    int(rank_NC[n, c]),
                    len(clips),
                    (_scene(clips[n]),),
                )
                for n, c in _varied(good, clips, len(classes))
            ]
        )
    return found[0], found[1]


def _varied(
    places: Iterable[tuple[int, int]], clips: Sequence[Clip], classes: int
) -> list[tuple[int, int]]:
    """The first ones that do not all look at one class or one title."""
    of_class: Counter[int] = Counter()
    of_title: Counter[str] = Counter()
    found, rest = [], []
    for n, c in places:
        title_id = clips[n].title_id
        if (classes > 1 and of_class[c] >= _PER_CLASS) or of_title[title_id] >= _PER_TITLE:
            rest.append((n, c))
            continue
        of_class[c] += 1
        of_title[title_id] += 1
        found.append((n, c))
    return (found + rest)[:_MOST]


def _confusions(
    clips: Sequence[Clip], truth_NC: Array, score_NC: Array, classes: Sequence[str]
) -> list[Mistake]:
    at = np.arange(len(clips))
    # A clip of a class that is left out has no truth here.
    known_N = (truth_NC == 1).any(axis=1)
    said_N, is_N = score_NC.argmax(axis=1), np.nan_to_num(truth_NC).argmax(axis=1)
    ahead_N = score_NC[at, said_N] - score_NC[at, is_N]
    order = [int(n) for n in np.argsort(-ahead_N, kind="stable") if known_N[n] and ahead_N[n] > 0]
    return [
        Mistake(
            "confused",
            classes[said_N[n]],
            classes[is_N[n]],
            float(ahead_N[n]),
            0,
            len(clips),
            (_scene(clips[n]),),
        )
        for n, _ in _varied(((n, int(said_N[n])) for n in order), clips, len(classes))
    ]


def _orders(clips: Sequence[Clip], truth_N: Array, score_N: Array) -> list[Mistake]:
    titles = np.array([clip.title_id for clip in clips])
    found = []
    for title_id in np.unique(titles):
        own = np.flatnonzero((titles == title_id) & ~np.isnan(truth_N))
        tau = float(kendall_tau(truth_N[None, own], score_N[None, own])[0]) if len(own) else np.nan
        if not np.isfinite(tau):
            continue
        first, best = own[score_N[own].argmax()], own[truth_N[own].argmax()]
        scenes = [_scene(clips[first], f"put first, rate {truth_N[first]:.3g}")]
        if first != best:
            scenes.append(_scene(clips[best], f"truly first, rate {truth_N[best]:.3g}"))
        found.append(Mistake("order", "", "", tau, 0, len(own), tuple(scenes)))
    found.sort(key=lambda mistake: mistake.score)
    return [mistake for mistake in found[:_MOST] if mistake.score < 1]


def _scene(clip: Clip, role: str = "") -> Scene:
    return Scene(clip.title_id, "", clip.span.start, clip.span.end, role)


def _with_pictures(mistake: Mistake, catalog: Catalog, names: dict[str, str]) -> Mistake:
    scenes = []
    for scene in mistake.scenes:
        shots = catalog.shots(scene.title_id)
        covered = [min(scene.end, s.span.end) - max(scene.start, s.span.start) for s in shots]
        shot = shots[int(np.argmax(covered))]
        jpeg = shrink(catalog.keyframe(scene.title_id, shot.index))
        title = names.get(scene.title_id) or scene.title_id
        scenes.append(replace(scene, title=title, jpeg=jpeg))
    return replace(mistake, scenes=tuple(scenes))


def shrink(jpeg: bytes | None) -> bytes | None:
    """A keyframe small enough for a page; ``None`` where there is none or it is damaged."""
    image = picture(jpeg, _HEIGHT)
    if image is None:
        return None
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return buffer.getvalue()
