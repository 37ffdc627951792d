"""The encoder half of any Whisper checkpoint: ``--audio hf:openai/whisper-large-v3``."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from mediafm.encoders.base import Samples, Vectors, cache_folder
from mediafm.encoders.devices import Replicas
from mediafm.encoders.hf.audio import HFSound
from mediafm.encoders.hf.checkpoint import load_model, load_part
from mediafm.encoders.whisper import RATE, WINDOW_SECONDS, noise_place
from mediafm.errors import EncoderError
from mediafm.timeline import US


class WhisperStates:
    """Hidden states of the last encoder layer, minus what noise gives at the same place.

    Why so is said in :class:`mediafm.encoders.whisper.WhisperBase`.

    Args:
        source: What was found.
        devices: torch's names; calls from several threads share them.

    Raises:
        EncoderError: Files are missing or damaged, or its windows are not of 30 s.
    """

    def __init__(self, source: HFSound, devices: Sequence[str]):
        import transformers
        from transformers.models.whisper.modeling_whisper import WhisperEncoder

        checkpoint = source.checkpoint
        self.info = source.info
        self._extractor = load_part(
            transformers.WhisperFeatureExtractor, checkpoint, "the feature extractor"
        )
        # Noise is added by some to train; vectors must not be left to chance.
        self._extractor.dither = 0.0
        self.sample_rate = int(self._extractor.sampling_rate)
        self.window = int(self._extractor.chunk_length) * US
        models: Replicas[Any] = Replicas(
            lambda device: load_model(
                WhisperEncoder, checkpoint, source.dtype, key_mapping=_ENCODER_HALF
            ).to(device),
            devices,
        )
        self._turns = itertools.cycle(models.models)
        steps = int(models.models[0].config.max_source_positions)
        if (self.sample_rate, self.window, self._extractor.nb_max_frames) != (
            RATE,
            WINDOW_SECONDS * US,
            2 * steps,
        ):
            raise EncoderError(
                f"its windows are not of {WINDOW_SECONDS} s at {RATE} Hz, as Whisper's are",
                where=checkpoint.folder,
                do="choose a checkpoint of Whisper's own shape",
            )
        self.step = self.window // steps
        place = cache_folder("hf-whisper") / f"{self.info.fingerprint}.npy"
        self._place_FD = noise_place(place, self._states)

    def encode(self, samples_S: Samples) -> Vectors:
        """See :class:`~mediafm.encoders.base.SoundtrackEncoder`."""
        if not len(samples_S):
            return np.zeros((0, self.info.dim), dtype=np.float32)
        steps = -(-len(samples_S) * US // (self.sample_rate * self.step))
        states_FD = self._states(samples_S) - self._place_FD
        return states_FD[:steps]

    def _states(self, samples_S: Samples) -> Vectors:
        import torch

        inputs = self._extractor(samples_S, sampling_rate=self.sample_rate, return_tensors="pt")
        model = next(self._turns)
        x_1MF = inputs["input_features"].to(model.device, model.dtype)
        with torch.inference_mode():
            states_1FD = model(x_1MF).last_hidden_state
        states_FD: Vectors = states_1FD[0].float().cpu().numpy()
        return states_FD


# The decoder, which is the larger half, is neither read nor kept.
_ENCODER_HALF = {r"^(model\.)?encoder\.": ""}
