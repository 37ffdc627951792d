# ruff: noqa: PLR0912 - a painter is one long list of strokes
"""Places far from town: forest, desert, another planet. Each has two sides."""

from __future__ import annotations

import numpy as np

from mediafm.sample.brush import HIGH, RGB, WIDE, Canvas, Plate, mix, shade
from mediafm.sample.outdoors import open_sky

Rng = np.random.Generator


def forest(rng: Rng, night: bool, reverse: bool) -> Plate:
    """Trunks in mist; behind the camera, a clearing with a cabin."""
    c = Canvas(rng, (0, (168, 200, 150)), (0.55, (214, 226, 190)), (1, (90, 100, 60)))
    c.ridge(300, 70, (122, 156, 112), 60, 5)
    c.haze(140, 470, (220, 230, 205), 0.6)
    for depth, count in ((0.25, 16), (0.5, 11), (0.8, 7)):
        bark = mix((150, 165, 130), (48, 38, 28), depth)
        for i in range(count):
            x = (i + rng.uniform(0.1, 0.9)) * WIDE / count
            if reverse and depth > 0.3 and 380 < x < 940:
                continue
            w, base = 10 + 44 * depth * rng.uniform(0.7, 1.2), 480 + 110 * depth
            c.poly(bark, (x - w / 3, 0), (x + w / 3, 0), (x + w / 2, base), (x - w / 2, base))
            c.poly(
                shade(bark, 0.75),
                (x + w / 8, 0),
                (x + w / 3, 0),
                (x + w / 2, base),
                (x + w / 7, base),
            )
            for _ in range(round(5 * depth) + 2):
                y = rng.uniform(40, 360)
                reach = rng.uniform(40, 130) * depth * rng.choice([-1, 1])
                c.line(max(2, round(w / 6)), bark, (x, y), (x + reach, y - rng.uniform(10, 60)))
        leaf = mix((150, 180, 120), (40, 78, 34), depth)
        for _ in range(90):
            x, y = rng.uniform(0, WIDE), rng.uniform(-20, 150 - 60 * depth)
            c.disc(x, y, float(rng.uniform(14, 40)), shade(leaf, rng.uniform(0.7, 1.2)), ry=14)
    c.ridge(548, 16, (74, 92, 40), 70, 3)
    c.gradient((0, 590, WIDE, HIGH), (0, (92, 84, 50)), (1, (58, 56, 30)))
    c.grain(0.35, 4, 12, box=(0, 540, WIDE, HIGH), stretch=2)
    c.poly((122, 104, 72), (560, 560), (700, 560), (900, HIGH), (420, HIGH))
    for _ in range(260):
        x, y = rng.uniform(0, WIDE), rng.uniform(570, HIGH)
        c.line(
            2, shade((96, 124, 50), rng.uniform(0.5, 1.2)), (x, y), (x + rng.uniform(-9, 9), y - 22)
        )
    if reverse:
        c.rect(470, 330, 830, 570, (104, 74, 48))
        for y in range(338, 570, 22):
            c.line(3, (74, 50, 32), (470, y), (830, y))
        c.poly((66, 48, 42), (430, 336), (870, 336), (780, 220), (520, 220))
        c.rect(740, 190, 780, 270, (96, 88, 84))
        c.rect(610, 430, 680, 570, (58, 38, 26))
        for x in (510, 730):
            c.rect(x, 400, x + 60, 460, (70, 84, 96))
    if night:
        c.dim(0.2, 0.27, 0.42)
        c.haze(380, 600, (70, 90, 120), 0.5)
        if reverse:
            for x in (510, 730):
                c.rect(x, 400, x + 60, 460, (255, 206, 110))
                c.line(4, (60, 40, 26), (x + 30, 400), (x + 30, 460))
                c.glow(x + 30, 430, 170, (150, 96, 34), live=True)
        else:
            c.glow(930, 130, 420, (56, 76, 110))
    else:
        for i in range(6):
            c.glow(200 + i * 190, 120 + 60 * (i % 2), 260, (52, 50, 22))
    for x, w in ((-10, 110), (1210, 130)):
        c.has_front = True
        ink = (12, 16, 14, 255) if night else (44, 36, 24, 255)
        c.near.polygon([(x, 0), (x + w * 0.8, 0), (x + w, HIGH), (x - 20, HIGH)], fill=ink)
    return c.plate(*((0.5, 0.62, 0.8) if night else (0.96, 1, 0.88)))


def desert(rng: Rng, night: bool, reverse: bool) -> Plate:
    """A road through mesas; behind the camera, a filling station."""
    x: float
    y: float
    c = open_sky(rng, night, (0, (70, 136, 200)), (0.5, (236, 196, 140)), (1, (236, 196, 140)))
    if not night:
        c.glow(900, 250, 420, (120, 80, 30))
        c.disc(900, 250, 34, (255, 240, 200))
    for x0, x1, top, colour in (
        (90, 330, 230, (172, 92, 62)),
        (1010, 1190, 260, (150, 76, 58)),
        (420, 540, 330, (186, 116, 84)),
    ):
        c.poly(
            colour,
            (x0 - 50, 430),
            (x0, top + 40),
            (x0 + 12, top),
            (x1 - 10, top + 4),
            (x1, top + 50),
            (x1 + 60, 430),
        )
        for y in range(top + 20, 420, 26):
            c.line(4, shade(colour, 0.82), (x0 - 20, y), (x1 + 20, y + 4))
    sand: RGB = (214, 160, 104)
    c.gradient((0, 425, WIDE, HIGH), (0, mix(sand, (240, 210, 170), 0.4)), (1, shade(sand, 0.85)))
    c.grain(0.18, 4, 20, 90, box=(0, 425, WIDE, HIGH), stretch=4)
    for _ in range(46):
        y = float(rng.uniform(440, 700))
        x, s = float(rng.uniform(0, WIDE)), (y - 420) / 40
        c.disc(x, y, 4 * s, shade((104, 108, 62), rng.uniform(0.6, 1.1)), ry=2 * s)
    if reverse:
        c.rect(700, 330, 1130, 600, (226, 214, 190))
        c.rect(660, 290, 1170, 336, (178, 52, 44))
        c.rect(700, 330, 1130, 350, (120, 110, 96))
        c.rect(740, 400, 880, 520, (70, 96, 108))
        c.rect(950, 400, 1030, 600, (96, 60, 44))
        for x in (420, 540):
            c.draw.rounded_rectangle((x, 430, x + 66, 610), 10, fill=(190, 60, 48))
            c.rect(x + 10, 446, x + 56, 492, (236, 230, 214))
            c.line(5, (30, 30, 30), (x + 66, 480), (x + 84, 540), (x + 60, 580))
        c.rect(186, 210, 198, 610, (90, 86, 84))
        c.draw.rounded_rectangle((96, 130, 290, 230), 16, fill=(40, 96, 120))
        for i in range(4):
            c.rect(122 + i * 40, 160, 144 + i * 40, 200, (250, 236, 200))
        c.floor(606, (150, 128, 104), (164, 138, 110), 6, (130, 108, 88))
    else:
        c.poly((88, 84, 86), (610, 430), (690, 430), (1090, HIGH), (120, HIGH))
        for i in range(7):
            y, w = 436 + 6 * i**2.05, 1 + i * 2
            c.poly(
                (236, 206, 110),
                (646 - w, y),
                (646 + w, y),
                (642 + w, y + 3 + 5 * i),
                (640 - w, y + 3 + 5 * i),
            )
        for i in range(6):
            s = 0.74**i
            x, y = 560 - 480 * s, 430 + 150 * s
            c.line(max(2, round(9 * s)), (74, 52, 40), (x, y), (x, y - 360 * s))
            c.line(
                max(2, round(6 * s)),
                (74, 52, 40),
                (x - 40 * s, y - 330 * s),
                (x + 40 * s, y - 330 * s),
            )
        for x, s in ((1120, 1.3), (860, 0.6)):
            y = 470 + 100 * (s - 0.5)
            green = (70, 104, 66)
            c.line(round(26 * s), green, (x, y), (x, y - 170 * s))
            c.line(
                round(17 * s),
                green,
                (x, y - 60 * s),
                (x + 50 * s, y - 70 * s),
                (x + 50 * s, y - 130 * s),
            )
            c.line(
                round(17 * s),
                green,
                (x, y - 90 * s),
                (x - 46 * s, y - 96 * s),
                (x - 46 * s, y - 150 * s),
            )
    if night:
        c.dim(0.36, 0.38, 0.62)
        if reverse:
            c.glow(900, 440, 330, (170, 130, 80), live=True)
            c.glow(193, 180, 170, (40, 130, 150), live=True, rate=0.7)
    return c.plate(*((0.62, 0.62, 0.85) if night else (1.05, 0.97, 0.86)))


def planet(rng: Rng, night: bool, reverse: bool) -> Plate:
    """Violet dunes under two moons; behind the camera, the landed ship."""
    x: float
    y: float
    c = Canvas(
        rng, (0, (44, 26, 84)), (0.5, (196, 92, 122)), (0.62, (244, 168, 130)), (1, (90, 50, 90))
    )
    for x, y, r, moon in ((250, 150, 92, (214, 176, 200)), (1010, 90, 40, (150, 210, 220))):
        c.disc(x, y, r, moon)
        c.disc(x + r * 0.3, y - r * 0.1, r * 0.86, mix(moon, (90, 50, 100), 0.35))
    c.ridge(410, 60, (120, 62, 110), 120, 3)
    c.ridge(450, 40, (92, 44, 92), 200)
    c.ridge(500, 30, (150, 84, 104), 260)
    c.gradient((0, 560, WIDE, HIGH), (0, (138, 72, 96)), (1, (70, 34, 66)))
    c.grain(0.25, 4, 18, 80, box=(0, 430, WIDE, HIGH), stretch=5)
    for _ in range(9):
        x, y = float(rng.uniform(0, WIDE)), float(rng.uniform(480, 600))
        h = float(rng.uniform(40, 150))
        crystal = mix((90, 220, 220), (180, 120, 240), float(rng.random()))
        c.poly(crystal, (x - h / 6, y), (x - h / 10, y - h * 0.8), (x, y - h), (x + h / 5, y))
        c.poly(shade(crystal, 0.6), (x, y - h), (x + h / 5, y), (x + h / 20, y))
        c.glow(x, y - h / 2, h, shade(crystal, 0.35), live=True, rate=0.4)
    if reverse:
        c.poly((150, 158, 172), (360, 520), (480, 300), (800, 270), (980, 400), (1010, 530))
        c.poly((96, 102, 120), (360, 520), (1010, 530), (930, 580), (430, 575))
        c.poly((70, 190, 210), (780, 300), (900, 360), (860, 390), (740, 370))
        for x in (460, 690, 930):
            c.line(14, (70, 74, 88), (x, 560), (x - 24, 640))
        c.poly((52, 56, 68), (580, 570), (660, 570), (690, 660), (550, 660))
        c.glow(620, 600, 190, (150, 190, 190), live=True)
    if night:
        c.dim(0.5, 0.45, 0.7)
    return c.plate(0.95, 0.8, 0.95)
