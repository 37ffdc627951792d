"""Draws the frames of a planned title: backdrop, people, weather, light, film grain."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mediafm.sample.brush import shade, smooth_noise
from mediafm.sample.camera import BODY, FEET, HEIGHT, WIDTH, Lens, place_camera
from mediafm.sample.cast import LOOKS
from mediafm.sample.characters import Pose, draw_character
from mediafm.sample.places import Scenery
from mediafm.sample.props import still_life
from mediafm.sample.story import Line, ScenePlan, ShotPlan, TitlePlan
from mediafm.sample.titles import SERIES

_GRADES: dict[str, tuple[float, float, tuple[float, float, float]]] = {
    "calm": (1.0, 1.0, (1.0, 1.0, 1.0)),
    "funny": (1.18, 1.08, (1.06, 1.03, 0.94)),
    "tense": (0.74, 1.1, (0.88, 0.99, 1.08)),
    "scary": (0.6, 1.12, (0.86, 1.04, 0.94)),
    "action": (1.1, 1.06, (1.1, 0.98, 0.88)),
    "sad": (0.52, 1.04, (0.92, 0.97, 1.12)),
    "romantic": (1.05, 1.04, (1.12, 0.98, 0.96)),
    "wonder": (1.2, 1.05, (0.98, 0.98, 1.1)),
}
"""Per tone: saturation, brightness, factors of R, G, B."""

_SMILES = {"funny": 0.9, "romantic": 0.8, "wonder": 0.5, "sad": -0.9, "scary": -0.6, "tense": -0.3}
_BROWS = {"funny": 0.7, "wonder": 0.9, "scary": 0.8, "tense": -0.7, "action": -0.6, "sad": 0.3}
_LUMA = (0.299, 0.587, 0.114)


class Renderer:
    """Draws one title.

    Args:
        plan: What to draw.
    """

    def __init__(self, plan: TitlePlan):
        self.plan = plan
        number = list(SERIES).index(plan.entry.series)
        self.scenery = Scenery(plan.seed, number)
        rng = np.random.default_rng([plan.seed, plan.index, 21])
        strength = 4.5 if not plan.entry.colour else 2.4
        noise = rng.normal(0, strength, (HEIGHT + 64, WIDTH + 64, 1)).astype(np.float32)
        self.grain = np.repeat(noise, 3, axis=2)
        self.rng = rng
        down = np.linspace(-1, 1, HEIGHT, dtype=np.float32)[:, None]
        across = np.linspace(-1, 1, WIDTH, dtype=np.float32)[None]
        edge = 1 - 0.1 * (across**2 + down**2) ** 1.3
        self.vignette = np.repeat(edge[..., None], 3, axis=2)
        self.fog = _fog(rng)

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Yields the pictures in order, each of shape [HEIGHT, WIDTH, 3]."""
        shots = self.plan.shots
        current: _ShotView | None = None
        for number, shot in enumerate(shots):
            view = current or self._view(number)
            after = shots[number + 1] if number + 1 < len(shots) else None
            start = shot.mix_start if number == 0 else shot.mix_start + shot.mixed
            end = after.mix_start if after else shot.end
            for frame in range(max(start, 0), end):
                yield self._finish(view.picture(frame), frame)
            current = self._view(number + 1) if after else None
            if after and current:
                for step in range(after.mixed):
                    frame = after.mix_start + step
                    yield self._finish(_mixed(view, current, after, frame, step), frame)

    def _view(self, number: int) -> _ShotView:
        plan, shot = self.plan, self.plan.shots[number]
        scene = plan.scenes[shot.scene]
        rng = np.random.default_rng([plan.seed, plan.index, 31, number])
        plate = self.scenery.plate(scene.place, scene.night, shot.reverse)
        if shot.size == "insert":
            plate = still_life(plate, scene.place, shot.thing, plan.seed + number)
        lens = Lens(plate, place_camera(rng, shot, scene))
        after = plan.shots[number + 1] if number + 1 < len(plan.shots) else None
        last = after.mix_start + after.mixed if after else shot.end
        spoken = [line for line in plan.lines if line.start < shot.end and line.end > shot.start]
        return _ShotView(self, shot, scene, lens, rng, (shot.mix_start, last), spoken)

    def _finish(self, picture: NDArray[np.float32], frame: int) -> NDArray[np.uint8]:
        x, y = (int(v) for v in self.rng.integers(0, 64, 2))
        seconds = frame / float(self.plan.entry.fps)
        rough = 1.0 if self.plan.entry.colour else 3.0
        flicker = 1 + rough * (0.006 * math.sin(9.7 * seconds) + 0.005 * math.sin(23.1 * seconds))
        picture *= self.vignette
        picture *= np.float32(flicker)
        picture += self.grain[y : y + HEIGHT, x : x + WIDTH]
        return np.clip(picture, 0, 255, out=picture).astype(np.uint8)


class _ShotView:
    """One shot, ready to be drawn at any of its frames."""

    def __init__(
        self,
        film: Renderer,
        shot: ShotPlan,
        scene: ScenePlan,
        lens: Lens,
        rng: np.random.Generator,
        span: tuple[int, int],
        lines: list[Line],
    ):
        self.film, self.shot, self.scene, self.lens = film, shot, scene, lens
        self.first, self.last, self.lines = *span, lines
        self.phase = [float(v) for v in rng.uniform(0, 6.28, 4)]
        self.drops = rng.uniform(0, 1, (70, 3))
        self.grade = _grade(scene.tone, film.plan.entry.colour)

    def picture(self, frame: int) -> NDArray[np.float32]:
        """The graded picture of a frame, shape [HEIGHT, WIDTH, 3], before grain."""
        share = (frame - self.first) / max(1, self.last - self.first)
        seconds = (frame - self.first) / float(self.film.plan.entry.fps)
        image = self.lens.background(share, seconds)
        if self.lens.plate.glints and self.lens.camera.blur == 0:
            self._glitter(image, share, seconds)
        for number, name in enumerate(self.shot.people):
            self._person(image, number, name, frame, share, seconds)
        if self.shot.size == "insert":
            self._hand(image, share, seconds)
        front = self.lens.foreground(share, seconds)
        if front is not None:
            image.paste(front, (0, 0), front)
        self._weather(image, seconds)
        picture = np.asarray(image).astype(np.float32) @ self.grade
        self.lens.shine(picture, share, seconds)
        if not self.film.plan.entry.colour:
            picture[:] = picture.mean(axis=2, keepdims=True)
        return picture

    def _person(
        self, image: Image.Image, number: int, name: str, frame: int, share: float, seconds: float
    ) -> None:
        shot, lens = self.shot, self.lens
        count, reverse = len(shot.people), shot.reverse
        side = (-1 if number == 0 else 1) if count > 1 else (1 if reverse else -1)
        moving = shot.action in ("walk", "run")
        facing = -0.65 * side
        dx, dy = lens.camera.drift(seconds)
        zoom = lens.camera.width[0] / lens.camera.at(share, seconds)[2]
        match shot.size:
            case "wide" | "full":
                away = 145.0 if shot.size == "wide" else 90.0
                x = 640 + side * (away if count > 1 else 40.0)
                if moving:
                    facing = 0.8 if not reverse else -0.8
                    travel = 210.0 if shot.action == "run" else 105.0
                    length = (self.last - self.first) / float(self.film.plan.entry.fps)
                    travel = min(travel, 480 / max(length, 0.1)) * (1 if facing > 0 else -1)
                    if shot.size == "wide":
                        x += travel * (seconds - length / 2)
                    else:
                        x = (
                            lens.camera.at(share, seconds)[0]
                            + 40 * math.sin(seconds)
                            + side * away * (count > 1)
                        )
                sx, feet, scale = lens.to_screen(x, FEET + 12 * number, share, seconds)
                height = BODY * scale * (1 + 0.03 * number)
                _shadow(image, sx, feet, height)
            case "medium":
                height = 300.0 * zoom
                sx, feet = WIDTH * (0.5 + 0.1 * side) - dx, 26 + height - dy
            case _:
                height = 690.0 * zoom
                sx, feet = WIDTH * (0.5 + 0.09 * side) - 1.4 * dx, 34 + height - 1.4 * dy
        breath = math.sin(1.7 * seconds + self.phase[number])
        pose = self._pose(name, number, facing, frame, seconds)
        if moving and shot.size in ("medium", "close"):
            bounce = 9.5 if shot.action == "run" else 6.0
            feet += height * 0.008 * math.sin(bounce * seconds)
            sx += height * 0.01 * math.sin(bounce / 2 * seconds)
        draw_character(
            image,
            LOOKS[name],
            pose,
            sx + 0.004 * height * math.sin(0.9 * seconds + self.phase[number]),
            feet + 0.002 * height * breath,
            height,
            lens.plate.tint,
        )

    def _pose(self, name: str, number: int, facing: float, frame: int, seconds: float) -> Pose:
        shot, tone, p = self.shot, self.scene.tone, self.phase[number]
        rate = float(self.film.plan.entry.fps)
        mouth = gesture = 0.0
        for line in self.lines:
            if line.speaker == name:
                edge = min(frame - line.start, line.end - frame) / rate
                if edge > 0:
                    at = (frame - line.start) / rate
                    mouth = min(1, edge * 8) * abs(math.sin(13.5 * at) * math.sin(4.1 * at + 0.8))
                gesture = max(gesture, min(1.0, max(0.0, edge * 2.5 + 0.3)))
        beat = 5.0
        if shot.action == "play":
            gesture, beat = 0.8, 9.0
            if number == 0 and not shot.reverse:
                mouth = max(mouth, abs(math.sin(2.4 * seconds + p)) * 0.8)
        blink = max(0.0, math.sin(0.55 * math.pi * seconds + p)) ** 60
        stride, swing = None, 0.0
        if shot.action in ("walk", "run"):
            swing = 1.0 if shot.action == "run" else 0.55
            stride = p + seconds * (10.5 if shot.action == "run" else 6.0)
        return Pose(
            facing + 0.12 * math.sin(0.8 * seconds + p),
            stride,
            swing,
            mouth,
            blink,
            gesture,
            beat * seconds + p,
            _BROWS.get(tone, 0.0),
            _SMILES.get(tone, 0.1),
        )

    def _hand(self, image: Image.Image, share: float, seconds: float) -> None:
        """A hand that reaches for the thing on the table."""
        look = LOOKS[self.scene.cast[0]]
        reach = min(1.0, share * 1.2) ** 0.7
        x = 330 - 92 * reach + 1.5 * math.sin(3 * seconds)
        y = 196 - 62 * reach + math.sin(2.2 * seconds)
        draw = ImageDraw.Draw(image)
        skin, sleeve = (
            tuple(min(255, round(c * t)) for c, t in zip(colour, self.lens.plate.tint, strict=True))
            for colour in (look.skin, look.coat)
        )
        draw.line((x + 34, y + 24, x + 140, y + 90), fill=sleeve, width=44)
        draw.line((x + 4, y + 4, x + 44, y + 30), fill=skin, width=30)
        draw.ellipse((x - 14, y - 14, x + 24, y + 22), fill=skin)
        for k in range(4):
            px, py = x - 20 + 3 * k, y - 8 + 8 * k
            draw.line((x + 4, y + 2 + 4 * k, px, py), fill=skin, width=8)
            draw.ellipse((px - 4, py - 4, px + 4, py + 4), fill=skin)

    def _glitter(self, image: Image.Image, share: float, seconds: float) -> None:
        x0, y0, x1, y1 = self.lens.plate.glints or (0, 0, 0, 0)
        draw = ImageDraw.Draw(image)
        for k, (u, v, w) in enumerate(self.drops):
            shine = math.sin((1.2 + w) * 2 * seconds + 6.28 * w + k)
            if shine > 0.1:
                x, y, scale = self.lens.to_screen(
                    x0 + u * (x1 - x0), y0 + v * (y1 - y0), share, seconds
                )
                colour = shade((190, 205, 215), 0.45 + 0.5 * shine)
                half = (6 + 22 * v) * scale * shine
                draw.line((x - half, y, x + half, y), fill=colour, width=1)

    def _weather(self, image: Image.Image, seconds: float) -> None:
        kind, near = self.scene.weather, 1.0 if self.shot.size in ("wide", "full") else 1.5
        if self.scene.tone == "scary" or (kind == "rain" and self.scene.tone == "sad"):
            left = round(140 + 120 * math.sin(0.12 * seconds + self.phase[0]))
            mist = self.film.fog.crop((left, 0, left + WIDTH, HEIGHT))
            image.paste(mist, (0, 0), mist)
        if not kind or self.shot.size == "insert":
            return
        draw = ImageDraw.Draw(image)
        for k, (u, v, w) in enumerate(self.drops):
            if kind == "rain":
                y = (v + seconds * (1.5 + w)) % 1.2 * HEIGHT - 12
                x = (u * 1.2 * WIDTH - 0.12 * y) % (WIDTH + 20)
                draw.line((x, y, x - 1.4 * near, y + 9 * near), fill=(126, 138, 160), width=1)
            elif k < 26:
                x = (u + 0.05 * seconds * (0.5 + w) + 0.03 * math.sin(seconds + 9 * w)) % 1 * WIDTH
                drop = {"leaves": 0.16, "sparks": -0.1, "dust": 0.01}.get(kind, -0.015)
                y = (
                    (v + drop * seconds * (0.6 + w) + 0.02 * math.sin(1.7 * seconds + 7 * u))
                    % 1
                    * HEIGHT
                )
                r = (0.5 + w) * near
                glow = 0.5 + 0.5 * math.sin(2 * seconds + 6 * w)
                colour = {
                    "leaves": shade((196, 120, 50), 0.6 + 0.5 * w),
                    "fireflies": shade((220, 240, 120), 0.3 + 0.7 * glow),
                    "sparks": shade((255, 220, 150), 0.3 + 0.7 * glow),
                }.get(kind, (214, 196, 176))
                draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)


def _mixed(
    old: _ShotView, new: _ShotView, shot: ShotPlan, frame: int, step: int
) -> NDArray[np.float32]:
    """A frame within a dissolve, or within a fade through black."""
    share = (step + 1) / (shot.mixed + 1)
    if shot.transition == "dissolve":
        part = np.float32(share)
        return (1 - part) * old.picture(frame) + part * new.picture(frame)
    half = shot.mixed // 2
    if step < half:
        return old.picture(frame) * np.float32((1 - (step + 1) / (half + 1)) ** 1.2)
    rest = shot.mixed - half
    return new.picture(frame) * np.float32(((step - half + 0.5) / rest) ** 1.2)


def _grade(tone: str, colour: bool) -> NDArray[np.float32]:
    """Colour matrix [from, to] of a tone."""
    saturation, bright, tint = _GRADES[tone]
    if not colour:
        saturation, tint = 0.0, (1.0, 1.0, 1.0)
    matrix = saturation * np.eye(3) + (1 - saturation) * np.array(_LUMA)[:, None]
    graded: NDArray[np.float32] = (bright * matrix * np.array(tint)).astype(np.float32)
    return graded


def _shadow(image: Image.Image, x: float, feet: float, height: float) -> None:
    """Darkens the floor under somebody."""
    rx, ry = 0.17 * height, 0.028 * height
    box = (round(x - rx), round(feet - ry), round(x + rx), round(feet + ry))
    if box[2] - box[0] < 3 or box[3] - box[1] < 2:
        return
    mask = Image.new("L", (box[2] - box[0], box[3] - box[1]))
    ImageDraw.Draw(mask).ellipse((0, 0, mask.width - 1, mask.height - 1), fill=110)
    image.paste((0, 0, 0), (*box[:2], box[0] + mask.width, box[1] + mask.height), mask)


def _fog(rng: np.random.Generator) -> Image.Image:
    """A bank of mist wider than the picture, RGBA."""
    width = WIDTH + 280
    noise = 0.5 + 0.5 * smooth_noise(rng, width, HEIGHT, 60)
    rows = np.linspace(0.05, 1, HEIGHT, dtype=np.float32)[:, None]
    alpha = (noise * rows * 120).clip(0, 255).astype(np.uint8)
    mist = Image.new("RGBA", (width, HEIGHT), (150, 160, 168, 0))
    mist.putalpha(Image.fromarray(alpha))
    return mist
