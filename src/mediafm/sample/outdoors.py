"""Places in a town. Each has two sides: what the camera sees, and what is behind it."""

from __future__ import annotations

import numpy as np

from mediafm.sample.brush import HIGH, RGB, WIDE, Canvas, Plate, mix, shade

Rng = np.random.Generator


def open_sky(rng: Rng, night: bool, *day: tuple[float, RGB]) -> Canvas:
    """A sky to start from: a gradient by day, stars by night."""
    if not night:
        return Canvas(rng, *day)
    canvas = Canvas(rng, (0, (8, 12, 32)), (0.6, (34, 46, 88)), (1, (40, 50, 80)))
    for _ in range(150):
        x, y = rng.uniform(0, WIDE), rng.uniform(0, 400)
        canvas.disc(x, y, float(rng.uniform(0.6, 1.9)), shade((220, 225, 240), rng.uniform(0.4, 1)))
    return canvas


def _clouds(c: Canvas, y: int, count: int, colour: RGB) -> None:
    for _ in range(count):
        x, up = float(c.rng.uniform(0, WIDE)), float(c.rng.uniform(20, y))
        for _ in range(7):
            dx, dy = c.rng.uniform(-70, 70), c.rng.uniform(-12, 12)
            c.disc(x + dx, up + dy, float(c.rng.uniform(25, 60)), colour, ry=16)


def harbour(rng: Rng, night: bool, reverse: bool) -> Plate:
    """Boats on the water and a lighthouse; behind the camera, warehouses."""
    c = open_sky(rng, night, (0, (92, 150, 205)), (0.6, (200, 220, 228)), (1, (200, 220, 228)))
    if reverse:
        return _warehouses(c, night)
    if night:
        c.disc(980, 110, 42, (240, 236, 215))
        c.glow(980, 110, 230, (70, 75, 80))
    else:
        _clouds(c, 200, 7, (232, 238, 240))
    c.ridge(372, 26, (38, 52, 80) if night else (110, 138, 150), 190)
    sea: RGB = (14, 26, 50) if night else (48, 110, 138)
    c.gradient((0, 380, WIDE, 620), (0, mix(sea, (150, 170, 190), 0.25)), (1, sea))
    c.grain(0.35, 6, 14, box=(0, 380, WIDE, 620), stretch=9)
    if night:
        for i in range(60):
            y, spread = 385 + i * 4, 12 + i * 1.2
            x = 980 + c.rng.uniform(-spread, spread)
            c.line(2, (170, 172, 160), (x - spread / 2, y), (x + spread / 2, y))
    stone: RGB = (88, 84, 96) if night else (226, 222, 212)
    c.poly(shade(stone, 0.5), (40, 420), (330, 420), (250, 350), (90, 350))
    for i in range(5):
        top, w = 330 - i * 38, 34 - i * 3
        c.rect(165 - w, top - 38, 165 + w, top, (140, 42, 40) if i % 2 else stone)
    c.rect(147, 102, 183, 140, (250, 230, 150))
    c.poly((90, 30, 30), (140, 102), (190, 102), (165, 76))
    c.glow(165, 122, 150, (150, 130, 70), live=True, rate=0.35)
    for x, y, s, hull in ((520, 450, 1.0, (120, 40, 36)), (820, 480, 1.35, (34, 66, 92))):
        body = shade(hull, 0.55) if night else hull
        c.poly(
            body,
            (x - 100 * s, y - 30 * s),
            (x + 110 * s, y - 34 * s),
            (x + 78 * s, y + 22 * s),
            (x - 78 * s, y + 22 * s),
        )
        c.rect(
            x - 40 * s,
            y - 72 * s,
            x + 30 * s,
            y - 32 * s,
            shade((210, 206, 196), 0.4 if night else 1),
        )
        c.rect(
            x - 28 * s,
            y - 64 * s,
            x - 4 * s,
            y - 46 * s,
            (250, 214, 120) if night else (90, 120, 140),
        )
        c.line(5, (60, 50, 44), (x + 40 * s, y - 34 * s), (x + 40 * s, y - 210 * s))
        c.line(2, (50, 44, 40), (x + 40 * s, y - 205 * s), (x - 95 * s, y - 32 * s))
        c.line(2, (50, 44, 40), (x + 40 * s, y - 205 * s), (x + 105 * s, y - 34 * s))
        c.glow(x - 16 * s, y - 55 * s, 90, (90, 70, 25) if night else (0, 0, 0))
    wood: RGB = (52, 44, 46) if night else (138, 112, 86)
    c.floor(596, wood, shade(wood, 0.8), 14, shade(wood, 0.5), cross=3)
    for x in (300, 700, 1120):
        c.rect(x - 16, 540, x + 16, 626, shade(wood, 0.5))
        c.disc(x, 540, 20, shade(wood, 0.8), ry=9)
    if night:
        c.rect(1176, 250, 1186, 610, (22, 22, 30))
        c.disc(1181, 246, 16, (255, 232, 170))
        c.glow(1181, 246, 300, (170, 125, 60), live=True)
    return c.plate(*((0.62, 0.68, 0.9) if night else (1, 1, 1)), glints=(200, 390, 1240, 590))


def _warehouses(c: Canvas, night: bool) -> Plate:
    for i, (x0, x1, brick) in enumerate(
        ((-20, 430, (126, 64, 52)), (430, 860, (92, 96, 104)), (860, 1300, (140, 92, 60)))
    ):
        top = 120 + 40 * (i % 2)
        c.rect(x0, top, x1, 600, brick)
        c.poly(shade(brick, 0.6), (x0, top), (x1, top), ((x0 + x1) / 2, top - 76))
        for y in range(top + 14, 590, 14):
            c.line(1, shade(brick, 0.75), (x0, y), (x1, y))
        for k in range(3):
            x = x0 + 50 + k * 140
            c.rect(
                x,
                top + 50,
                x + 70,
                top + 130,
                (240, 200, 110) if night and k == i else (38, 46, 58),
            )
            c.line(3, shade(brick, 0.5), (x + 35, top + 50), (x + 35, top + 130))
        c.rect(x0 + 140, 380, x0 + 300, 600, shade(brick, 0.35))
        for y in range(390, 600, 18):
            c.line(2, shade(brick, 0.5), (x0 + 140, y), (x0 + 300, y))
    c.grain(0.16, 4, 60, box=(0, 60, WIDE, 600))
    stone: RGB = (112, 110, 108)
    c.floor(598, stone, shade(stone, 0.7), 9, shade(stone, 0.6), cross=4)
    for x, y, s in (
        (330, 612, 70),
        (402, 612, 58),
        (352, 542, 56),
        (960, 630, 90),
        (1060, 626, 70),
    ):
        c.box3d(x, y - s, x + s, y, (150, 112, 66), s * 0.25)
        c.line(4, (100, 72, 40), (x, y - s), (x + s, y))
    if night:
        c.dim(0.34, 0.38, 0.58)
        for x in (220, 640, 1080):
            c.disc(x, 350, 12, (255, 236, 180))
            c.glow(x, 360, 260, (150, 108, 50), live=True)
    return c.plate(*((0.7, 0.66, 0.75) if night else (1, 0.98, 0.95)))


def street(rng: Rng, night: bool, reverse: bool) -> Plate:
    """A street that runs to a vanishing point; behind the camera, shop fronts."""
    x: float
    y: float
    w: float
    c = open_sky(rng, night, (0, (120, 168, 214)), (0.7, (226, 222, 208)), (1, (226, 222, 208)))
    fronts = ((172, 96, 76), (196, 170, 130), (120, 128, 140), (150, 120, 132), (104, 124, 110))
    if reverse:
        return _shops(c, night)
    for i in range(9):
        x, w, top = i * 64 + 340, 60, 250 - float(rng.uniform(0, 90))
        c.rect(x, top, x + w, 430, mix((150, 160, 180), (90, 90, 110), rng.random()))
    for left in (True, False):
        for i in range(4):
            near, far = (0.0, 150.0, 270.0, 360.0, 430.0)[i : i + 2]
            colour = shade(fronts[(i + 2 * left) % 5], 1 - 0.08 * i)
            x0, x1 = (near, far) if left else (WIDE - near, WIDE - far)
            t0, t1 = 430 - 470 * (1 - near / 560), 430 - 470 * (1 - far / 560)
            b0, b1 = 430 + 235 * (1 - near / 560), 430 + 235 * (1 - far / 560)
            rise = float(rng.uniform(-26, 26))
            c.poly(colour, (x0, t0 + rise), (x1, t1 + rise), (x1, b1), (x0, b0))
            for row in range(4):
                for col in range(3):
                    u, v = (col + 0.25) / 3, (row + 0.2) / 4.6
                    xa, xb = x0 + (x1 - x0) * u, x0 + (x1 - x0) * (u + 0.16)
                    ya = t0 + rise + (t1 - t0) * u + (b0 - t0 + (b1 - t1 - b0 + t0) * u) * v
                    h = (b0 - t0 + (b1 - t1 - b0 + t0) * u) * 0.12
                    lit = night and rng.random() < 0.45
                    c.rect(
                        min(xa, xb),
                        ya,
                        max(xa, xb),
                        ya + h,
                        (252, 214, 120) if lit else (52, 62, 78),
                    )
    c.grain(0.12, 4, 50, box=(0, 0, WIDE, 660))
    c.poly((150, 146, 140), (430, 482), (850, 482), (1500, HIGH), (-220, HIGH))
    c.poly((76, 78, 84), (500, 474), (780, 474), (1130, HIGH), (150, HIGH))
    c.grain(0.2, 4, 30, box=(0, 480, WIDE, HIGH), stretch=3)
    for i in range(6):
        y, w = 490.0 + 7 * i**2.1, 2 + i * 2.2
        c.poly(
            (214, 210, 196),
            (640 - w, y),
            (640 + w, y),
            (640 + 1.3 * w, y + 4 + 5 * i),
            (640 - 1.3 * w, y + 4 + 5 * i),
        )
    for x, y, s, paint in ((470, 520, 0.6, (150, 44, 40)), (900, 560, 1.0, (40, 88, 120))):
        c.draw.rounded_rectangle((x - 90 * s, y - 44 * s, x + 90 * s, y + 10 * s), 14, fill=paint)
        c.draw.rounded_rectangle(
            (x - 52 * s, y - 84 * s, x + 46 * s, y - 36 * s), 12, fill=shade(paint, 0.7)
        )
        c.rect(x - 44 * s, y - 76 * s, x + 38 * s, y - 46 * s, (130, 156, 172))
        for dx in (-56, 56):
            c.disc(x + dx * s, y + 10 * s, 19 * s, (24, 24, 26))
    if night:
        c.dim(0.42, 0.44, 0.6)
    for x, y, s in ((240, 640, 1.0), (410, 545, 0.55), (1040, 640, 1.0), (868, 545, 0.55)):
        c.rect(x - 4 * s, y - 330 * s, x + 4 * s, y, (34, 34, 40))
        c.disc(x, y - 334 * s, 17 * s, (255, 232, 176) if night else (210, 210, 204))
        if night:
            c.glow(x, y - 330 * s, 250 * s, (160, 116, 56), live=True)
            c.glow(x, y, 150 * s, (70, 50, 26))
    return c.plate(*((0.74, 0.68, 0.8) if night else (1, 0.98, 0.95)))


def _shops(c: Canvas, night: bool) -> Plate:
    for i, (wall, awning) in enumerate(
        (
            ((168, 124, 92), (178, 48, 44)),
            ((98, 118, 124), (40, 120, 96)),
            ((180, 160, 128), (60, 74, 140)),
        )
    ):
        x = i * 430 - 10
        c.rect(x, 0, x + 430, 600, wall)
        for k in range(3):
            c.rect(x + 40 + k * 130, 40, x + 120 + k * 130, 150, (60, 72, 88))
            c.rect(x + 36 + k * 130, 150, x + 124 + k * 130, 160, shade(wall, 1.25))
        c.gradient(
            (x + 40 if x > 0 else 30, 320, x + 280, 560), (0, (84, 78, 66)), (1, (190, 160, 110))
        )
        for k in range(9):
            item = shade((200, 120, 70), float(c.rng.uniform(0.5, 1.3)))
            c.disc(x + 60 + k * 25, 530 - 60 * (k % 2), float(c.rng.uniform(9, 18)), item)
        c.rect(x + 310, 330, x + 395, 600, shade(awning, 0.6))
        c.rect(x + 322, 345, x + 383, 470, (160, 176, 180))
        for k in range(10):
            stripe = awning if k % 2 else (236, 230, 216)
            left = x + 20 + k * 39
            c.poly(stripe, (left + 10, 230), (left + 49, 230), (left + 39, 310), (left, 310))
    c.grain(0.12, 4, 60, box=(0, 0, WIDE, 600))
    c.floor(598, (150, 146, 142), (120, 118, 116), 12, (100, 98, 96), cross=3)
    if night:
        c.dim(0.4, 0.42, 0.6)
        for x in (150, 580, 1010):
            c.glow(x, 450, 260, (190, 140, 60), live=True)
    return c.plate(*((0.85, 0.74, 0.72) if night else (1, 0.98, 0.95)))
