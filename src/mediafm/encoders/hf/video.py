"""Picture encoders in the format of transformers: ``--video hf:openai/clip-vit-large-patch14``.

CLIP, SigLIP and SigLIP 2 see one picture at a time, X-CLIP and VideoMAE those of a shot together;
the networks run in :mod:`mediafm.encoders.hf.pictures`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mediafm.encoders.base import EncoderInfo
from mediafm.encoders.hf.checkpoint import CONFIG, Checkpoint
from mediafm.encoders.hf.hub import open_checkpoint
from mediafm.encoders.spec import Spec
from mediafm.errors import EncoderError


@dataclass(frozen=True)
class Family:
    """A kind of checkpoint.

    Args:
        words: What people call it.
        network: Its class in transformers.
        queries: Whether it has a text tower, so that a sentence can be looked for.
        together: Whether it sees the pictures of a shot together.
        projected: Whether vectors leave through a projection, whose width the configuration has on
            top; otherwise they are as wide as the image tower.
        pooling: How a shot's vector comes about, for the fingerprint.
    """

    words: str
    network: str
    queries: bool = False
    together: bool = False
    projected: bool = False
    pooling: str = "unit vectors of pictures, mean"


FAMILIES = {
    "clip": Family("CLIP", "CLIPModel", queries=True, projected=True),
    "clip_vision_model": Family("CLIP", "CLIPVisionModelWithProjection", projected=True),
    "siglip": Family("SigLIP", "SiglipModel", queries=True),
    "siglip_vision_model": Family("SigLIP", "SiglipVisionModel"),
    "siglip2": Family("SigLIP 2", "Siglip2Model", queries=True),
    "siglip2_vision_model": Family("SigLIP 2", "Siglip2VisionModel"),
    "xclip": Family(
        "X-CLIP", "XCLIPModel", queries=True, together=True, projected=True, pooling="of the video"
    ),
    "videomae": Family(
        "VideoMAE", "VideoMAEModel", together=True, pooling="last hidden states, mean over patches"
    ),
}
"""``model_type`` to what there is to know of it."""

# transformers writes either; the second holds the first where a whole processor was saved.
_RECIPES = ("preprocessor_config.json", "processor_config.json")


def open_video(spec: Spec, modality: str) -> HFVideo:
    """Finds a picture encoder in a folder or on the hub; loads no weights.

    Args:
        spec: ``hf:NAME`` or ``hf:FOLDER``, option ``dtype`` (``float32``, ``bfloat16``,
            ``float16``).
        modality: What its vectors are called in the catalog.

    Raises:
        EncoderError: It is not there, of another family, or the option is wrong.
        MissingExtraError: transformers is not installed.
    """
    words = {kind: family.words for kind, family in FAMILIES.items()}
    checkpoint, dtype = open_checkpoint(spec, families=words, purpose="pictures")
    family = FAMILIES[checkpoint.model_type]
    if not any((checkpoint.folder / name).is_file() for name in _RECIPES):
        raise EncoderError(
            f"does not say how pictures are prepared for it (it has no {_RECIPES[0]})",
            where=checkpoint.folder,
            do="download the checkpoint again",
        )
    vision = _vision(checkpoint)
    if not vision.get("vision_use_head", True):
        raise EncoderError(
            "gives no vector of a picture (vision_use_head is off)",
            where=checkpoint.folder,
            do="choose a checkpoint with its pooling head",
        )
    config = checkpoint.config
    dim = config.get("projection_dim", 512) if family.projected else vision.get("hidden_size", 768)
    frames = _frames(checkpoint)
    settings = {
        "weights": checkpoint.digest,
        "recipe": checkpoint.digest_of(CONFIG, *_RECIPES),
        "dtype": dtype,
        "frames": "any" if frames is None else str(frames),
        "pooling": family.pooling,
    }
    info = EncoderInfo(modality, str(checkpoint.spec), int(dim), settings, identity="hf")
    return HFVideo(info, checkpoint, dtype, frames)


@dataclass
class HFVideo:
    """A checkpoint that was found.

    Args:
        info: What decides the vectors.
        checkpoint: Where the weights are.
        dtype: Precision of the network.
        frames: Pictures that it wants of a shot; ``None`` takes any number.
    """

    info: EncoderInfo
    checkpoint: Checkpoint
    dtype: str
    frames: int | None

    @property
    def queries(self) -> bool:
        """Whether it has a text tower."""
        return self.family.queries

    @property
    def family(self) -> Family:
        """What kind of checkpoint it is."""
        return FAMILIES[self.checkpoint.model_type]

    def load(self, devices: Sequence[str]) -> Any:
        """See :class:`~mediafm.encoders.base.EncoderSource`."""
        # Imports transformers and torch.
        from mediafm.encoders.hf import pictures

        kinds: dict[tuple[bool, bool], type[pictures.Pictures]] = {
            (False, False): pictures.FrameByFrame,
            (False, True): pictures.SearchableFrames,
            (True, False): pictures.ShotAtOnce,
            (True, True): pictures.SearchableShots,
        }
        return kinds[self.family.together, self.family.queries](self, devices)


def _vision(checkpoint: Checkpoint) -> dict[str, Any]:
    """The part of the configuration about the image tower."""
    return checkpoint.config.get("vision_config") or checkpoint.config


def _frames(checkpoint: Checkpoint) -> int | None:
    # What a configuration leaves out is transformers' default.
    usual = {"xclip": 8, "videomae": 16}.get(checkpoint.model_type)
    return None if usual is None else int(_vision(checkpoint).get("num_frames", usual))
