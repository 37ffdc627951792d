"""wav2vec2, HuBERT and WavLM: the mean of their frames over a shot."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mediafm.encoders.base import Samples, Vectors
from mediafm.encoders.batching import by_length, equal_lengths
from mediafm.encoders.devices import Replicas
from mediafm.encoders.hf.audio import SPEECH_SECONDS, HFSound, cover, pool_windows
from mediafm.encoders.hf.checkpoint import load_model, load_part

LEAST_SECONDS = 0.1
"""Four frames; about the shortest speech sounds. Less is one click for the first layers."""
BATCH_SECONDS = {"cpu": 10, "cuda": 80}
"""Seconds of sound in one batch, by device. The first layers hold 512 channels at a fifth of the
sampling rate, more than once, however many shots there are. Ten seconds fill a CPU; more only means
more padding there (``benchmarks/encoders.py``)."""


@dataclass(frozen=True)
class Grid:
    """The lengths at which a stack of convolutions gives one frame more.

    Args:
        field: Samples that the first frame sees (400 in the published checkpoints).
        step: Samples from one frame to the next (320).
    """

    field: int
    step: int

    @classmethod
    def of(cls, kernels: Sequence[int], strides: Sequence[int]) -> Grid:
        """The grid of convolutions with these kernels and strides, in samples of the input."""
        field, step = 1, 1
        for kernel, stride in zip(kernels, strides, strict=True):
            field += (kernel - 1) * step
            step *= stride
        return cls(field, step)

    def frames(self, count: int) -> int:
        """Frames of so many samples."""
        return max((count - self.field) // self.step + 1, 0)

    def fit(self, count: int) -> int:
        """The samples that the frames of so many samples see; the field if they see none."""
        return self.field + max(self.frames(count) - 1, 0) * self.step


class Speech:
    """wav2vec2, HuBERT and WavLM: the mean of the last hidden state over a shot's frames.

    Windows are as long as whole frames need, at most 10 s: up to a step less (20 ms) of a shot's
    end goes unheard if it is shorter than that, nothing if it is longer. Sound that is shorter than
    one frame sees is followed by zeros, there being no other way; what asks for at least
    :attr:`least` never is.

    Args:
        source: What was found.
        devices: torch's names.

    Raises:
        EncoderError: Files are missing or damaged.
    """

    def __init__(self, source: HFSound, devices: Sequence[str]):
        import transformers

        classes = {
            "wav2vec2": transformers.Wav2Vec2Model,
            "hubert": transformers.HubertModel,
            "wavlm": transformers.WavLMModel,
        }
        checkpoint = source.checkpoint
        self.info = source.info
        self._extractor = load_part(
            transformers.Wav2Vec2FeatureExtractor, checkpoint, "the feature extractor"
        )
        cls = classes[checkpoint.model_type]
        self._replicas: Replicas[Any] = Replicas(
            lambda device: load_model(cls, checkpoint, source.dtype).to(device), devices
        )
        config = self._replicas.models[0].config
        self._kind = "cuda" if "cuda" in devices[0] else "cpu"
        self.sample_rate = int(self._extractor.sampling_rate)
        self._grid = Grid.of(config.conv_kernel, config.conv_stride)
        self._window = self._grid.fit(SPEECH_SECONDS * self.sample_rate)
        least = math.ceil(LEAST_SECONDS * self.sample_rate)
        self.least = max(self._grid.fit(least), self._grid.field)
        self._masked = self._padding_is_harmless(config)
        # WavLM hands torch a mask of either kind; this is for its authors to know.
        warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")

    def _padding_is_harmless(self, config: Any) -> bool:
        """Whether a mask hides all padding, so that clips of different length may go together.

        Group norm in the first layer runs over time, mask or no mask; batch norm before the
        positions makes something of the zeros; an adapter shortens the frames without a mask.
        """
        return bool(
            config.feat_extract_norm == "layer"
            and self._extractor.return_attention_mask
            and self._extractor.padding_side == "right"
            and not getattr(config, "conv_pos_batch_norm", False)
            and not getattr(config, "add_adapter", False)
        )

    def encode_clips(self, clips: Sequence[Samples]) -> Vectors:
        """See :class:`~mediafm.encoders.base.ClipEncoder`."""
        return pool_windows(clips, self._cut, self._encode, self.info.dim)

    def _cut(self, clip_S: Samples) -> list[Samples]:
        size = self._grid.fit(len(clip_S))
        if size > self._window:
            starts = cover(len(clip_S), self._window)
            return [clip_S[start : start + self._window] for start in starts]
        return [np.pad(clip_S[:size], (0, max(size - len(clip_S), 0)))]

    def _encode(self, windows: list[Samples]) -> Vectors:
        lengths = [len(window) for window in windows]
        budget = BATCH_SECONDS[self._kind] * self.sample_rate
        batches = (by_length if self._masked else equal_lengths)(lengths, budget)
        found = self._replicas.map(self._run, ([windows[i] for i in batch] for batch in batches))
        x_PD = np.zeros((len(windows), self.info.dim), dtype=np.float32)
        for batch, rows in zip(batches, found, strict=True):
            x_PD[batch] = rows
        return x_PD

    def _run(self, model: Any, windows: list[Samples]) -> Vectors:
        """Windows of one length, or with a mask of several, to the means of their frames."""
        import torch

        inputs = self._extractor(
            windows,
            sampling_rate=self.sample_rate,
            padding=True,
            return_attention_mask=self._masked,
            return_tensors="pt",
        )
        x_BS = inputs["input_values"].to(model.device, model.dtype)
        mask_BS = inputs["attention_mask"].to(model.device) if self._masked else None
        with torch.inference_mode():
            states_BFD = model(x_BS, attention_mask=mask_BS).last_hidden_state.float()
            if self._masked:
                frames = [self._grid.frames(len(window)) for window in windows]
                pairs = zip(states_BFD, frames, strict=True)
                x_BD = torch.stack([states_FD[:n].mean(0) for states_FD, n in pairs])
            else:
                x_BD = states_BFD.mean(1)
        vectors: Vectors = x_BD.cpu().numpy()
        return vectors
