"""What the places are painted with: gradients, textured noise, glows, perspective floors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

WIDE, HIGH = 1280, 720
"""Size of a backdrop in pixels; cameras see parts of it."""

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Light:
    """A lamp of a place, brightened and dimmed while the camera runs.

    Args:
        x: Across the backdrop, in backdrop pixels.
        y: Down the backdrop.
        radius: Reach of the glow, in backdrop pixels.
        colour: What it adds at full strength.
        rate: Cycles per second; 0 for a steady lamp that only trembles.
    """

    x: float
    y: float
    radius: float
    colour: RGB
    rate: float = 0.0


@dataclass
class Plate:
    """One side of a place.

    Args:
        back: The backdrop, ``WIDE`` x ``HIGH``, RGB.
        front: What stands between camera and characters, same size, RGBA.
        lights: Lamps that flicker.
        tint: What the light of the place does to the people in it (factors of R, G, B).
        glints: Region of glittering water (x0, y0, x1, y1).
    """

    back: Image.Image
    front: Image.Image | None = None
    lights: list[Light] = field(default_factory=list)
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    glints: tuple[float, float, float, float] | None = None


def mix(a: RGB, b: RGB, share: float) -> RGB:
    """Blends two colours; ``share`` 0 gives the first, 1 the second."""
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


def shade(colour: RGB, factor: float) -> RGB:
    """Darkens (below 1) or brightens a colour."""
    r, g, b = (max(0, min(255, round(part * factor))) for part in colour)
    return (r, g, b)


def smooth_noise(
    rng: np.random.Generator, width: int, height: int, cell: float
) -> NDArray[np.float32]:
    """Noise without edges, -1 to 1.

    Args:
        rng: Source of randomness.
        width: Pixels across.
        height: Pixels down.
        cell: Size of a blob in pixels.

    Returns:
        Array of shape [height, width].
    """
    small = rng.uniform(
        -1, 1, (max(2, round(height / cell) + 1), max(2, round(width / cell) + 1))
    ).astype(np.float32)
    image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.float32)


class Canvas:
    """A backdrop that is being painted.

    Args:
        rng: Source of every accident of the drawing.
        stops: Vertical gradient to start from: (height as a share, colour) pairs.
    """

    def __init__(self, rng: np.random.Generator, *stops: tuple[float, RGB]):
        self.rng = rng
        self.image = Image.new("RGB", (WIDE, HIGH))
        self.draw = ImageDraw.Draw(self.image)
        self.front = Image.new("RGBA", (WIDE, HIGH))
        self.near = ImageDraw.Draw(self.front)
        self.has_front = False
        self.lights: list[Light] = []
        if stops:
            self.gradient((0, 0, WIDE, HIGH), *stops)

    def gradient(
        self, box: tuple[int, int, int, int], *stops: tuple[float, RGB], across: bool = False
    ) -> None:
        """Fills a box with a gradient, downwards or ``across``."""
        x0, y0, x1, y1 = box
        length = (x1 - x0) if across else (y1 - y0)
        at = np.linspace(0, 1, length)
        where = [stop[0] for stop in stops]
        ramp = np.stack([np.interp(at, where, [s[1][i] for s in stops]) for i in range(3)], axis=-1)
        ramp = ramp[None] if across else ramp[:, None]
        pixels = np.broadcast_to(ramp, (y1 - y0, x1 - x0, 3)).astype(np.uint8)
        self.image.paste(Image.fromarray(np.ascontiguousarray(pixels)), (x0, y0))

    def grain(
        self,
        strength: float,
        *cells: float,
        box: tuple[int, int, int, int] = (0, 0, WIDE, HIGH),
        stretch: float = 1.0,
    ) -> None:
        """Multiplies a box by noise, so that no surface is flat.

        Args:
            strength: Largest relative change of brightness.
            *cells: Blob sizes in pixels, one layer of noise each.
            box: Where.
            stretch: How much longer blobs are across than down (wood, water).
        """
        x0, y0, x1, y1 = box
        total = np.zeros((y1 - y0, x1 - x0), np.float32)
        for cell in cells:
            squeezed = max(2, round((x1 - x0) / stretch))
            layer = smooth_noise(self.rng, squeezed, y1 - y0, cell)
            total += np.asarray(
                Image.fromarray(layer).resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR)
            )
        self._multiply(box, (1 + np.float32(strength / max(len(cells), 1)) * total)[..., None])

    def _multiply(self, box: tuple[int, int, int, int], factor: NDArray[np.float32]) -> None:
        part = np.asarray(self.image.crop(box), dtype=np.float32) * factor
        self.image.paste(Image.fromarray(part.clip(0, 255).astype(np.uint8)), box[:2])

    def dim(self, r: float, g: float, b: float) -> None:
        """Takes light away from all that is painted so far: dusk and night."""
        self._multiply((0, 0, WIDE, HIGH), np.array([r, g, b], np.float32))

    def haze(self, y0: int, y1: int, colour: RGB, most: float) -> None:
        """Lays mist over the rows from ``y0`` to ``y1``, thickest in the middle."""
        part = np.asarray(self.image.crop((0, y0, WIDE, y1)), dtype=np.float32)
        row = np.sin(np.linspace(0, np.pi, y1 - y0, dtype=np.float32))[:, None, None] * most
        row = row * (1 + 0.4 * smooth_noise(self.rng, WIDE, y1 - y0, 170)[..., None]).clip(0, 1.2)
        part = part * (1 - row) + np.array(colour, np.float32) * row
        self.image.paste(Image.fromarray(part.clip(0, 255).astype(np.uint8)), (0, y0))

    def glow(
        self, x: float, y: float, radius: float, colour: RGB, live: bool = False, rate: float = 0.0
    ) -> None:
        """Adds light around a point; a ``live`` one also flickers in the film."""
        x0, y0 = max(0, round(x - radius)), max(0, round(y - radius))
        x1, y1 = min(WIDE, round(x + radius)), min(HIGH, round(y + radius))
        if x1 <= x0 or y1 <= y0:
            return
        fall = falloff(x1 - x0, y1 - y0, x - x0, y - y0, radius)[..., None]
        part = np.asarray(self.image.crop((x0, y0, x1, y1)), dtype=np.float32)
        part += fall * np.array(colour, np.float32)
        self.image.paste(Image.fromarray(part.clip(0, 255).astype(np.uint8)), (x0, y0))
        if live:
            self.lights.append(Light(x, y, radius, colour, rate))

    def rect(self, x0: float, y0: float, x1: float, y1: float, fill: RGB) -> None:
        """A filled rectangle."""
        self.draw.rectangle((x0, y0, x1, y1), fill=fill)

    def poly(self, fill: RGB, *points: tuple[float, float]) -> None:
        """A filled polygon."""
        self.draw.polygon(points, fill=fill)

    def disc(self, x: float, y: float, r: float, fill: RGB, ry: float | None = None) -> None:
        """A filled circle, or an ellipse with ``ry``."""
        ry = r if ry is None else ry
        self.draw.ellipse((x - r, y - ry, x + r, y + ry), fill=fill)

    def line(self, width: int, fill: RGB, *points: tuple[float, float]) -> None:
        """A line through points."""
        self.draw.line(points, fill=fill, width=width, joint="curve")

    def box3d(self, x0: float, y0: float, x1: float, y1: float, fill: RGB, depth: float) -> None:
        """A box seen from the front with a lit top and a dark side."""
        self.poly(
            shade(fill, 1.3), (x0, y0), (x1, y0), (x1 + depth, y0 - depth), (x0 + depth, y0 - depth)
        )
        self.poly(
            shade(fill, 0.6), (x1, y0), (x1 + depth, y0 - depth), (x1 + depth, y1 - depth), (x1, y1)
        )
        self.rect(x0, y0, x1, y1, fill)

    def ridge(self, y: float, rise: float, fill: RGB, cell: float, jag: float = 0.0) -> None:
        """A silhouette over the whole width: hills, mountains, tree tops."""
        line = smooth_noise(self.rng, WIDE, 2, cell)[0] * rise
        if jag:
            line = line + self.rng.uniform(-jag, jag, WIDE).astype(np.float32)
        points = [(float(x), float(y - line[x])) for x in range(0, WIDE, 4)]
        self.draw.polygon([(0, HIGH), *points, (WIDE, float(y - line[-1])), (WIDE, HIGH)], fill)

    def floor(self, y: int, near: RGB, far: RGB, lines: int, ink: RGB, cross: int = 0) -> None:
        """A floor in perspective: boards or tiles that meet at a vanishing point."""
        self.gradient((0, y, WIDE, HIGH), (0, far), (1, near))
        self.grain(0.14, 5, 40, box=(0, y, WIDE, HIGH), stretch=3)
        middle = WIDE / 2
        for i in range(-lines, lines + 1):
            x = middle + i * WIDE / lines * 1.6
            self.line(2, ink, (middle + (x - middle) * 0.28, y), (x, HIGH))
        for i in range(cross):
            depth = y + (HIGH - y) * ((i + 0.5) / cross) ** 1.9
            self.line(2, ink, (0, depth), (WIDE, depth))

    def window(self, x0: int, y0: int, x1: int, y1: int, sky: RGB, frame: RGB, panes: int) -> None:
        """A window with a landscape behind it and bars in front."""
        self.rect(x0 - 8, y0 - 8, x1 + 8, y1 + 8, frame)
        self.gradient((x0, y0, x1, y1), (0, shade(sky, 0.75)), (1, mix(sky, (255, 255, 255), 0.3)))
        hill = y1 - (y1 - y0) * 0.3
        steps = np.linspace(x0, x1, 12)
        rough = self.rng.uniform(-0.08, 0.12, 12) * (y1 - y0)
        hills = [(float(x), float(hill + d)) for x, d in zip(steps, rough, strict=True)]
        self.draw.polygon(
            [(x0, y1), *hills, (x1, y1)], fill=shade(mix(sky, (40, 80, 40), 0.6), 0.7)
        )
        for i in range(1, panes):
            x = x0 + (x1 - x0) * i / panes
            self.line(7, frame, (x, y0), (x, y1))
        self.line(6, frame, (x0, (y0 + y1) / 2), (x1, (y0 + y1) / 2))
        self.rect(x0 - 14, y1 + 6, x1 + 14, y1 + 16, shade(frame, 1.15))

    def crowd(self, y: float, size: float, count: int, fill: RGB, arms: float = 0.3) -> None:
        """Heads and shoulders between camera and stage, in the layer in front."""
        self.has_front = True
        for i in range(count):
            x = (i + self.rng.uniform(-0.3, 0.3)) * WIDE / (count - 1)
            r, top = size * self.rng.uniform(0.85, 1.1), y + self.rng.uniform(-0.4, 0.4) * size
            ink = (*shade(fill, float(self.rng.uniform(0.7, 1.3))), 255)
            self.near.ellipse((x - r * 0.8, top - r, x + r * 0.8, top + r), fill=ink)
            self.near.rounded_rectangle(
                (x - 1.7 * r, top + 0.9 * r, x + 1.7 * r, HIGH + 40), round(r), fill=ink
            )
            if self.rng.random() < arms:
                side = 1.6 * r * float(self.rng.choice([-1, 1]))
                reach = (x + side, top + 1.4 * r, x + side * 1.2, top - 2.2 * r)
                self.near.line(reach, fill=ink, width=round(r * 0.55))

    def plate(self, *tint: float, glints: tuple[float, float, float, float] | None = None) -> Plate:
        """Finishes the painting.

        Args:
            *tint: Factors of R, G, B for people in this light.
            glints: Region of glittering water.
        """
        r, g, b = tint or (1.0, 1.0, 1.0)
        front = self.front if self.has_front else None
        return Plate(self.image, front, self.lights, (r, g, b), glints)


def falloff(width: int, height: int, x: float, y: float, radius: float) -> NDArray[np.float32]:
    """Light around a point: 1 in the middle, 0 at the radius; shape [height, width]."""
    down = (np.arange(height, dtype=np.float32) - y)[:, None]
    across = (np.arange(width, dtype=np.float32) - x)[None]
    fall = 1 - np.sqrt(down**2 + across**2) / np.float32(radius)
    return np.maximum(fall, 0).astype(np.float32) ** 2
