"""Pictures, and somebody who answers, for the tests of suggestions."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from mediafm.suggest.feedback import Row, record, task_of
from mediafm.timeline import US, Clip, Span


def jpeg(seed: int, blur: float = 0.0, dark: bool = False) -> bytes:
    """A picture with edges, as sharp as one likes."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 255, (12, 20)).repeat(10, 0).repeat(10, 1).astype(np.uint8)
    image = Image.fromarray(x // 30 if dark else x).filter(ImageFilter.GaussianBlur(blur))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def answer_often(folder: str, name: str) -> None:
    """Twelve answers, one after the other: run in a process of its own."""
    task = task_of("clips", Path(folder))
    for second in range(12):
        clip = Clip(name, Span(second * US, (second + 1) * US))
        record(task, [Row(clip, "1", "accepted")])
