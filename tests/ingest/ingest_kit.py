"""Encoders that take no time, and what a catalog holds in a form that can be compared."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from mediafm.catalog import Catalog
from mediafm.encoders import AUDIO, TEXT, VIDEO, EncoderChoice, EncoderInfo, Estimate
from mediafm.encoders.base import per_shot
from mediafm.errors import EncoderError
from mediafm.ingest import IngestConfig, ingest
from mediafm.shots import ShotConfig
from mediafm.timeline import US

SRT = "1\n00:00:00,100 --> 00:00:00,700\n{}\n"
"""A subtitle of one cue, without its text."""


class FakeVideo:
    """The mean colour of a picture, and its shape."""

    info = EncoderInfo("video", "fake-video", 5, {"weights": "v"})
    size = 8
    frames = None

    def encode(self, shots):
        return per_shot(self.encode_pictures, shots, 5)

    def encode_pictures(self, pictures):
        rows = [[*p.mean((0, 1)) / 255, p.shape[0] / 100, p.shape[1] / 100] for p in pictures]
        return np.array(rows, dtype=np.float32).reshape(-1, 5)


class FakeAudio:
    """Loudness and sum of the samples of each step."""

    info = EncoderInfo("audio", "fake-audio", 2, {"weights": "a"})
    sample_rate, window, step = 16_000, 2 * US, 20_000

    def __init__(self):
        self.calls = []

    def encode(self, samples_S):
        self.calls.append(len(samples_S))
        size = self.sample_rate * self.step // US
        parts = np.split(samples_S, range(size, len(samples_S), size))
        return np.array([[np.abs(p).max(), p.sum()] for p in parts], dtype=np.float32)


class FakeText:
    """Three numbers of a digest."""

    info = EncoderInfo("text", "fake-text", 3, {"weights": "t"})

    def encode(self, texts):
        rows = [list(hashlib.sha256(text.encode()).digest()[:3]) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(-1, 3) / 256


class OtherText(FakeText):
    info = EncoderInfo("text", "other-text", 4, {"weights": "o"})

    def encode(self, texts):
        return np.pad(super().encode(texts), ((0, 0), (0, 1)), constant_values=0.5)


class OtherVideo(FakeVideo):
    info = EncoderInfo("video", "other-video", 5, {"weights": "w"})


class OtherClips:
    """Loudness and length of a shot's sound."""

    info = EncoderInfo("audio", "clips", 2, {"weights": "c"})
    sample_rate, least = 8000, 400

    def encode_clips(self, clips):
        return np.array([[np.abs(clip).max(), len(clip) / 1000] for clip in clips])


class Paid(FakeText):
    """A service; it remembers what it was paid for."""

    info = EncoderInfo("text", "paid", 3, {"weights": "p"})
    seen: list = []  # noqa: RUF012
    fail_at = None

    def estimate(self, texts):
        return Estimate(len(texts), sum(map(len, texts)), False, 0.5 * len(texts))

    def encode_batches(self, texts):
        for place, text in enumerate(texts):
            if len(self.seen) == self.fail_at:
                raise EncoderError("the service is gone")
            self.seen.append(text)
            yield [place], self.encode([text])


class Lengths:
    """A further modality: how long a shot is."""

    info = EncoderInfo("length", "length", 2, {"weights": "l"})

    def encode_shots(self, title):
        x_ND = np.array([[s.span.duration / 1e6, len(title.cues)] for s in title.shots])
        assert len(title.keyframes()) == len(title.shots)
        return x_ND, np.array([s.index != 1 for s in title.shots])

    def sources(self, title_id):
        return ""


def register():
    """Makes the fakes known by name; the tests undo it with monkeypatch, processes need not."""
    VIDEO["fake"], AUDIO["fake"], TEXT["fake"] = (
        f"ingest_kit:{name}" for name in ("FakeVideo", "FakeAudio", "FakeText")
    )
    TEXT["other"] = "ingest_kit:OtherText"


FAST = IngestConfig(
    encoders=EncoderChoice("fake", "fake", "fake"),
    shots=ShotConfig(detector="content"),
    cache=False,
)


def of(**encoders) -> IngestConfig:
    """The fast settings with these encoders only."""
    return replace(FAST, encoders=EncoderChoice(**encoders))


def content(uri) -> dict:
    """Everything a user can read from a catalog, without ids and times of writing."""
    catalog, found = Catalog.open(uri), {}
    for title in catalog.titles():
        key = title.title_id
        record = {
            name: getattr(title, name)
            for name in type(title).__dataclass_fields__
            if name not in ("ingest_id", "committed_at")
        }
        vectors = {}
        for modality in catalog.encoders():
            x_ND, present_N = catalog.features(key, modality)
            vectors[modality] = (x_ND.tolist(), present_N.tolist())
        [features] = catalog.title_features([key])
        vectors["metadata"] = {name: v.tolist() for name, v in features.metadata.items()}
        found[key] = (
            record, catalog.shots(key), catalog.cues(key), catalog.keyframes(key), vectors
        )  # fmt: skip
    return found


def undisturbed(tmp_path, films, config) -> dict:
    """What a catalog holds that was made with these settings from the start."""
    ingest(films, tmp_path / "undisturbed", config)
    return content(tmp_path / "undisturbed")
