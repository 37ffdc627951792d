"""Networks of transformers that see pictures: one at a time, or those of a shot together.

P pictures, N shots, T pictures of a shot, C channels, H height, W width, D width of vectors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers
from PIL import Image

from mediafm.encoders.base import Picture, Vectors, threads
from mediafm.encoders.devices import Replicas, torch_dtype
from mediafm.encoders.hf.checkpoint import load_model, load_part, load_tokenizer

if TYPE_CHECKING:
    from mediafm.encoders.hf.video import HFVideo

BATCH = 32
"""Pictures that go through a network together, of however many shots."""
_PIECE = 4
"""Pictures that one thread prepares at a time."""

Prepared = dict[str, torch.Tensor]


class Pictures:
    """What all of them share: the network on its devices and the preparation of pictures.

    Pictures are prepared as the checkpoint says, by its own image processor: most scale to the
    shorter side and cut out the middle, so that the edges of a wide film go unseen.

    Args:
        source: What was found.
        devices: torch's names.

    Raises:
        EncoderError: Files are missing or damaged.
    """

    def __init__(self, source: HFVideo, devices: Sequence[str]):
        checkpoint = source.checkpoint
        self.info, self.frames = source.info, source.frames
        self.checkpoint = checkpoint
        self._dtype = torch_dtype(source.dtype)
        # torchvision, the other backend, is one more thing to install and scales differently.
        self._processor = load_part(
            transformers.AutoImageProcessor, checkpoint, "the image processor", backend="pil"
        )
        cls = getattr(transformers, source.family.network)
        self._replicas: Replicas[Any] = Replicas(
            lambda device: load_model(cls, checkpoint, source.dtype).to(device), devices
        )
        config = self._replicas.models[0].config
        self.size = self._side(getattr(config, "vision_config", config))
        self._pool = ThreadPoolExecutor(threads(), thread_name_prefix="pictures")

    def _side(self, vision: Any) -> int:
        # NaFlex has no fixed square, only a number of patches.
        most = getattr(self._processor, "max_num_patches", None)
        return int(math.isqrt(most) * vision.patch_size if most else vision.image_size)

    def _prepare(self, pictures: Sequence[Picture]) -> dict[str, Any]:
        # Arrays with an edge of one or three pixels would be guessed to be channels first.
        images = [Image.fromarray(np.ascontiguousarray(picture)) for picture in pictures]
        prepared = self._processor(images, return_tensors="np")
        if prepared["pixel_values"].ndim == 5:  # VideoMAE's takes a list for one video
            prepared["pixel_values"] = prepared["pixel_values"][0]
        return dict(prepared)

    def _inputs(self, pictures: Sequence[Picture], device: Any) -> Prepared:
        pieces = [pictures[i : i + _PIECE] for i in range(0, len(pictures), _PIECE)]
        parts = list(self._pool.map(self._prepare, pieces))
        inputs = {
            name: torch.from_numpy(np.concatenate([part[name] for part in parts])).to(device)
            for name in parts[0]
        }
        inputs["pixel_values"] = inputs["pixel_values"].to(self._dtype)
        return inputs


class FrameByFrame(Pictures):
    """The mean over a shot of the unit vectors of its pictures, as SeqCLIP does.

    Unit first, since these networks were trained on cosines: the length of a picture's vector says
    nothing about what it shows, and must not decide how much the picture counts (CLIP4Clip, arXiv
    2104.08860, section 3.3, pools likewise). The mean keeps its length, which says how much the
    pictures agree.
    """

    def encode(self, shots: Sequence[Sequence[Picture]]) -> Vectors:
        """See :class:`~mediafm.encoders.base.VideoEncoder`."""
        pictures = [picture for shot in shots for picture in shot]
        batches = [pictures[i : i + BATCH] for i in range(0, len(pictures), BATCH)]
        parts = [np.zeros((0, self.info.dim), np.float32), *self._replicas.map(self._see, batches)]
        x_PD = np.concatenate(parts)
        ends = np.cumsum([len(shot) for shot in shots], dtype=int)
        means = [x_PD[end - len(s) : end].mean(0) for s, end in zip(shots, ends, strict=True)]
        return np.stack(means) if means else x_PD

    def _see(self, model: Any, pictures: Sequence[Picture]) -> Vectors:
        with torch.inference_mode():
            inputs = self._inputs(pictures, model.device)
            if hasattr(model, "get_image_features"):
                x_PD = model.get_image_features(**inputs).pooler_output
            else:
                output = model(**inputs)
                # CLIP's image tower names the projected vectors so; SigLIP has no projection.
                projected = getattr(output, "image_embeds", None)
                x_PD = output.pooler_output if projected is None else projected
            return _unit(x_PD)


class ShotAtOnce(Pictures):
    """The vector of a video network, which sees a fixed number of pictures of a shot.

    X-CLIP pools by itself; VideoMAE gives its last hidden states, whose mean over patches it is.
    """

    frames: int

    def encode(self, shots: Sequence[Sequence[Picture]]) -> Vectors:
        """See :class:`~mediafm.encoders.base.VideoEncoder`."""
        size = max(BATCH // self.frames, 1)
        batches = [shots[i : i + size] for i in range(0, len(shots), size)]
        parts = [np.zeros((0, self.info.dim), np.float32), *self._replicas.map(self._see, batches)]
        return np.concatenate(parts)

    def _see(self, model: Any, shots: Sequence[Sequence[Picture]]) -> Vectors:
        chosen = [shot[i] for shot in shots for i in spread(len(shot), self.frames)]
        with torch.inference_mode():
            x_PCHW = self._inputs(chosen, model.device)["pixel_values"]
            x_NTCHW = x_PCHW.reshape(len(shots), self.frames, *x_PCHW.shape[1:])
            if hasattr(model, "get_video_features"):
                x_ND = model.get_video_features(pixel_values=x_NTCHW).pooler_output
            else:
                x_ND = model(pixel_values=x_NTCHW).last_hidden_state.float().mean(1)
            vectors: Vectors = x_ND.float().cpu().numpy()
            return vectors


def spread(given: int, wanted: int) -> list[int]:
    """Places of pictures spread evenly: some twice or more where fewer are given than wanted."""
    return [(2 * i + 1) * given // (2 * wanted) for i in range(wanted)]


def _unit(x_ND: torch.Tensor) -> Vectors:
    vectors: Vectors = torch.nn.functional.normalize(x_ND.float(), dim=-1).cpu().numpy()
    return vectors


class _Queries(Pictures):
    """The text tower of the same checkpoint.

    X-CLIP would adapt each sentence to each video, which a search cannot do; it goes without.
    """

    _tokenizer: Any = None

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """See :class:`~mediafm.encoders.base.QueryEncoder`; longer sentences are cut."""
        if self._tokenizer is None:  # ingest never needs it
            self._tokenizer = load_tokenizer(self.checkpoint)
        batches = [list(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)]
        parts = [np.zeros((0, self.info.dim), np.float32), *self._replicas.map(self._read, batches)]
        return np.concatenate(parts)

    def _read(self, model: Any, texts: list[str]) -> Vectors:
        config = model.config.text_config
        # SigLIP learned from small letters only, padded to full length without a mask; not all of
        # its tokenizers see to that themselves.
        full = self.checkpoint.model_type.startswith("siglip")
        tokens = self._tokenizer(
            [text.lower() for text in texts] if full else texts,
            padding="max_length" if full else True,
            max_length=config.max_position_embeddings,
            truncation=True,
            return_tensors="pt",
        )
        names = ("input_ids",) if full else ("input_ids", "attention_mask")
        with torch.inference_mode():
            inputs = {name: tokens[name].to(model.device) for name in names}
            return _unit(model.get_text_features(**inputs).pooler_output)


class SearchableFrames(_Queries, FrameByFrame):
    """Picture by picture, and sentences to look for."""


class SearchableShots(_Queries, ShotAtOnce):
    """Shot by shot, and sentences to look for."""
