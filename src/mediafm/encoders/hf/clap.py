"""CLAP: sound and sentences among the same vectors."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mediafm.encoders.base import Samples, Vectors
from mediafm.encoders.devices import Replicas
from mediafm.encoders.hf.audio import HFSound, cover, pool_windows
from mediafm.encoders.hf.checkpoint import load_model, load_part, load_tokenizer

LEAST_SECONDS = 0.5
"""CLAP repeats short sounds up to 10 s; what is shorter would become a rattle of its own."""
BATCH = 16
"""Windows in one batch, each of 4096 patches in the first layers: 0.6 GB beside the weights
(``benchmarks/results/encoders.txt``)."""
QUERY_BATCH = 32


class Clap:
    """CLAP: the embedding that a sentence about the sound would have; longer shots by windows.

    Args:
        source: What was found.
        devices: torch's names.

    Raises:
        EncoderError: Files are missing or damaged.
    """

    def __init__(self, source: HFSound, devices: Sequence[str]):
        import transformers

        self._checkpoint = source.checkpoint
        self.info = source.info
        self._extractor = load_part(
            transformers.ClapFeatureExtractor, source.checkpoint, "the feature extractor"
        )
        self._replicas: Replicas[Any] = Replicas(
            lambda device: load_model(transformers.ClapModel, source.checkpoint, source.dtype).to(
                device
            ),
            devices,
        )
        self.sample_rate = int(self._extractor.sampling_rate)
        self._window = int(self._extractor.nb_max_samples)
        self.least = math.ceil(LEAST_SECONDS * self.sample_rate)

    def encode_clips(self, clips: Sequence[Samples]) -> Vectors:
        """See :class:`~mediafm.encoders.base.ClipEncoder`."""
        return pool_windows(clips, self._cut, self._encode, self.info.dim)

    def _cut(self, clip_S: Samples) -> list[Samples]:
        if len(clip_S) <= self._window:
            # Nothing cannot be repeated.
            return [clip_S if len(clip_S) else np.zeros(1, dtype=np.float32)]
        # Longer input would be cropped at random.
        starts = cover(len(clip_S), self._window)
        return [clip_S[start : start + self._window] for start in starts]

    def _encode(self, windows: list[Samples]) -> Vectors:
        found = self._replicas.map(self._run, _chunks(windows, BATCH))
        return np.concatenate([np.zeros((0, self.info.dim), dtype=np.float32), *found])

    def _run(self, model: Any, windows: list[Samples]) -> Vectors:
        import torch

        # One by one: of several short sounds the feature extractor of a fusion checkpoint would
        # call one "longer", drawn by chance; a single one always is.
        inputs = [
            self._extractor([window], sampling_rate=self.sample_rate, return_tensors="pt")
            for window in windows
        ]
        x_BCFM = torch.cat([one["input_features"] for one in inputs])
        longer_B1 = torch.cat([one["is_longer"] for one in inputs])
        with torch.inference_mode():
            output = model.get_audio_features(
                input_features=x_BCFM.to(model.device, model.dtype),
                is_longer=longer_B1.to(model.device),
            )
        vectors: Vectors = output.pooler_output.float().cpu().numpy()
        return vectors

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """See :class:`~mediafm.encoders.base.QueryEncoder`."""
        found = self._replicas.map(self._run_texts, _chunks(list(texts), QUERY_BATCH))
        return np.concatenate([np.zeros((0, self.info.dim), dtype=np.float32), *found])

    @functools.cached_property
    def _tokenizer(self) -> Any:
        return load_tokenizer(self._checkpoint)  # only when it is needed: sound goes without

    def _run_texts(self, model: Any, texts: list[str]) -> Vectors:
        import torch

        text = model.config.text_config
        # RoBERTa counts positions from behind the number of its padding token.
        most = text.max_position_embeddings - text.pad_token_id - 1
        tokens = self._tokenizer(
            texts, padding=True, truncation=True, max_length=most, return_tensors="pt"
        )
        with torch.inference_mode():
            output = model.get_text_features(
                input_ids=tokens["input_ids"].to(model.device),
                attention_mask=tokens["attention_mask"].to(model.device),
            )
        vectors: Vectors = output.pooler_output.float().cpu().numpy()
        return vectors


def _chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
