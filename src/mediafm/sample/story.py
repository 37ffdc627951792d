"""Plans a title: scenes by a grammar, shots by camera rules, lines, cuts and dissolves."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal

import numpy as np

from mediafm.sample import words
from mediafm.sample.titles import ENTRIES, FORMULAS, SERIES, WEATHER, Beat, Entry

Rng = np.random.Generator
Size = Literal["wide", "full", "medium", "close", "insert"]
Transition = Literal["cut", "dissolve", "fade"]

OBJECTS = ("key", "letter", "clock", "cup", "phone", "lantern")
_UNUSUAL: dict[str, tuple[str, ...]] = {
    "bridge": ("cup", "clock", "key"),
    "planet": ("lantern", "key"),
    "forest": ("lantern", "key", "letter"),
    "desert": ("key", "letter", "cup"),
    "lighthouse": ("lantern", "letter", "clock"),
}
"""Places where not every object lies about."""
MAX_TITLES = 40


@dataclass(frozen=True)
class Line:
    """Something said or heard.

    Args:
        start: First frame.
        end: Frame after the last.
        text: As subtitled.
        speaker: Name of the character; ``None`` for a sound in brackets.
    """

    start: int
    end: int
    text: str
    speaker: str | None


@dataclass
class ShotPlan:
    """One shot.

    Args:
        size: How near the camera is.
        reverse: Whether the camera looks at the far side of the place.
        people: Names of those seen, left to right.
        action: ``stand``, ``talk``, ``walk``, ``run``, ``play`` or ``object``.
        frames: Length; a dissolve counts half to each side.
        scene: Index of its scene.
        region: Which part of the backdrop is behind people, -1 left to 1 right.
        thing: What an insert shows.
        transition: How it begins.
        mixed: Frames that the transition into it takes, 0 for a cut.
        start: First frame.
    """

    size: Size
    reverse: bool
    people: tuple[str, ...]
    action: str
    frames: int = 0
    scene: int = 0
    region: float = 0.0
    thing: str = ""
    transition: Transition = "cut"
    mixed: int = 0
    start: int = 0

    @property
    def end(self) -> int:
        """The frame after its last."""
        return self.start + self.frames

    @property
    def mix_start(self) -> int:
        """First frame of the transition into it (its own first frame for a cut)."""
        return self.start - self.mixed // 2


@dataclass
class ScenePlan:
    """Consecutive shots in one place."""

    kind: str
    tone: str
    place: str
    night: bool
    weather: str
    cast: tuple[str, ...]
    shots: list[ShotPlan] = field(default_factory=list)


@dataclass
class TitlePlan:
    """All that is to be rendered; the same seed gives the same plan."""

    slug: str
    entry: Entry
    genres: tuple[str, ...]
    year: int
    seed: int
    index: int
    scenes: list[ScenePlan]
    lines: list[Line]

    @property
    def shots(self) -> list[ShotPlan]:
        """The shots of all scenes in order."""
        return [shot for scene in self.scenes for shot in scene.shots]

    @property
    def frames(self) -> int:
        """Length of the title in frames."""
        return self.shots[-1].end

    @property
    def seconds(self) -> float:
        """Length of the title in seconds."""
        return float(self.frames / self.entry.fps)


def entries(count: int) -> list[Entry]:
    """The first titles of the sample; beyond the written ones, further episodes."""
    listed = list(ENTRIES[:count])
    serials = [entry for entry in ENTRIES if entry.episode == 2]
    while len(listed) < count:
        extra = len(listed) - len(ENTRIES)
        model, episode = serials[extra % len(serials)], 3 + extra // len(serials)
        listed.append(replace(model, episode=episode, name=f"Chapter {episode}"))
    return listed


def plan_title(index: int, seed: int, seconds: float | None = None) -> TitlePlan:
    """Writes the script of one title.

    Args:
        index: Which title, from 0.
        seed: Seed of the sample.
        seconds: Length; ``None`` for the title's own, a little over a minute.
    """
    entry = entries(index + 1)[index]
    series = SERIES[entry.series]
    rng = np.random.default_rng([seed, index, 11])
    seconds = float(rng.uniform(60.5, 65)) if seconds is None else seconds
    beats = FORMULAS[series.genre]
    count = max(2, min(len(beats), round(seconds / 9)))
    scenes = [_scene(rng, entry, beat, number) for number, beat in enumerate(beats[:count])]
    _cut_to_length(rng, scenes, round(seconds * entry.fps), entry.fps)
    _join(rng, scenes)
    slug = entry.series if entry.episode is None else f"{entry.series}-s01e{entry.episode:02d}"
    plan = TitlePlan(
        slug, entry, (series.genre, *series.more), series.year, seed, index, scenes, []
    )
    plan.lines = _lines(np.random.default_rng([seed, index, 12]), plan)
    return plan


def _scene(rng: Rng, entry: Entry, beat: Beat, number: int) -> ScenePlan:
    series = SERIES[entry.series]
    kind, tone, where = beat
    place = series.places[where % len(series.places)]
    night = series.night[where % len(series.places)]
    if place == "bridge" and tone == "action":
        night = True
    cast = list(series.cast)
    if len(cast) > 2 and kind in ("talk", "gag"):
        cast = [cast[0], cast[1 + (number + (entry.episode or 0)) % 2]]
    weather = WEATHER[place]
    if weather in ("rain", "fireflies") and not night:
        weather = "leaves" if place == "forest" else ""
    scene = ScenePlan(kind, tone, place, night, weather, tuple(cast[:2]))
    scene.shots = _shots(rng, scene)
    return scene


def _shots(rng: Rng, scene: ScenePlan) -> list[ShotPlan]:
    a, b = scene.cast
    things = _UNUSUAL.get(scene.place, OBJECTS)
    thing = things[int(rng.integers(len(OBJECTS))) % len(things)]
    insert = ShotPlan("insert", False, (), "object", thing=thing)

    def one(size: Size, who: str, action: str = "talk") -> ShotPlan:
        return ShotPlan(size, who == b, (who,), action, region=-0.55 if who == a else 0.55)

    wide = ShotPlan("wide", False, (a, b), "talk")
    back = ShotPlan("wide", True, (b, a), "stand")
    match scene.kind:
        case "establish":
            return [
                ShotPlan("wide", False, (), "stand"),
                ShotPlan("full", True, (a,), "walk"),
                one("close", a, "stand"),
                ShotPlan("wide", False, (a,), "walk"),
                one("medium", b, "stand"),
            ]
        case "talk":
            turns = [one("medium", a), one("medium", b), one("close", a), one("close", b)]
            if rng.random() < 0.6:
                turns.insert(int(rng.integers(2, 4)), insert)
            return [wide, *turns, one("medium", a), replace(back, action="talk")]
        case "search":
            return [
                ShotPlan("full", True, (a,), "walk", region=-0.4),
                one("close", a, "stand"),
                insert,
                one("medium", a),
                replace(back, people=(a,), action="walk"),
                one("close", b, "stand"),
            ]
        case "chase":
            return [
                ShotPlan("full", False, (a,), "run", region=-0.4),
                ShotPlan("full", True, (b,), "run", region=0.4),
                one("close", a, "run"),
                one("medium", b, "run"),
                ShotPlan("wide", False, (a, b), "run"),
                one("close", b, "talk"),
                ShotPlan("full", True, (a,), "run", region=0.4),
            ]
        case "perform":
            return [
                ShotPlan("wide", False, (a, b), "play"),
                one("close", a, "play"),
                replace(back, people=(), action="stand"),
                replace(one("medium", a, "play"), region=0.5),
                replace(one("medium", b, "play"), reverse=False, region=-0.5),
                one("close", b, "play"),
            ]
        case "gag":
            return [
                one("medium", a),
                replace(insert, thing=things[int(rng.integers(len(OBJECTS))) % len(things)]),
                one("close", b, "talk"),
                ShotPlan("full", False, (a,), "run"),
                one("medium", b),
                replace(back, action="talk"),
            ]
        case "farewell":
            return [
                wide,
                one("close", a),
                one("medium", b),
                one("close", b),
                ShotPlan("wide", True, (a,), "walk"),
            ]
        case _:
            return [
                ShotPlan("full", False, (a, b), "walk"),
                one("medium", b, "walk"),
                ShotPlan("wide", True, (b, a), "walk"),
                one("close", a, "walk"),
            ]


def _cut_to_length(rng: Rng, scenes: list[ScenePlan], total: int, fps: Fraction) -> None:
    """Log-normal lengths (median 2.2 s, in a chase 1.5 s), scaled to fill the title."""
    rate = float(fps)
    planned = sum(len(scene.shots) for scene in scenes)
    while planned > max(2 * len(scenes), total / rate / 1.9):
        longest = max(scenes, key=lambda scene: len(scene.shots))
        longest.shots.pop()
        planned -= 1
    shots = [(scene, shot) for scene in scenes for shot in scene.shots]
    median = [1.5 if s.kind == "chase" else 1.3 if t.size == "insert" else 2.3 for s, t in shots]
    seconds = np.exp(rng.normal(0, 0.42, len(shots))) * np.array(median)
    for _ in range(6):
        seconds = np.clip(seconds * (total / rate / seconds.sum()), 1.0, 7.0)
    frames = [round(float(s) * rate) for s in seconds]
    short = [i for i, (_, t) in enumerate(shots) if 0 < i < len(shots) - 1 and t.size != "wide"]
    inner = [i for i in short if shots[i][1] is not shots[i][0].shots[0]]
    inner = [i for i in inner if shots[i][1] is not shots[i][0].shots[-1]]
    for i in rng.permutation(inner)[: 1 + int(rng.integers(2))]:
        frames[int(i)] = int(rng.integers(12, 21))
    start = 0
    for (scene, shot), length in zip(shots, frames, strict=True):
        shot.frames, shot.start, shot.scene = length, start, scenes.index(scene)
        start += length


def _join(rng: Rng, scenes: list[ScenePlan]) -> None:
    """Between scenes mostly dissolves, once a fade through black; within scenes cuts."""
    faded = int(rng.integers(2, 5))
    for number, (before, after) in enumerate(itertools.pairwise(scenes), 1):
        old, new = before.shots[-1], after.shots[0]
        room = min(old.frames, new.frames) - 8
        hard = after.tone == "action"
        if number == faded and room >= 24:
            new.transition, new.mixed = "fade", min(room, int(rng.integers(20, 31)))
        elif not hard and room >= 8:
            new.transition, new.mixed = "dissolve", min(room, int(rng.integers(8, 25)))
    longest = max(
        (s for scene in scenes for s in scene.shots[1:-1] if s.size in ("wide", "full")),
        key=lambda s: s.frames,
        default=None,
    )
    if longest is not None and longest.frames > 48 and scenes[longest.scene].tone != "action":
        longest.transition, longest.mixed = "dissolve", int(rng.integers(10, 19))
        shots = scenes[longest.scene].shots
        if shots[shots.index(longest) - 1].frames < 40:
            longest.transition, longest.mixed = "cut", 0


def _lines(rng: Rng, plan: TitlePlan) -> list[Line]:
    rate, used, lines = float(plan.entry.fps), set[str](), list[Line]()

    def choose(texts: tuple[str, ...]) -> str:
        fresh = [text for text in texts if text not in used] or list(texts)
        text = fresh[int(rng.integers(len(fresh)))]
        used.add(text)
        return text

    for scene in plan.scenes:
        for number, shot in enumerate(scene.shots):
            first, last = shot.start + shot.mixed // 2 + 3, shot.end - 3
            speaks = shot.action == "talk" and shot.people and rng.random() < 0.85
            speaks = speaks or (shot.action == "run" and rng.random() < 0.3)
            if speaks and last - first >= 0.7 * rate:
                where = rng.random() < 0.3 and scene.tone != "action"
                text = choose(words.PLACE_LINES[scene.place] if where else words.SPOKEN[scene.tone])
                length = min(last - first, math.ceil((0.5 + 0.055 * len(text)) * rate))
                lines.append(Line(first, first + length, text, shot.people[0]))
            elif (number == 0 or scene.kind in ("search", "chase")) and rng.random() < 0.6:
                pool = words.SOUNDS[scene.place] if number == 0 else words.TONE_SOUNDS[scene.tone]
                length = min(last - first, round(1.4 * rate))
                if length >= 0.4 * rate:
                    lines.append(Line(first, first + length, f"[{choose(pool)}]", None))
    return lines
