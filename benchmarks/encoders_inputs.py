"""What ``encoders.py`` encodes: shots of a film as ingest hands them over, cues of subtitles."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from mediafm.encoders import EncoderChoice, EncoderInfo, Encoders
from mediafm.encoders.base import Vectors
from mediafm.timeline import US, Shot

SPEECH_RATE, CLAP_RATE = 16_000, 48_000

Calls = list[list[Any]]
"""What one call of the encoder gets, call by call: pictures or samples of shots, or texts."""


class Recorder:
    """Stands where an encoder would and keeps what ingest hands it, call by call."""

    frames = None

    def __init__(self, rate: int = 0, least: float = 0.0):
        self.info = EncoderInfo("any", "recorder", 1)
        self.sample_rate, self.least = rate, math.ceil(least * rate)
        self.calls: Calls = []

    def encode(self, inputs: Sequence[Any]) -> Vectors:
        """Keeps them."""
        self.calls.append(list(inputs))
        return np.zeros((len(inputs), 1), np.float32)

    encode_clips = encode


def evenly(items: Sequence[Any], wanted: int) -> list[Any]:
    """As many items as wanted, spread evenly; all if fewer are there."""
    count = min(wanted, len(items))
    return [items[(2 * i + 1) * len(items) // (2 * count)] for i in range(count)]


def film_shots(film: Path) -> list[Shot]:
    """The shots that our ingest finds, without any encoder."""
    from mediafm import ingest
    from mediafm.catalog import Catalog
    from mediafm.ingest import IngestConfig

    with tempfile.TemporaryDirectory() as folder:
        config = IngestConfig(encoders=EncoderChoice("none", "none", "none"))
        report = ingest(film, Path(folder, "catalog"), config)
        assert not report.failed, report.failed
        catalog = Catalog.open(Path(folder, "catalog"))
        return catalog.shots(catalog.titles()[0].title_id)


def film_calls(film: Path, shots: list[Shot]) -> dict[str, Calls]:
    """Pictures and sound of shots, gathered by ingest's own tracks."""
    from mediafm.encoders.hf import clap, speech
    from mediafm.ingest.cache import NoCache
    from mediafm.ingest.pipeline import Tracks
    from mediafm.ingest.stills import FrameConfig
    from mediafm.media.chunks import AudioChunk, ReadOptions, VideoChunk
    from mediafm.media.reader import Reader

    recorders = {
        "pictures": Recorder(),
        "speech": Recorder(SPEECH_RATE, speech.LEAST_SECONDS),
        "sound": Recorder(CLAP_RATE, clap.LEAST_SECONDS),
    }
    nowhere = SimpleNamespace(add_features=lambda *_: None)
    for name, recorder in recorders.items():
        seen = name == "pictures"
        options = ReadOptions(
            pictures=seen, sound=not seen, sample_rate=recorder.sample_rate or SPEECH_RATE
        )
        encoders: Any = Encoders(video=recorder) if seen else Encoders(audio=recorder)
        tracks = Tracks(encoders, FrameConfig(), nowhere, NoCache())
        waiting = list(shots)
        with Reader(film, options) as reader:
            for chunk in reader:
                if isinstance(chunk, AudioChunk):
                    tracks.sound(chunk)
                elif isinstance(chunk, VideoChunk):
                    tracks.picture(chunk)
                while waiting and waiting[0].span.end <= reader.end - US:
                    tracks.close(waiting.pop(0))
            for shot in waiting:
                tracks.close(shot)
        tracks.finish()
    return {name: recorder.calls for name, recorder in recorders.items()}


def subtitle_calls(folder: Path, wanted: int) -> tuple[Calls, int, int]:
    """Distinct texts of the cues, a call per file.

    Returns:
        The calls, how many distinct texts there are, and in how many files.
    """
    from mediafm.media.subtitle_names import subtitle_name
    from mediafm.media.subtitles import read_cues

    texts: dict[str, Path] = {}
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".srt", ".vtt")):
        name = subtitle_name(path)
        if name.kind == "speech" and not name.other:
            for cue in read_cues(path).cues:
                texts.setdefault(cue.text, path)
    chosen = evenly(list(texts), wanted)
    files = dict.fromkeys(texts.values())
    calls = [[text for text in chosen if texts[text] == path] for path in files]
    return [call for call in calls if call], len(texts), len(files)
