"""Sound encoders in the format of transformers: ``--audio hf:facebook/wav2vec2-base``.

wav2vec2, HuBERT and WavLM are in :mod:`mediafm.encoders.hf.speech`, CLAP in
:mod:`mediafm.encoders.hf.clap`, Whisper in :mod:`mediafm.encoders.hf.whisper`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mediafm.encoders.base import EncoderInfo, Samples, Vectors
from mediafm.encoders.hf.checkpoint import CONFIG, Checkpoint
from mediafm.encoders.hf.hub import open_checkpoint
from mediafm.encoders.spec import Spec
from mediafm.errors import EncoderError

FAMILIES = {
    "wav2vec2": "wav2vec2",
    "hubert": "HuBERT",
    "wavlm": "WavLM",
    "clap": "CLAP",
    "whisper": "Whisper",
}
"""``model_type`` to what people call it."""

SPEECH_SECONDS = 10
"""Longest window of wav2vec2 and its like; wav2vec 2.0 trained on crops of at most 15.6 s
(arXiv 2006.11477, section 4.2)."""

# transformers writes either; the second holds the first where a whole processor was saved.
_RECIPES = ("preprocessor_config.json", "processor_config.json")


def open_audio(spec: Spec, modality: str) -> HFSound:
    """Finds a sound encoder in a folder or on the hub; loads no weights.

    Args:
        spec: ``hf:NAME`` or ``hf:FOLDER``, option ``dtype`` (``float32``, ``bfloat16``,
            ``float16``).
        modality: What its vectors are called in the catalog.

    Raises:
        EncoderError: It is not there, of another family, or the option is wrong.
        MissingExtraError: transformers is not installed.
    """
    checkpoint, dtype = open_checkpoint(spec, families=FAMILIES, purpose="sound")
    dim, settings = _settings(checkpoint)
    settings |= {
        "weights": checkpoint.digest,
        "recipe": checkpoint.digest_of(CONFIG, *_RECIPES),
        "dtype": dtype,
    }
    info = EncoderInfo(modality, str(checkpoint.spec), dim, settings, identity="hf")
    return HFSound(info, checkpoint, dtype)


@dataclass
class HFSound:
    """A checkpoint that was found.

    Args:
        info: What decides the vectors.
        checkpoint: Where the weights are.
        dtype: Precision of the network.
    """

    info: EncoderInfo
    checkpoint: Checkpoint
    dtype: str

    @property
    def queries(self) -> bool:
        """Whether it has a text tower."""
        return self.checkpoint.model_type == "clap"

    def load(self, devices: Sequence[str]) -> Any:
        """See :class:`~mediafm.encoders.base.EncoderSource`."""
        # These import transformers and torch.
        from mediafm.encoders.hf.clap import Clap
        from mediafm.encoders.hf.speech import Speech
        from mediafm.encoders.hf.whisper import WhisperStates

        encoders: dict[str, Any] = {"clap": Clap, "whisper": WhisperStates}
        return encoders.get(self.checkpoint.model_type, Speech)(self, devices)


def _settings(checkpoint: Checkpoint) -> tuple[int, dict[str, str]]:
    """Width and settings by the checkpoint's files; transformers takes seconds to import."""
    config, recipe = checkpoint.config, _recipe(checkpoint)
    if checkpoint.model_type == "whisper":
        return int(config.get("d_model", 384)), {
            "rate": str(recipe.get("sampling_rate", 16_000)),
            "window": f"{recipe.get('chunk_length', 30)} s",
            "centred": "minus noise at the same place in the window",
        }
    if checkpoint.model_type == "clap":
        short = recipe.get("padding", "repeatpad")
        return int(config.get("projection_dim", 512)), {
            "rate": str(recipe.get("sampling_rate", 48_000)),
            "window": f"{recipe.get('max_length_s', 10)} s, short ones {short}",
            "pooling": "mean over windows",
        }
    width = (config.get("add_adapter") and config.get("output_hidden_size")) or None
    return int(width or config.get("hidden_size", 768)), {
        "rate": str(recipe.get("sampling_rate", 16_000)),
        "window": f"{SPEECH_SECONDS} s, whole frames",
        "normalised": "each window" if recipe.get("do_normalize", True) else "no",
        "pooling": "mean over frames, then over windows",
    }


def _recipe(checkpoint: Checkpoint) -> dict[str, Any]:
    """What the checkpoint says of the preparation of sound, wherever transformers looks for it."""
    recipe: Any = None
    for name in _RECIPES:
        path = checkpoint.folder / name
        try:
            held = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except (OSError, ValueError) as error:
            raise EncoderError(
                f"cannot be read ({error})", where=path, do="download the checkpoint again"
            ) from None
        if name == _RECIPES[1] and isinstance(held, dict):
            held = held.get("feature_extractor") or held.get("audio_processor")
        recipe = held or recipe
    if not isinstance(recipe, dict):
        raise EncoderError(
            f"has no {_RECIPES[0]}, which says how sound is prepared",
            where=checkpoint.folder,
            do="copy it from the original checkpoint",
        )
    return recipe


def cover(count: int, size: int) -> list[int]:
    """Where windows of one size begin that cover a longer stretch evenly, as few as suffice.

    Args:
        count: Samples of the stretch, more than ``size``.
        size: Samples of a window.

    Returns:
        Starts; the first window begins with the stretch, the last one ends with it.
    """
    last = -(-count // size) - 1
    return [i * (count - size) // last for i in range(last + 1)]


def pool_windows(
    clips: Sequence[Samples],
    cut: Callable[[Samples], list[Samples]],
    encode: Callable[[list[Samples]], Vectors],
    dim: int,
) -> Vectors:
    """Encodes the windows of all clips together and averages those of each clip.

    Args:
        clips: Sound of the shots.
        cut: Gives a clip's windows.
        encode: Windows to ``x_PD``.
        dim: Width of the vectors.

    Returns:
        ``x_ND``.
    """
    windows: list[Samples] = []
    parts = []
    for clip in clips:
        cut_clip = cut(clip)
        parts.append(slice(len(windows), len(windows) + len(cut_clip)))
        windows += cut_clip
    x_PD = encode(windows)
    rows = [x_PD[part].mean(0) for part in parts]
    return np.stack(rows) if rows else np.zeros((0, dim), dtype=np.float32)
