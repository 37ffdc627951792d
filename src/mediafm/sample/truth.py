"""What is true of a rendered title, for measuring shot detection and probes against."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from mediafm.errors import MediaFMError, describe_os_error
from mediafm.fingerprint import fingerprint
from mediafm.sample.story import ShotPlan, TitlePlan

FORMAT = 1
"""Raised when the same settings give other pixels or labels; old samples are then told apart."""


@dataclass(frozen=True)
class Boundary:
    """Where one shot ends and the next begins.

    Args:
        frame: First frame of the next shot; of a gradual transition, the middle.
        time_us: Presentation time of that frame in microseconds.
        kind: ``cut``, ``dissolve`` or ``fade`` (through black).
        first_frame: First frame that shows both shots or black; of a cut, ``frame``.
        last_frame: Last such frame; of a cut, ``frame``.
    """

    frame: int
    time_us: int
    kind: str
    first_frame: int
    last_frame: int


@dataclass(frozen=True)
class TrueShot:
    """A shot, ``[start, end)`` in frames and microseconds, and what it shows."""

    start_frame: int
    end_frame: int
    start_us: int
    end_us: int
    scene: int
    size: str
    action: str
    characters: tuple[str, ...]


@dataclass(frozen=True)
class TrueScene:
    """Consecutive shots in one place, ``[start, end)`` in frames and microseconds."""

    start_frame: int
    end_frame: int
    start_us: int
    end_us: int
    kind: str
    tone: str
    place: str
    night: bool
    characters: tuple[str, ...]


@dataclass(frozen=True)
class Truth:
    """The labels of one title.

    Args:
        media: File name of the title.
        settings: Fingerprint of the settings that made it.
        frames: Length in frames.
        fps: Frames per second as numerator and denominator.
        duration_us: Length in microseconds.
        genres: Genres, the leading one first.
        has_audio: Whether there is an audio stream.
        subtitles: ``sidecar``, ``embedded`` or ``none``.
        boundaries: Between the shots, in order.
        shots: A partition of the frames.
        scenes: A partition of the frames.
    """

    media: str
    settings: str
    frames: int
    fps: tuple[int, int]
    duration_us: int
    genres: tuple[str, ...]
    has_audio: bool
    subtitles: str
    boundaries: tuple[Boundary, ...]
    shots: tuple[TrueShot, ...]
    scenes: tuple[TrueScene, ...]

    def to_json(self) -> str:
        """The truth file's content."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"


def load_truth(path: Path) -> Truth:
    """Reads a truth file.

    Args:
        path: ``truth/NAME.truth.json`` of a sample folder.

    Returns:
        The labels.

    Raises:
        MediaFMError: The file cannot be read or is no truth file.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise TypeError("not an object")
        found["boundaries"] = tuple(Boundary(**item) for item in found["boundaries"])
        found["shots"] = tuple(TrueShot(**_tuples(item)) for item in found["shots"])
        found["scenes"] = tuple(TrueScene(**_tuples(item)) for item in found["scenes"])
        return Truth(**_tuples(found))
    except OSError as error:
        raise MediaFMError(f"cannot be read ({describe_os_error(error)})", where=path) from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise MediaFMError(
            "is not a truth file of the sample", where=path, do="run mediafm sample again"
        ) from None


def _tuples(item: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}


def frame_time(plan: TitlePlan, frame: int) -> int:
    """Presentation time of a frame in microseconds, as its container stores it.

    Matroska counts milliseconds, so its frames begin on whole ones.
    """
    unit = 1000 if plan.entry.container == "mkv" else 1_000_000
    return round(Fraction(frame) / plan.entry.fps * unit) * (1_000_000 // unit)


def settings_of(plan: TitlePlan) -> str:
    """Fingerprint of what decides the pixels and labels of a title."""
    return fingerprint(
        {"format": FORMAT, "seed": plan.seed, "index": plan.index, "frames": plan.frames}
    )


def truth_of(plan: TitlePlan) -> Truth:
    """The labels of a planned title."""

    def times(first: ShotPlan, last: ShotPlan) -> dict[str, int]:
        return {
            "start_frame": first.start,
            "end_frame": last.end,
            "start_us": frame_time(plan, first.start),
            "end_us": frame_time(plan, last.end),
        }

    return Truth(
        media=f"{plan.slug}.{plan.entry.container}",
        settings=settings_of(plan),
        frames=plan.frames,
        fps=(plan.entry.fps.numerator, plan.entry.fps.denominator),
        duration_us=frame_time(plan, plan.frames),
        genres=plan.genres,
        has_audio=plan.entry.sound,
        subtitles=plan.entry.subtitles,
        boundaries=tuple(
            Boundary(
                shot.start,
                frame_time(plan, shot.start),
                shot.transition,
                shot.mix_start,
                max(shot.start, shot.mix_start + shot.mixed - 1),
            )
            for shot in plan.shots[1:]
        ),
        shots=tuple(
            TrueShot(
                **times(shot, shot),
                scene=shot.scene,
                size=shot.size,
                action=shot.action,
                characters=shot.people,
            )
            for shot in plan.shots
        ),
        scenes=tuple(
            TrueScene(
                **times(scene.shots[0], scene.shots[-1]),
                kind=scene.kind,
                tone=scene.tone,
                place=scene.place,
                night=scene.night,
                characters=tuple(sorted({p for shot in scene.shots for p in shot.people})),
            )
            for scene in plan.scenes
        ),
    )
