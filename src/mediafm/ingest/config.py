"""What a run of ingest is asked to do, and what it says afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from mediafm.catalog import EncoderRecord
from mediafm.encoders import EncoderChoice, EncoderInfo
from mediafm.errors import MediaError
from mediafm.ingest.stills import FrameConfig
from mediafm.media.chunks import ReadOptions
from mediafm.shots import ShotConfig, make_detector
from mediafm.timeline import US

Status = Literal["ingested", "updated", "unchanged", "moved", "busy", "failed"]


@dataclass(frozen=True)
class IngestConfig:
    """Everything that decides what ingest writes for a title.

    Args:
        encoders: Encoders by name; those of the catalog where nothing is said.
        shots: Detector and lengths of shots.
        frames: Frames of a shot that the picture encoder sees.
        languages: Preferred languages of streams and subtitles.
        transcribe: The recogniser that writes cues for titles without timed text
            (``whisper-base``); none by default.
        device: Where encoders run: ``auto``, ``cpu``, ``cuda``, ``cuda:0,cuda:1``.
        cache: Whether vectors that were computed before are used.
    """

    encoders: EncoderChoice = field(default_factory=EncoderChoice)
    shots: ShotConfig = field(default_factory=ShotConfig)
    frames: FrameConfig = field(default_factory=FrameConfig)
    languages: tuple[str, ...] = ()
    transcribe: str = ""
    device: str = "auto"
    cache: bool = True

    @property
    def settings(self) -> str:
        """What decides the shots and what of them encoders get, as JSON, kept with every title.

        A title with another one is decoded anew. Encoders are not part of it: a modality is encoded
        anew without finding the shots again.
        """
        detector = make_detector(self.shots.detector)
        return json.dumps(
            {
                "shots": asdict(self.shots),
                "detector": {**detector.settings, "threshold": str(detector.threshold)},
                "frames": asdict(self.frames),
                "languages": self.languages,
            },
            sort_keys=True,
        )

    def as_ingested(self, settings: str) -> IngestConfig:
        """This config with what decided how a title was read.

        Args:
            settings: The :attr:`settings` of then.
        """
        try:
            then = json.loads(settings)
            return replace(
                self,
                shots=ShotConfig(**then["shots"]),
                frames=FrameConfig(**then["frames"]),
                languages=tuple(then["languages"]),
            )
        except (ValueError, KeyError, TypeError):
            raise MediaError(
                "was ingested by another mediafm, whose settings are not known",
                do="ingest it again",
            ) from None


def encoder_records(infos: Mapping[str, EncoderInfo]) -> dict[str, EncoderRecord]:
    """Modality to the encoder as a catalog records it."""
    return {
        modality: EncoderRecord(modality, info.name, info.fingerprint, info.dim, info.settings)
        for modality, info in infos.items()
    }


def read_options(
    config: IngestConfig,
    *,
    size: int | None,
    rate: int | None,
    pictures: bool = True,
    sound: bool = True,
) -> ReadOptions:
    """What has to leave the pass over a title.

    Args:
        config: Lengths of shots and languages.
        size: Pixels that the picture encoder sees, ``None`` without one.
        rate: Samples per second that the sound encoder wants, ``None`` without one.
        pictures: Whether pictures are read.
        sound: Whether sound is read.
    """
    # A still at least once per shortest shot, so that none goes without a picture. One-frame
    # shots cannot all have one: every frame would be scaled for them.
    period = min(config.shots.min_length or US // 5, US // 5)
    usual = ReadOptions()
    return ReadOptions(
        still_period=period,
        still_size=max(usual.still_size, size or 0),
        sample_rate=rate or usual.sample_rate,
        languages=config.languages,
        pictures=pictures,
        sound=sound,
    )


@dataclass(frozen=True)
class Outcome:
    """What became of one media file.

    Args:
        path: The file.
        title_id: The title, empty where it is not known.
        status: What happened.
        shots: Shots of the title.
        duration: Microseconds of media.
        seconds: Time it took.
        reason: Why it failed, one line.
        notes: What the user should know.
    """

    path: str
    title_id: str
    status: Status
    shots: int = 0
    duration: int = 0
    seconds: float = 0.0
    reason: str = ""
    notes: tuple[str, ...] = ()


@dataclass
class IngestReport:
    """What became of all files of a run."""

    outcomes: list[Outcome] = field(default_factory=list)

    def count(self, status: Status) -> int:
        """Files with this outcome."""
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def worked(self) -> bool:
        """Whether anything was written."""
        return bool(self.count("ingested") or self.count("updated"))

    @property
    def failed(self) -> list[Outcome]:
        """The files that could not be ingested."""
        return [outcome for outcome in self.outcomes if outcome.status == "failed"]

    def summary(self) -> str:
        """One line: ``8 ingested, 2 unchanged, 1 failed``."""
        words: tuple[Status, ...] = (
            "ingested",
            "updated",
            "unchanged",
            "moved",
            "busy",
            "failed",
        )
        parts = [f"{self.count(word)} {word}" for word in words if self.count(word)]
        return ", ".join(parts) or "nothing to do"
