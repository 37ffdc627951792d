"""The people of the films: articulated figures that stand, walk, run, talk, look about."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PIL import Image, ImageDraw

from mediafm.sample.brush import RGB, shade

_SHARP = 2
"""Figures are drawn this much larger than shown, then reduced: smooth edges."""

Tint = tuple[float, float, float]


@dataclass(frozen=True)
class Look:
    """How one character looks and sounds.

    Args:
        name: First name, unique within a series.
        skin: Colour of face and hands.
        hair: Colour of the hair.
        style: ``short``, ``long``, ``bun``, ``bald`` or ``curly``.
        coat: Colour of the upper clothes.
        shirt: Colour at the neck.
        legs: Colour of the trousers.
        hat: ``""``, ``cap``, ``fedora``, ``captain``, ``beanie``, ``bowler`` or ``headset``.
        hat_colour: Its colour.
        extra: ``""``, ``glasses``, ``beard``, ``moustache`` or ``scarf``.
        pitch: Fundamental of the voice in hertz.
    """

    name: str
    skin: RGB
    hair: RGB
    style: str
    coat: RGB
    shirt: RGB
    legs: RGB
    hat: str = ""
    hat_colour: RGB = (40, 40, 50)
    extra: str = ""
    pitch: float = 130.0


@dataclass(frozen=True)
class Pose:
    """One instant of a character.

    Args:
        facing: -1 looks left, 0 at the camera, 1 right.
        stride: Phase of the walk in radians, ``None`` when standing.
        swing: How far legs and arms swing: 0.5 walks, 1 runs.
        mouth: 0 closed, 1 wide open.
        blink: 0 eyes open, 1 closed.
        gesture: 0 arms down, 1 forearms raised.
        wave: Phase of the gesture in radians.
        brow: -1 worried or angry, 1 raised.
        smile: -1 sad, 1 happy.
        back: Seen from behind.
    """

    facing: float = 0.0
    stride: float | None = None
    swing: float = 0.5
    mouth: float = 0.0
    blink: float = 0.0
    gesture: float = 0.0
    wave: float = 0.0
    brow: float = 0.0
    smile: float = 0.0
    back: bool = False


def draw_character(
    frame: Image.Image, look: Look, pose: Pose, x: float, feet: float, height: float, tint: Tint
) -> None:
    """Draws a character into a frame.

    Args:
        frame: RGB picture, changed in place.
        look: Who.
        pose: Doing what.
        x: Middle of the body, in pixels of the frame.
        feet: Where the feet are, in pixels; may lie below the frame.
        height: From feet to the top of the head, in pixels.
        tint: Light of the place as factors of R, G, B.
    """
    left, top = max(0, math.floor(x - 0.42 * height)), max(0, math.floor(feet - 1.16 * height))
    right = min(frame.width, math.ceil(x + 0.42 * height))
    bottom = min(frame.height, math.ceil(feet + 0.04 * height))
    if right <= left or bottom <= top:
        return
    layer = Image.new("RGBA", ((right - left) * _SHARP, (bottom - top) * _SHARP))
    pen = _Pen(
        ImageDraw.Draw(layer), (x - left) * _SHARP, (feet - top) * _SHARP, height * _SHARP, tint
    )
    _Figure(pen, look, pose).draw()
    small = layer.reduce(_SHARP)
    frame.paste(small, (left, top), small)


@dataclass
class _Pen:
    """Draws in units of the figure: feet at 0, top of the head at -1."""

    draw: ImageDraw.ImageDraw
    x: float
    y: float
    scale: float
    tint: Tint

    def ink(self, colour: RGB) -> RGB:
        r, g, b = (min(255, round(c * t)) for c, t in zip(colour, self.tint, strict=True))
        return (r, g, b)

    def at(self, x: float, y: float) -> tuple[float, float]:
        return self.x + x * self.scale, self.y + y * self.scale

    def limb(self, colour: RGB, width: float, *points: tuple[float, float]) -> None:
        ink, r = self.ink(colour), width * self.scale / 2
        path = [self.at(*point) for point in points]
        self.draw.line(path, fill=ink, width=max(1, round(2 * r)), joint="curve")
        for px, py in (path[0], path[-1]):
            self.draw.ellipse((px - r, py - r, px + r, py + r), fill=ink)

    def oval(self, colour: RGB, x: float, y: float, rx: float, ry: float) -> None:
        px, py = self.at(x, y)
        rx, ry = rx * self.scale, ry * self.scale
        if rx >= 0.3 and ry >= 0.3:
            self.draw.ellipse((px - rx, py - ry, px + rx, py + ry), fill=self.ink(colour))

    def half(self, colour: RGB, x: float, y: float, rx: float, ry: float, a: int, b: int) -> None:
        px, py = self.at(x, y)
        rx, ry = rx * self.scale, ry * self.scale
        if rx >= 0.5 and ry >= 0.5:
            self.draw.pieslice((px - rx, py - ry, px + rx, py + ry), a, b, fill=self.ink(colour))

    def area(self, colour: RGB, *points: tuple[float, float]) -> None:
        self.draw.polygon([self.at(*point) for point in points], fill=self.ink(colour))

    def arc(self, colour: RGB, x: float, y: float, r: float, ry: float, a: int, b: int) -> None:
        px, py = self.at(x, y)
        r, ry = r * self.scale, abs(ry) * self.scale
        if r >= 1 and ry >= 1:
            width = max(1, round(0.006 * self.scale))
            self.draw.arc((px - r, py - ry, px + r, py + ry), a, b, self.ink(colour), width)


@dataclass
class _Figure:
    pen: _Pen
    look: Look
    pose: Pose

    def draw(self) -> None:
        bob = 0.012 * abs(math.sin(self.pose.stride)) if self.pose.stride is not None else 0.0
        self.pen.y -= bob * self.pen.scale
        self._legs()
        self._arm(-1)
        if self.look.style == "long":
            back = 0.006 * self.pose.facing
            self.pen.oval(shade(self.look.hair, 0.8), back, -0.87, 0.088, 0.115)
        self._body()
        self._arm(1)
        self._head()

    def _legs(self) -> None:
        pen, colour = self.pen, self.look.legs
        way = 1.0 if self.pose.facing >= 0 else -1.0
        for side in (-1, 1):
            if self.pose.stride is None:
                hip, knee, foot = (side * 0.045, -0.48), (side * 0.055, -0.25), (side * 0.06, -0.02)
            else:
                angle = math.sin(self.pose.stride + (0 if side > 0 else math.pi))
                lift = max(0.0, math.cos(self.pose.stride + (0 if side > 0 else math.pi)))
                reach = self.pose.swing * angle
                hip = (side * 0.03, -0.48)
                knee = (way * (0.17 * reach + 0.05 * lift * self.pose.swing), -0.26)
                foot = (
                    way * (0.30 * reach - 0.07 * lift * self.pose.swing),
                    -0.02 - 0.1 * lift * self.pose.swing,
                )
            tone = shade(colour, 0.72 if side < 0 else 1.0)
            pen.limb(tone, 0.085, hip, knee, foot)
            pen.limb((38, 30, 28), 0.045, foot, (foot[0] + way * 0.045, foot[1] + 0.002))

    def _arm(self, side: int) -> None:
        pen, pose = self.pen, self.pose
        shoulder = (side * 0.105, -0.775)
        if pose.stride is not None:
            angle = -side * math.sin(pose.stride) * pose.swing * 1.1
            bend = 0.5 + pose.swing
        else:
            angle, bend = side * (0.14 + 0.25 * pose.gesture), side * 0.1
        if pose.gesture > 0 and pose.stride is None:
            move = math.sin(pose.wave + (0 if side > 0 else 1.9))
            bend = side * (0.2 + pose.gesture * (1.7 + 0.45 * move))
            angle += 0.1 * move * pose.gesture
        way = 1.0 if pose.facing >= 0 else -1.0
        if pose.stride is not None:
            angle, bend = angle * way, bend * way
        elbow = (shoulder[0] + 0.165 * math.sin(angle), shoulder[1] + 0.165 * math.cos(angle))
        turn = angle + bend
        hand = (elbow[0] + 0.15 * math.sin(turn), elbow[1] + 0.15 * math.cos(turn))
        tone = shade(self.look.coat, 0.74 if side < 0 else 0.9)
        pen.limb(tone, 0.07, shoulder, elbow, hand)
        pen.oval(shade(self.look.skin, 0.95), hand[0], hand[1], 0.03, 0.032)

    def _body(self) -> None:
        pen, look = self.pen, self.look
        lean = 0.012 * self.pose.facing
        pen.limb(shade(look.skin, 0.8), 0.075, (lean, -0.84), (lean, -0.79))
        pen.area(
            look.coat,
            (-0.125, -0.79),
            (-0.06, -0.825),
            (0.06, -0.825),
            (0.125, -0.79),
            (0.105, -0.42),
            (-0.105, -0.42),
        )
        pen.area(
            shade(look.coat, 0.75),
            (-0.125, -0.79),
            (-0.075, -0.815),
            (-0.06, -0.42),
            (-0.105, -0.42),
        )
        if not self.pose.back:
            v = 0.03 * self.pose.facing
            pen.area(look.shirt, (-0.045 + v, -0.825), (0.045 + v, -0.825), (v, -0.66))
            pen.area(shade(look.coat, 1.25), (-0.06 + v, -0.826), (-0.04 + v, -0.826), (v, -0.655))
            pen.area(shade(look.coat, 1.25), (0.06 + v, -0.826), (0.04 + v, -0.826), (v, -0.655))
            for i in range(3):
                pen.oval(shade(look.shirt, 0.7), v + 0.008, -0.62 + 0.06 * i, 0.008, 0.008)
        if look.extra == "scarf":
            pen.limb(look.hat_colour, 0.05, (-0.05, -0.825), (0.05, -0.825))
            pen.limb(look.hat_colour, 0.035, (0.03, -0.82), (0.05, -0.68))

    def _head(self) -> None:
        pen, look = self.pen, self.look
        f, y = self.pose.facing, -0.91
        x = 0.018 * f
        if look.style == "bun":
            pen.oval(look.hair, x - 0.03 * f, y - 0.1, 0.035, 0.033)
        if look.style == "curly":
            for i in range(9):
                angle = math.pi * (0.95 + 1.1 * i / 8)
                pen.oval(
                    look.hair, x + 0.075 * math.cos(angle), y + 0.08 * math.sin(angle), 0.033, 0.033
                )
        if self.pose.back:
            pen.oval(look.hair if look.style != "bald" else look.skin, x, y, 0.072, 0.092)
            self._hat(x, y)
            return
        if look.style != "bald":
            pen.oval(look.hair, x - 0.008 * f, y - 0.014, 0.076, 0.09)
        pen.oval(shade(look.skin, 0.78), x, y + 0.004, 0.066, 0.086)
        pen.oval(look.skin, x + 0.007, y, 0.06, 0.082)
        pen.oval(shade(look.skin, 0.85), x - 0.066 + 0.012 * f, y + 0.005, 0.012, 0.02)
        pen.oval(shade(look.skin, 0.95), x + 0.07 + 0.006 * f, y + 0.005, 0.012, 0.02)
        if look.style != "bald":
            pen.half(look.hair, x, y - 0.012, 0.071, 0.08, 185, 355)
            pen.half(look.skin, x + 0.012 * f, y - 0.012, 0.056, 0.042, 180, 360)
        self._face(x + 0.026 * f, y)
        self._hat(x, y)

    def _face(self, x: float, y: float) -> None:
        pen, look, pose = self.pen, self.look, self.pose
        dark = shade(look.hair, 0.6) if look.style != "bald" else (60, 46, 40)
        for side in (-1, 1):
            ex = x + side * 0.026
            open_ = 0.0115 * (1 - pose.blink) * (1 + 0.25 * max(0.0, pose.brow))
            pen.oval((244, 242, 236), ex, y - 0.005, 0.0135, open_)
            pen.oval((40, 34, 32), ex + 0.005 * pose.facing, y - 0.005, 0.0068, min(open_, 0.0078))
            lift = y - 0.027 - 0.007 * pose.brow
            slope = -0.006 * pose.brow * side
            pen.limb(dark, 0.007, (ex - 0.015, lift + slope), (ex + 0.015, lift - slope))
            if look.extra == "glasses":
                pen.arc((36, 36, 44), ex, y - 0.005, 0.021, 0.018, 0, 360)
        pen.limb(
            shade(look.skin, 0.72),
            0.009,
            (x + 0.004, y),
            (x + 0.007 + 0.012 * pose.facing, y + 0.022),
        )
        if look.extra == "beard":
            pen.half(look.hair, x - 0.02 * pose.facing, y + 0.025, 0.058, 0.068, 0, 180)
        if look.extra in ("beard", "moustache"):
            pen.limb(look.hair, 0.013, (x - 0.026, y + 0.034), (x + 0.026, y + 0.034))
        if pose.mouth > 0.12:
            pen.oval((110, 38, 40), x, y + 0.047, 0.021, 0.004 + 0.017 * pose.mouth)
            pen.oval((236, 230, 222), x, y + 0.043 - 0.006 * pose.mouth, 0.013, 0.004 * pose.mouth)
        elif pose.smile >= 0:
            pen.arc((110, 46, 44), x, y + 0.04, 0.024, 0.004 + 0.012 * pose.smile, 10, 170)
        else:
            pen.arc((110, 46, 44), x, y + 0.056, 0.022, 0.004 - 0.01 * pose.smile, 190, 350)

    def _hat(self, x: float, y: float) -> None:
        pen, kind, colour = self.pen, self.look.hat, self.look.hat_colour
        f = self.pose.facing
        if kind in ("fedora", "bowler"):
            high = 0.085 if kind == "fedora" else 0.07
            pen.half(colour, x, y - 0.045, 0.066, high, 180, 360)
            pen.oval(shade(colour, 0.7), x, y - 0.046, 0.066, 0.012)
            pen.oval(
                shade(colour, 1.15),
                x + 0.012 * f,
                y - 0.042,
                0.11 if kind == "fedora" else 0.092,
                0.014,
            )
        elif kind in ("cap", "beanie"):
            pen.half(colour, x, y - 0.03, 0.077, 0.076, 180, 360)
            if kind == "cap":
                pen.oval(shade(colour, 0.75), x + 0.045 * (f or 0.4), y - 0.032, 0.062, 0.012)
            else:
                pen.limb(shade(colour, 1.25), 0.026, (x - 0.068, y - 0.035), (x + 0.068, y - 0.035))
                pen.oval(shade(colour, 1.25), x, y - 0.108, 0.022, 0.02)
        elif kind == "captain":
            pen.oval((240, 240, 236), x, y - 0.082, 0.096, 0.036)
            pen.limb(colour, 0.036, (x - 0.062, y - 0.054), (x + 0.062, y - 0.054))
            pen.oval((20, 20, 26), x + 0.02 * f, y - 0.036, 0.062, 0.013)
            pen.oval((230, 190, 80), x + 0.03 * f, y - 0.062, 0.012, 0.012)
        elif kind == "headset":
            pen.arc(colour, x, y - 0.01, 0.08, 0.098, 190, 350)
            pen.oval(colour, x - 0.073, y + 0.005, 0.016, 0.026)
            pen.limb(colour, 0.008, (x - 0.07, y + 0.02), (x - 0.02 + 0.03 * f, y + 0.058))
