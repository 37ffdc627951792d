"""The camera: where it stands per shot size, how it moves, and what the lens does to a backdrop."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from mediafm.sample.brush import HIGH, WIDE, Light, Plate, falloff
from mediafm.sample.story import ScenePlan, ShotPlan

WIDTH, HEIGHT = 320, 180
"""Size of the films in pixels."""

BODY = 335.0
"""Height of a character standing at the feet line, in backdrop pixels."""

FEET = 655.0
"""Where feet stand, in backdrop pixels from the top."""

_SHAKE = {"action": 2.2, "scary": 1.3, "tense": 1.0, "funny": 0.5}


@dataclass
class Camera:
    """One set-up and its move.

    Args:
        x: Centre across the backdrop at start and end, in backdrop pixels.
        y: Centre down the backdrop at start and end.
        width: Backdrop pixels across the picture at start and end.
        blur: Out-of-focus radius of the backdrop in pixels of the picture.
        shake: Amplitude of the hand-held drift in pixels of the picture.
        phase: Makes the drift of each shot its own.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    width: tuple[float, float]
    blur: float
    shake: float
    phase: tuple[float, float, float]

    def at(self, share: float, seconds: float) -> tuple[float, float, float]:
        """Centre and width of what is seen.

        Args:
            share: Part of the shot that has passed, 0 to 1.
            seconds: Seconds since the shot began.
        """
        ease = 0.15 * (share * share * (3 - 2 * share)) + 0.85 * share
        width = self.width[0] + (self.width[1] - self.width[0]) * ease
        x = self.x[0] + (self.x[1] - self.x[0]) * ease
        y = self.y[0] + (self.y[1] - self.y[0]) * ease
        dx, dy = self.drift(seconds)
        half = width / 2
        tall = half * HEIGHT / WIDTH
        x = min(max(x + dx * width / WIDTH, half), WIDE - half)
        y = min(max(y + dy * width / WIDTH, tall), HIGH - tall)
        return x, y, width

    def drift(self, seconds: float) -> tuple[float, float]:
        """Hand-held drift in pixels of the picture."""
        p, q, r = self.phase
        dx = math.sin(1.9 * seconds + p) + 0.5 * math.sin(4.1 * seconds + q)
        dy = math.sin(2.3 * seconds + r) + 0.5 * math.sin(5.3 * seconds + p)
        return self.shake * dx, self.shake * dy


def place_camera(rng: np.random.Generator, shot: ShotPlan, scene: ScenePlan) -> Camera:
    """Chooses set-up and move of a shot."""
    shake = _SHAKE.get(scene.tone, 0.35)
    p, q, r = (float(v) for v in rng.uniform(0, 2 * math.pi, 3))
    push = float(rng.choice([-1, 1]))
    moving = shot.action in ("walk", "run")
    match shot.size:
        case "wide":
            x, y, width, move, blur = 640.0, 392.0, 1150.0, 45.0, 0.0
        case "full":
            x, y, width, move, blur = 640 + 170 * shot.region, 468.0, 830.0, 30.0, 0.0
        case "medium":
            x, y, width, move, blur = 640 + 480 * shot.region, 318.0, 600.0, 24.0, 0.9
        case "close":
            x, y, width, move, blur = 640 + 640 * shot.region, 330.0, 430.0, 18.0, 3.2
        case _:
            x, y, width, move, blur = 640.0, 470.0, 560.0, 12.0, 3.0
    x += float(rng.uniform(-20, 20))
    pan = push * move
    if moving and shot.size != "wide":
        way = 1 if not shot.reverse else -1
        pan = way * (150.0 if shot.action == "run" else 80.0)
    zoom = 1 + 0.05 * float(rng.choice([-1, 0.3, 1]))
    return Camera((x - pan, x + pan), (y, y), (width, width * zoom), blur, shake, (p, q, r))


class Lens:
    """A backdrop seen through one camera, prepared so that a frame is one affine transform.

    Args:
        plate: The side of the place that is seen.
        camera: How it is seen.
    """

    def __init__(self, plate: Plate, camera: Camera):
        self.plate, self.camera = plate, camera
        self.scale = min(1.0, WIDTH / min(camera.width) * 1.05)
        size = (round(WIDE * self.scale), round(HIGH * self.scale))
        self.back = plate.back.resize(size, Image.Resampling.LANCZOS)
        if camera.blur:
            self.back = self.back.filter(ImageFilter.GaussianBlur(camera.blur))
        self.glows = [(light, self._sprite(light)) for light in plate.lights[:5]]
        seen = plate.front is not None and camera.blur == 0
        self.front = (
            plate.front.resize(size, Image.Resampling.LANCZOS) if seen and plate.front else None
        )

    def _sprite(self, light: Light) -> NDArray[np.float32]:
        radius = light.radius * WIDTH / min(self.camera.width)
        size = 2 * math.ceil(radius) + 1
        glow = falloff(size, size, size // 2, size // 2, radius)[..., None]
        return glow * np.array(light.colour, np.float32)

    def background(self, share: float, seconds: float) -> Image.Image:
        """The backdrop at one instant, WIDTH x HEIGHT."""
        x, y, width = self.camera.at(share, seconds)
        return self._see(self.back, x, y, width)

    def foreground(self, share: float, seconds: float) -> Image.Image | None:
        """What stands before the people, moving faster than the backdrop."""
        if self.front is None:
            return None
        x, y, width = self.camera.at(share, seconds)
        return self._see(self.front, WIDE / 2 + (x - WIDE / 2) * 1.35, y, width)

    def _see(self, image: Image.Image, x: float, y: float, width: float) -> Image.Image:
        step = width * self.scale / WIDTH
        across, down = step * WIDTH, step * HEIGHT
        left = min(max(0.0, x * self.scale - across / 2), image.width - across)
        top = min(max(0.0, y * self.scale - down / 2), image.height - down)
        box = (left, top, min(left + across, image.width), min(top + down, image.height))
        return image.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, box)

    def to_screen(
        self, x: float, y: float, share: float, seconds: float
    ) -> tuple[float, float, float]:
        """Where a point of the backdrop is in the picture, and pixels per backdrop pixel."""
        cx, cy, width = self.camera.at(share, seconds)
        scale = WIDTH / width
        return (x - cx) * scale + WIDTH / 2, (y - cy) * scale + HEIGHT / 2, scale

    def shine(self, picture: NDArray[np.float32], share: float, seconds: float) -> None:
        """Adds the flicker of the lamps to a picture of shape [HEIGHT, WIDTH, 3]."""
        for number, (light, sprite) in enumerate(self.glows):
            x, y, _ = self.to_screen(light.x, light.y, share, seconds)
            size = sprite.shape[0]
            left, top = round(x) - size // 2, round(y) - size // 2
            x0, y0 = max(0, left), max(0, top)
            x1, y1 = min(WIDTH, left + size), min(HEIGHT, top + size)
            if x1 > x0 and y1 > y0:
                part = sprite[y0 - top : y1 - top, x0 - left : x1 - left]
                picture[y0:y1, x0:x1] += part * np.float32(_level(light, number, seconds))


def _level(light: Light, number: int, seconds: float) -> float:
    if light.rate:
        return 0.55 * (0.5 + 0.5 * math.sin(2 * math.pi * light.rate * seconds + number))
    return 0.1 * (1 + math.sin(7.1 * seconds + 2 * number) * math.sin(2.9 * seconds + number))
