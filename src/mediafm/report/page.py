"""The picture of one title as a page: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import statistics
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from mediafm.report.material import Material, picture
from mediafm.report.similarity import (
    Vectors,
    colour_limits,
    cosines,
    most_similar,
    pool,
)
from mediafm.suggest.scenes import novelty
from mediafm.timeline import US

_PICTURES = 6_000_000  # bytes of JPEG: a third more in base64, so a page stays under 10 MB
_SIZES = ((180, 78), (144, 72), (108, 66), (84, 60), (64, 55), (48, 50))  # height, quality
_SIMILAR = 5
_SAMPLE = 24


def page(material: Material) -> str:
    """Makes the page of a title.

    Args:
        material: The title.

    Returns:
        HTML with styles, script, pictures and numbers inside; it makes no request.
    """
    assets = resources.files("mediafm.report") / "assets"

    def read(name: str) -> str:
        return (assets / name).read_text(encoding="utf-8")

    # "<" cannot end the element, nor open a comment in it, when it is written as an escape.
    data = json.dumps(payload(material), ensure_ascii=False, separators=(",", ":"))
    parts = {
        "title": html.escape(material.name),
        "style": read("page.css"),
        "script": read("page.js"),
        "data": data.replace("<", "\\u003c"),
    }
    # One pass: a title that looks like a placeholder is not filled in.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], read("page.html"))


def payload(material: Material) -> dict[str, Any]:
    """What the script reads; times in seconds."""
    from mediafm.report.style import modality_colour

    facts = list(material.facts)
    if material.version is not None:
        facts.append(f"version {material.version.name}")
    if material.made_by:
        facts.append(material.made_by)
    found = {"raw": material.raw_NF, "contextual": material.contextual_NH}
    _, edges = pool(np.zeros((len(material), 1), np.float32))
    pictures = shrink(material.keyframes)
    return {
        "facts": facts,
        "version": material.version.name if material.version else None,
        "recipe": material.recipe,
        "missing": list(material.missing),
        "start": material.start / US,
        "end": material.end / US,
        "shots": np.round(material.times_N2 / US, 3).tolist(),
        "cues": [
            [cue.span.start / US, cue.span.end / US, " ".join(cue.text.split()), cue.kind]
            for cue in material.cues
        ],
        "modalities": [
            {
                "name": modality,
                "colour": modality_colour(modality, place),
                "present": "".join("01"[int(there)] for there in present_N),
            }
            for place, (modality, present_N) in enumerate(material.present.items())
        ],
        "frames": [_base64(jpeg) if jpeg else None for jpeg in pictures],
        "shape": _shape(material.keyframes),
        "cells": len(edges) - 1,
        "perCell": int(edges[1] - edges[0]),
        "colours": _colours(),
        "squares": {name: _square(x_ND) for name, x_ND in found.items() if x_ND is not None},
    }


def _square(x_ND: Vectors) -> dict[str, Any]:
    s_CC = cosines(pool(x_ND)[0])
    away = s_CC[~np.eye(len(s_CC), dtype=bool)]
    least, most = (float(away.min()), float(away.max())) if len(away) else (0.0, 1.0)
    most = max(most, least + 0.02)
    low, high = colour_limits(s_CC)
    scaled_CC = np.clip((s_CC - least) / (most - least), 0, 1) * 255
    index_NK, cosine_NK = most_similar(x_ND, _SIMILAR)
    return {
        "values": _base64(np.round(scaled_CC).astype(np.uint8).tobytes()),
        "least": least,
        "most": most,
        "low": low,
        "high": high,
        "novelty": np.round(novelty(x_ND)[1:], 4).tolist(),
        "similar": [
            [[int(shot), round(float(value), 3)] for shot, value in zip(*row, strict=True)]
            for row in zip(index_NK, cosine_NK, strict=True)
        ],
    }


def shrink(keyframes: list[bytes | None], limit: int = _PICTURES) -> list[bytes | None]:
    """Makes keyframes smaller until all of them together fit; at last leaves some out.

    Args:
        keyframes: JPEG files.
        limit: Bytes that they may take together.

    Returns:
        JPEG files; ``None`` where there was none, a damaged one, or no room.
    """
    held = [i for i, jpeg in enumerate(keyframes) if jpeg is not None]
    if sum(len(jpeg) for jpeg in keyframes if jpeg) <= limit:
        return list(keyframes)
    sample = held[:: max(1, len(held) // _SAMPLE)]
    height, quality = _SIZES[-1]
    each = 1
    for height, quality in _SIZES:
        sizes = [len(_encode(keyframes[i], height, quality) or b"") for i in sample]
        each = max(1, round(statistics.mean(sizes)))
        if each * len(held) * 1.1 <= limit:  # a tenth more, as the sample may be kind
            break
    room = max(1, int(limit / (each * 1.1)))
    kept = held[:: max(1, -(-len(held) // room))]
    found: list[bytes | None] = [None] * len(keyframes)
    for i in kept:
        found[i] = _encode(keyframes[i], height, quality)
    return found


def _encode(jpeg: bytes | None, height: int, quality: int) -> bytes | None:
    image = picture(jpeg, height)
    if image is None:
        return None
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _shape(keyframes: list[bytes | None]) -> float:
    """Width over height of the first sound keyframe."""
    for jpeg in [jpeg for jpeg in keyframes if jpeg is not None][:8]:
        if (image := picture(jpeg, 180)) is not None:
            return round(image.width / image.height, 4)
    return round(16 / 9, 4)


def _colours() -> str:
    """The colours of the PNG as 256 RGB triples."""
    from matplotlib import colormaps

    from mediafm.report.style import COLOURS

    rgb: npt.NDArray[np.uint8] = colormaps[COLOURS](np.arange(256), bytes=True)[:, :3]
    return _base64(np.ascontiguousarray(rgb).tobytes())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
