"""Labels of the sample for every kind of probe, with the best score that can be reached.

``labels/`` beside the films holds one CSV file per task. A row is a clip on true shot boundaries:
``title_id`` (the file's stem, as ingest names it), ``start`` and ``end`` in seconds, labels joined
by ``|``. An empty value means: judged, and nothing applies.

``tones.csv`` (``tone``)
    Every scene, and the runs of two to four shots that it is cut into. The scene's tone (``scary``,
    that of a single film, counts as ``tense``); ``dark`` at night; ``action`` also where people run
    for half of the clip or more.
``genres.csv`` (``genre``)
    The same clips; the genres of their title, merged so that each belongs to several series.
``ads.csv`` (``ad``)
    The same clips; ids of the IAB Content Taxonomy 3.1 by place, tone and action. Places of one
    series (classroom, space ship, planet, stage) call for none. ``taxonomy.tsv`` names the ids.
``boundaries.csv`` (``segment_boundary``)
    Every shot; 1 where a scene begins, except the first.
``clips.csv`` (``worthy``)
    Runs of one to four shots, about one in four worth showing: a close-up in a chase, a gag, a
    performance, a romantic or sad scene.
``popularity.csv`` (``segment,impressions,clicks,propensity``)
    The log of a randomised policy, which shows one of a title's 8 to 12 clips to an audience
    segment with the probability ``propensity``. One segment clicks more: ``clicks / impressions``
    depends on who saw the clip; ``sum(clicks / propensity) / sum(impressions / propensity)`` over
    its rows does not (SNIPS; Swaminathan and Joachims 2015).

A known share of the answers in tones, ads and clips is flipped (:data:`TASKS`), each with the same
chance. ``ceiling.json`` says what a predictor that knows the truth but not the noise reaches: mean
and standard deviation of its score over :data:`DRAWS` repetitions of the noise on the same clips,
all titles pooled; true answers come first (no order has a higher expectation), clips go by their
true click rate. ``chance`` is the mean of random orders under the same noise.

The labels of a title do not depend on how many titles there are. Of few or short films, labels may
have no positive (``positives`` counts them); a ceiling that does not exist is ``null``.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mediafm.errors import MediaFMError, describe_os_error
from mediafm.files import write_whole
from mediafm.fingerprint import fingerprint
from mediafm.sample.taxonomy import taxonomy_tsv
from mediafm.sample.truth import TrueScene, TrueShot, Truth

Rng = np.random.Generator
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Title = tuple[str, Truth]

FORMAT = 1
"""Raised when the same truth gives other labels; old ones are then written anew."""
DRAWS = 400
MOST_WORTHY = 5
"""Worthy clips per title; the worthless are three times as many."""


@dataclass(frozen=True)
class Clip:
    """Consecutive shots of one scene."""

    title_id: str
    genres: tuple[str, ...]
    scene: TrueScene
    shots: tuple[TrueShot, ...]

    @property
    def span(self) -> tuple[int, int]:
        """Start and end in microseconds."""
        return self.shots[0].start_us, self.shots[-1].end_us

    def share(self, *what: str) -> float:
        """The share of its time that shots of these actions or sizes take."""
        times = [shot.end_us - shot.start_us for shot in self.shots]
        found = [shot.action in what or shot.size in what for shot in self.shots]
        return float(np.dot(times, found) / sum(times))


Answer = Callable[[Clip], bool]


def _scene(field: str, *values: str) -> Answer:
    return lambda clip: getattr(clip.scene, field) in values


def _runs(clip: Clip) -> bool:
    return clip.share("run") >= 0.5


def _worthy(clip: Clip) -> bool:
    lively = clip.scene.kind in ("chase", "gag", "perform")
    return clip.share("close") > 0 and (lively or clip.scene.tone in ("romantic", "sad"))


_TONES = {
    "action": lambda clip: clip.scene.tone == "action" or _runs(clip),
    "dark": lambda clip: clip.scene.night,
    "tense": _scene("tone", "tense", "scary"),
    **{tone: _scene("tone", tone) for tone in ("calm", "funny", "romantic", "sad", "wonder")},
}
_GENRES = {
    "adventure": lambda clip: bool({"adventure", "science fiction", "western"} & {*clip.genres}),
    "comedy": lambda clip: "comedy" in clip.genres,
    "drama": lambda clip: "drama" in clip.genres,
    "suspense": lambda clip: bool({"crime", "horror", "mystery", "thriller"} & {*clip.genres}),
}
_ADS = {
    "153": _scene("place", "lighthouse"),  # Historic Site and Landmark Tours
    "160": _scene("place", "desert", "forest"),  # Parks & Nature
    "188": _scene("tone", "romantic"),  # Dating
    "216": _scene("place", "kitchen"),  # Cooking
    "218": _scene("place", "diner"),  # Dining Out
    "227": _runs,  # Running and Jogging
    "473": _scene("place", "street"),  # Shopping: the shop fronts
    "530": _scene("place", "harbour"),  # Sailing
}
_BEGINS = {"segment_boundary": lambda clip: 0 < clip.span[0] == clip.scene.start_us}
TASKS: dict[str, tuple[str, float, dict[str, Answer]]] = {
    "tones": ("tone", 0.03, _TONES),
    "genres": ("genre", 0.0, _GENRES),
    "ads": ("ad", 0.03, _ADS),
    "boundaries": ("segment_boundary", 0.0, _BEGINS),
    "clips": ("worthy", 0.05, {"worthy": _worthy}),
}
"""By file: column, share of the answers (one per clip and label) that are flipped, true answers."""

SEGMENTS = {"new": (24000, -3.0), "regular": (8000, -1.8)}
"""Audience segments: requests per title, and the log-odds of a click before the clip counts."""


@dataclass(frozen=True)
class Judged:
    """The clips of one task with their answers, ``(clips, labels)``: true, and as given."""

    task: str
    clips: tuple[Clip, ...]
    true_NL: Bools
    given_NL: Bools


@dataclass(frozen=True)
class Policy:
    """A title's clips as a randomised policy shows them, ``(segments, clips)``.

    Args:
        clips: What it chooses from.
        propensity_SC: Probability that a request of a segment is answered with a clip.
        rate_SC: Probability that this is clicked.
    """

    clips: tuple[Clip, ...]
    propensity_SC: Floats
    rate_SC: Floats

    @property
    def rates(self) -> Floats:
        """True click rate of each clip, were it the answer to all requests."""
        return np.average(self.rate_SC, 0, [count for count, _ in SEGMENTS.values()])

    def log(self, rng: Rng, draws: int = 1, scale: int = 1) -> tuple[Counts, Counts]:
        """Impressions and clicks of some repetitions, ``(draws, segments, clips)``."""
        requests = [count * scale for count, _ in SEGMENTS.values()]
        drawn = zip(requests, self.propensity_SC, strict=True)
        shown_DSC = np.stack([rng.multinomial(n, p_C, draws) for n, p_C in drawn], axis=1)
        return shown_DSC, rng.binomial(shown_DSC, self.rate_SC)

    def estimate(self, shown_DSC: Counts, clicks_DSC: Counts) -> Floats:
        """Self-normalised inverse propensity scores, ``(draws, clips)``."""
        weighed_DC = (shown_DSC / self.propensity_SC).sum(axis=1)
        clicks_DC = (clicks_DSC / self.propensity_SC).sum(axis=1)
        rate_DC: Floats = clicks_DC / np.maximum(weighed_DC, 1e-9)
        return rate_DC


def write_labels(folder: Path, titles: Sequence[Title], seed: int) -> list[Path]:
    """Writes the labels of the sample, unless they are there.

    Args:
        folder: ``labels/`` of a sample folder; made if absent. Labels of other settings in it
            are replaced.
        titles: Id and truth of every title, in catalog order; at least one.
        seed: Seed of the sample.

    Returns:
        The files; ``ceiling.json`` is the last.

    Raises:
        MediaFMError: The folder cannot be written.
    """
    films = [[name, truth.settings] for name, truth in titles]
    settings = fingerprint({"format": FORMAT, "seed": seed, "titles": films})
    names = [*(f"{task}.csv" for task in (*TASKS, "popularity")), "taxonomy.tsv", "ceiling.json"]
    files = [folder / name for name in names]
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        made = json.loads(files[-1].read_bytes())["settings"]
        if made == settings and all(path.is_file() for path in files):
            return files
    judged, policies = judge(titles, seed), plan_policies(titles, seed)
    found = ceilings(judged, policies, seed)
    report = {"settings": settings, "seed": seed, "titles": len(titles), **found}
    told = json.dumps(report, indent=1) + "\n"
    texts = [*map(_answers, judged), _log(policies, seed), taxonomy_tsv(), told]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files[-1].unlink(missing_ok=True)  # it vouches for the others
        for path, text in zip(files, texts, strict=True):
            write_whole(path, text.encode())
    except OSError as error:
        reason = f"the labels cannot be written ({describe_os_error(error)})"
        raise MediaFMError(reason, where=folder, do="choose a folder that can be written") from None
    return files


def judge(titles: Sequence[Title], seed: int) -> list[Judged]:
    """The answers of all tasks but the popularity, in the order of :data:`TASKS`."""
    whole = [list(_parts(title, _rng(seed, i, 0))) for i, title in enumerate(titles)]
    shots = [list(_spans(title, range(1, 2))) for title in titles]
    some = [_candidates(title, _rng(seed, i, 1)) for i, title in enumerate(titles)]
    result = []
    for number, (task, every) in enumerate(zip(TASKS, [whole] * 3 + [shots, some], strict=True)):
        _, flipped, labels = TASKS[task]
        true = [np.array([[is_(clip) for is_ in labels.values()] for clip in c]) for c in every]
        given = [flip(t_NL, flipped, _rng(seed, i, 2, number)) for i, t_NL in enumerate(true)]
        clips = tuple(itertools.chain(*every))
        result.append(Judged(task, clips, np.concatenate(true), np.concatenate(given)))
    return result


def flip(true_NL: Bools, share: float, rng: Rng) -> Bools:
    """Answers of which a share, in expectation, is wrong."""
    return true_NL ^ (rng.random(true_NL.shape) < share)


def plan_policies(titles: Sequence[Title], seed: int) -> list[Policy]:
    """One randomised policy per title; of fewer than eight clips where the title is short."""
    policies = []
    for index, title in enumerate(titles):
        rng = _rng(seed, index, 3)
        clips = _choose(list(_spans(title, range(1, 5))), int(rng.integers(8, 13)), rng)
        weight_SC = rng.integers(1, 9, (len(SEGMENTS), len(clips)))
        odds_C = rng.normal(0, 0.4) + np.array([_appeal(clip) for clip in clips])
        odds_SC = odds_C + np.array([[base] for _, base in SEGMENTS.values()])
        propensity_SC = weight_SC / weight_SC.sum(axis=1, keepdims=True)
        policies.append(Policy(tuple(clips), propensity_SC, 1 / (1 + np.exp(-odds_SC))))
    return policies


def _appeal(clip: Clip) -> float:
    tone, people = clip.scene.tone, np.mean([len(shot.characters) for shot in clip.shots])
    odds = 0.5 * (tone in ("action", "funny", "scary")) - 0.5 * (tone in ("calm", "sad"))
    odds += 0.9 * clip.share("close") - 0.5 * clip.share("wide", "insert")
    return odds + 0.8 * clip.share("run", "play") + 0.2 * float(people)


def ceilings(
    judged: Sequence[Judged], policies: Sequence[Policy], seed: int
) -> dict[str, dict[str, Any]]:
    """What a predictor that knows all but the noise reaches, and what a random one does.

    Returns:
        By task: ``metric``, ``ceiling``, its ``deviation`` from one draw of the noise to another,
        ``chance``, and sizes.
    """
    result = {}
    for number, task in enumerate(judged):
        (_, flipped, labels), rng = TASKS[task.task], _rng(seed, number, 4)
        macro, best, chance = task.task == "genres", [], []
        drawn_DNL = flip(np.stack([task.true_NL] * DRAWS), flipped, rng)
        for part in np.split(np.arange(len(labels)), len(labels) if macro else 1):
            order_M = np.argsort(~task.true_NL[:, part].ravel(), kind="stable")
            drawn_DM = drawn_DNL[:, :, part].reshape(DRAWS, -1)
            if task.true_NL[:, part].any():
                best.append(average_precision(drawn_DM[:, order_M]))
                chance.append(average_precision(rng.permuted(drawn_DM, axis=1)))
        kind = "macro " if macro else "micro " if len(labels) > 1 else ""
        result[task.task] = {
            "metric": f"{kind}average precision",
            **_summary(best, np.mean(chance) if chance else None),
            "flipped": flipped,
            "rows": len(task.clips),
            "positives": dict(zip(labels, task.given_NL.sum(axis=0).tolist(), strict=True)),
        }
    rng, taus, wins = _rng(seed, 0, 5), [], []
    for policy in policies:
        seen_DC = policy.estimate(*policy.log(rng, DRAWS))
        taus.append(np.array([kendall_tau(policy.rates, seen_C) for seen_C in seen_DC]))
        wins.append(seen_DC.argmax(axis=1) == policy.rates.argmax())
    guess = np.mean([1 / len(policy.clips) for policy in policies])
    sizes = {"clips": sum(len(policy.clips) for policy in policies)}
    for name, metric, scores, chance_ in (
        ("popularity", "mean Kendall tau-b per title", taus, 0.0),
        ("winner", "share of titles whose most clicked clip comes first", wins, guess),
    ):
        result[name] = {"metric": metric, **_summary(scores, chance_), **sizes}
    return result


def _summary(score_KD: Sequence[Any], chance: Any) -> dict[str, float | None]:
    """Of the mean over labels or titles: mean and deviation over draws."""
    if not score_KD:
        return {"ceiling": None, "deviation": None, "chance": None}
    score_D = np.mean(score_KD, axis=0)
    found = {"ceiling": score_D.mean(), "deviation": score_D.std(), "chance": chance}
    return {name: round(float(value), 4) for name, value in found.items()}


def average_precision(relevant_DN: Bools) -> Floats:
    """Mean precision at the ranks of the positives; rows are in the order of their scores."""
    hits_DN = relevant_DN.cumsum(axis=1)
    precision_DN = hits_DN / np.arange(1, relevant_DN.shape[1] + 1)
    mean_D: Floats = (precision_DN * relevant_DN).sum(axis=1) / np.maximum(hits_DN[:, -1], 1)
    return mean_D


def kendall_tau(a_N: Floats, b_N: Floats) -> float:
    """Kendall's tau-b; 0 where either orders nothing."""
    a_NN, b_NN = np.sign(a_N[:, None] - a_N), np.sign(b_N[:, None] - b_N)
    return float((a_NN * b_NN).sum() / max(np.sqrt((a_NN**2).sum() * (b_NN**2).sum()), 1.0))


def _rng(seed: int, *stream: int) -> Rng:
    return np.random.default_rng([seed, 31, *stream])


def _scenes(title: Title) -> Iterator[Clip]:
    name, truth = title
    for number, scene in enumerate(truth.scenes):
        shots = tuple(shot for shot in truth.shots if shot.scene == number)
        yield Clip(name, truth.genres, scene, shots)


def _spans(title: Title, lengths: range) -> Iterator[Clip]:
    """All runs of so many shots of one scene."""
    for scene in _scenes(title):
        for first, length in itertools.product(range(len(scene.shots)), lengths):
            if first + length <= len(scene.shots):
                yield replace(scene, shots=scene.shots[first : first + length])


def _parts(title: Title, rng: Rng) -> Iterator[Clip]:
    """Every scene, and the runs of two to four shots that it is cut into."""
    for scene in _scenes(title):
        yield scene
        if (count := len(scene.shots)) >= 4:
            pieces = int(rng.integers(max(2, math.ceil(count / 4)), count // 2 + 1))
            for part in np.array_split(np.arange(count), pieces):
                yield replace(scene, shots=scene.shots[part[0] : part[-1] + 1])


def _candidates(title: Title, rng: Rng) -> list[Clip]:
    pool = list(_spans(title, range(1, 5)))
    worthy = _choose([clip for clip in pool if _worthy(clip)], MOST_WORTHY, rng)
    rest = _choose([clip for clip in pool if not _worthy(clip)], 3 * max(len(worthy), 1), rng)
    return sorted(worthy + rest, key=lambda clip: clip.span)


def _choose(clips: Sequence[Clip], count: int, rng: Rng) -> list[Clip]:
    return [clips[int(i)] for i in sorted(rng.permutation(len(clips))[:count])]


def _answers(judged: Judged) -> str:
    column, _, labels = TASKS[judged.task]
    rows = []
    for clip, given_L in zip(judged.clips, judged.given_NL.tolist(), strict=True):
        found = "|".join(name for name, given in zip(labels, given_L, strict=True) if given)
        rows.append([*_span(clip), str(int(given_L[0])) if [*labels] == [column] else found])
    return _csv([column], rows)


def _log(policies: Sequence[Policy], seed: int) -> str:
    rows = []
    for index, policy in enumerate(policies):
        shown, clicks = policy.log(_rng(seed, index, 6))
        for c, clip in enumerate(policy.clips):
            for s, segment in enumerate(SEGMENTS):
                found = shown[0, s, c], clicks[0, s, c], f"{policy.propensity_SC[s, c]:.6f}"
                rows.append([*_span(clip), segment, *map(str, found)])
    return _csv(["segment", "impressions", "clicks", "propensity"], rows)


def _span(clip: Clip) -> list[str]:
    return [clip.title_id, *(f"{t // 1_000_000}.{t % 1_000_000:06d}" for t in clip.span)]


def _csv(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["title_id", "start", "end", *columns], *rows])
    return text.getvalue()
