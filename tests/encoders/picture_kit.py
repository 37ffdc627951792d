"""Tiny checkpoints of picture encoders, and shots of noise to encode."""

from __future__ import annotations

import numpy as np
import tiny

from mediafm.encoders.hf.video import open_video
from mediafm.encoders.spec import parse_spec

MAKERS = {
    "clip": tiny.make_clip,
    "clip_vision": tiny.make_clip_vision,
    "siglip": tiny.make_siglip,
    "siglip_vision": tiny.make_siglip_vision,
    "siglip2": tiny.make_siglip2,
    "xclip": tiny.make_xclip,
    "videomae": tiny.make_videomae,
}
SEARCHABLE = ("clip", "siglip", "siglip2", "xclip")
# Height and width: usual ones, and those whose channels a library that guesses would guess wrong.
SIZES = [(36, 64), (64, 36), (32, 32), (7, 500), (3, 20), (1, 20), (20, 1), (1, 1), (480, 640)]


def opened(folder, options=""):
    """The encoder of a checkpoint, found but not loaded."""
    return open_video(parse_spec(f"hf:{folder}{options}"), "video")


def picture(seed):
    """Noise over a slope of two colours, so that neither pixels nor places are alike."""
    draw = np.random.default_rng(seed)
    height, width = SIZES[seed % len(SIZES)]
    slope = np.linspace(0, 1, width)[None, :, None] * draw.uniform(0, 255, 3)
    noise = draw.uniform(-60, 60, (height, width, 3))
    return (slope + noise).clip(0, 255).astype(np.uint8)


def shot(*seeds):
    """Several such pictures."""
    return [picture(seed) for seed in seeds]
