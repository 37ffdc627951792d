"""Things shown from near: a key, a letter, a clock, a cup, a telephone, a lantern."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from mediafm.sample.brush import HIGH, RGB, WIDE, Canvas, Plate, shade

_WOODS: dict[str, RGB] = {
    "harbour": (110, 92, 76),
    "forest": (84, 78, 46),
    "street": (96, 96, 102),
    "desert": (176, 134, 92),
    "planet": (112, 66, 100),
    "kitchen": (158, 108, 70),
    "classroom": (186, 136, 84),
    "bridge": (66, 80, 104),
    "stage": (74, 44, 60),
    "diner": (196, 190, 184),
    "lighthouse": (120, 88, 60),
}


def still_life(plate: Plate, place: str, thing: str, seed: int) -> Plate:
    """A table top of the place with a thing on it, as a backdrop to film.

    Args:
        plate: The side of the place behind the table.
        place: Name of the place: decides the table.
        thing: One of ``story.OBJECTS``.
        seed: Seed of the grain of the wood.
    """
    canvas = Canvas(np.random.default_rng([seed, 5]))
    behind = plate.back.reduce(8).filter(ImageFilter.GaussianBlur(1.8))
    canvas.image.paste(behind.resize((WIDE, HIGH), Image.Resampling.BICUBIC), (0, -250))
    wood = _WOODS.get(place, (130, 100, 80))
    tint = plate.tint
    wood = (round(wood[0] * tint[0]), round(wood[1] * tint[1]), min(255, round(wood[2] * tint[2])))
    canvas.gradient((0, 300, WIDE, HIGH), (0, shade(wood, 0.7)), (1, shade(wood, 1.1)))
    canvas.grain(0.25, 5, 18, 70, box=(0, 300, WIDE, HIGH), stretch=8)
    shadow = Image.new("L", (WIDE // 8, HIGH // 8))
    ImageDraw.Draw(shadow).ellipse((59, 62, 105, 75), fill=150)
    shadow = shadow.filter(ImageFilter.GaussianBlur(2)).resize((WIDE, HIGH))
    canvas.image.paste((10, 8, 8), (0, 0), shadow)
    _THINGS[thing](canvas)
    return Plate(canvas.image, lights=canvas.lights, tint=plate.tint)


def _key(c: Canvas) -> None:
    brass: RGB = (226, 184, 84)
    for colour, d in ((shade(brass, 0.55), 8), (brass, 0)):
        c.draw.ellipse((450, 452 + d, 560, 540 + d), outline=colour, width=20)
        c.line(20, colour, (556, 498 + d), (840, 520 + d))
        c.line(18, colour, (770, 514 + d), (764, 560 + d))
        c.line(18, colour, (820, 518 + d), (814, 572 + d))


def _letter(c: Canvas) -> None:
    paper: RGB = (238, 230, 208)
    c.poly(shade(paper, 0.7), (430, 590), (500, 390), (880, 410), (860, 610))
    c.poly(paper, (430, 580), (500, 380), (880, 400), (860, 600))
    for i in range(8):
        y = 412 + i * 20
        points = [
            (500.0 + k * 9 - i * 5, y + 4 * math.sin(k * 1.7 + i) + k * 0.5) for k in range(34)
        ]
        c.line(4, (60, 56, 90), *points)
    c.disc(800, 560, 24, (170, 30, 36))
    c.disc(800, 556, 15, (206, 60, 60))


def _clock(c: Canvas) -> None:
    c.disc(640, 440, 140, (120, 40, 40))
    c.disc(640, 440, 118, (244, 240, 226))
    for k in range(12):
        angle = k * math.pi / 6
        x, y = math.sin(angle), math.cos(angle)
        c.line(7, (40, 36, 36), (640 + 96 * x, 440 - 96 * y), (640 + 112 * x, 440 - 112 * y))
    c.line(11, (30, 30, 34), (640, 440), (618, 372))
    c.line(8, (30, 30, 34), (640, 440), (632, 344))
    for x in (560, 720):
        c.disc(x, 304, 40, (190, 160, 80), ry=26)
        c.line(16, (90, 30, 30), (x, 560), (x - (640 - x) * 0.2, 596))


def _cup(c: Canvas) -> None:
    blue: RGB = (70, 116, 176)
    c.disc(640, 566, 190, (222, 222, 216), ry=40)
    c.draw.arc((700, 420, 830, 540), 270, 100, fill=shade(blue, 0.8), width=24)
    c.poly(blue, (520, 390), (760, 390), (720, 560), (560, 560))
    c.poly(shade(blue, 0.7), (520, 390), (580, 390), (596, 560), (560, 560))
    c.disc(640, 390, 120, shade(blue, 1.2), ry=28)
    c.disc(640, 394, 104, (70, 42, 28), ry=21)
    for i in range(3):
        c.glow(600 + 40 * i, 320 - 16 * i, 90, (60, 60, 58))


def _phone(c: Canvas) -> None:
    red: RGB = (176, 40, 40)
    c.poly(red, (500, 580), (780, 580), (740, 440), (540, 440))
    c.poly(shade(red, 0.6), (500, 580), (780, 580), (786, 600), (494, 600))
    c.disc(640, 520, 62, (236, 230, 216))
    for k in range(10):
        angle = k * 0.56 + 0.5
        c.disc(640 + 44 * math.cos(angle), 520 + 44 * math.sin(angle), 10, shade(red, 0.4))
    c.disc(640, 520, 18, shade(red, 0.8))
    c.line(50, shade(red, 0.8), (470, 424), (640, 396), (810, 424))
    for x in (474, 806):
        c.disc(x, 440, 46, shade(red, 0.85), ry=36)


def _lantern(c: Canvas) -> None:
    c.draw.arc((560, 200, 720, 400), 180, 360, fill=(60, 60, 66), width=10)
    c.poly((70, 72, 80), (560, 320), (720, 320), (690, 270), (590, 270))
    c.rect(572, 320, 708, 540, (250, 196, 100))
    c.disc(640, 450, 34, (255, 246, 200), ry=62)
    for x in (572, 640, 708):
        c.line(8, (60, 62, 70), (x, 320), (x, 540))
    c.rect(548, 540, 732, 584, (70, 72, 80))
    c.glow(640, 440, 330, (150, 96, 34), live=True)


_THINGS = {
    "key": _key,
    "letter": _letter,
    "clock": _clock,
    "cup": _cup,
    "phone": _phone,
    "lantern": _lantern,
}
