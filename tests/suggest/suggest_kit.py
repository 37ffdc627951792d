"""Pictures for the tests of suggestions."""

import io

import numpy as np
from PIL import Image, ImageFilter


def jpeg(seed: int, blur: float = 0.0, dark: bool = False) -> bytes:
    """A picture with edges, as sharp as one likes."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 255, (12, 20)).repeat(10, 0).repeat(10, 1).astype(np.uint8)
    image = Image.fromarray(x // 30 if dark else x).filter(ImageFilter.GaussianBlur(blur))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
