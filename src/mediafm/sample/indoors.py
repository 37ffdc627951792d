# ruff: noqa: PLR0912 - a painter is one long list of strokes
"""Places under a roof. Each has two sides: what the camera sees, and what is behind it."""

from __future__ import annotations

import math

import numpy as np

from mediafm.sample.brush import HIGH, RGB, WIDE, Canvas, Plate, mix, shade

Rng = np.random.Generator


def _outside(night: bool) -> RGB:
    return (26, 34, 70) if night else (150, 200, 232)


def _lamp(c: Canvas, x: float, y: float, colour: RGB, strength: RGB, radius: float = 340) -> None:
    c.line(4, (40, 38, 36), (x, 0), (x, y - 40))
    c.poly(colour, (x - 22, y - 44), (x + 22, y - 44), (x + 58, y), (x - 58, y))
    c.disc(x, y + 2, 20, (255, 244, 210), ry=10)
    c.glow(x, y + 10, radius, strength, live=True)


def kitchen(rng: Rng, night: bool, reverse: bool) -> Plate:
    """Cupboards, a stove and a window; behind the camera, a door, a fridge and shelves."""
    wall: RGB = (196, 178, 132) if not reverse else (150, 172, 160)
    c = Canvas(rng, (0, shade(wall, 0.85)), (0.8, wall), (1, wall))
    c.grain(0.08, 6, 90, 200)
    if reverse:
        c.rect(120, 170, 330, 600, (120, 82, 56))
        c.rect(136, 186, 314, 600, (148, 104, 72))
        c.rect(160, 215, 290, 350, (118, 80, 54))
        c.disc(300, 410, 9, (214, 190, 110))
        c.draw.rounded_rectangle((900, 170, 1130, 610), 16, fill=(214, 220, 222))
        c.line(4, (150, 156, 160), (900, 330), (1130, 330))
        c.rect(916, 230, 924, 310, (120, 124, 128))
        c.rect(916, 350, 924, 470, (120, 124, 128))
        for x, y, note in (
            (985, 380, (240, 210, 90)),
            (1050, 400, (230, 120, 120)),
            (1010, 240, (130, 190, 230)),
        ):
            c.rect(x, y, x + 42, y + 42, note)
        for row in range(3):
            y = 240 + row * 95
            c.rect(430, y, 820, y + 12, (112, 78, 50))
            for k in range(9):
                h = float(rng.uniform(30, 62))
                jar = mix((210, 90, 60), (70, 130, 150), float(rng.random()))
                c.draw.rounded_rectangle((444 + k * 42, y - h, 474 + k * 42, y), 6, fill=jar)
        c.disc(620, 90, 44, (236, 232, 220))
        c.disc(620, 90, 44, (60, 50, 44), ry=2)
        c.line(4, (40, 36, 34), (620, 90), (620, 60))
    else:
        for k in range(4):
            x = 40 + k * 150 + (420 if k > 1 else 0)
            c.rect(x, 80, x + 142, 260, (92, 128, 116))
            c.rect(x + 12, 94, x + 130, 246, (110, 148, 134))
            c.disc(x + 122, 230, 6, (226, 200, 120))
        c.window(420, 100, 730, 330, _outside(night), (232, 224, 208), 3)
        c.gradient((0, 330, WIDE, 440), (0, (206, 214, 212)), (1, (178, 190, 190)))
        for x in range(0, WIDE, 40):
            c.line(1, (150, 160, 160), (x, 340), (x, 440))
        for y in range(340, 440, 33):
            c.line(1, (150, 160, 160), (0, y), (WIDE, y))
        c.box3d(0, 446, 1180, 600, (98, 132, 120), 26)
        c.rect(0, 424, WIDE, 450, (120, 84, 58))
        for x in range(30, 1200, 190):
            c.rect(x, 470, x + 160, 590, (112, 150, 136))
            c.disc(x + 146, 500, 6, (226, 200, 120))
        c.rect(870, 440, 1060, 600, (60, 62, 66))
        c.rect(890, 500, 1040, 580, (30, 30, 34))
        for x in (900, 1010):
            c.disc(x, 426, 34, (40, 40, 42), ry=8)
        c.draw.rounded_rectangle((864, 372, 936, 424), 8, fill=(190, 60, 50))
        c.rect(930, 382, 970, 390, (190, 60, 50))
        c.glow(905, 350, 70, (40, 36, 30), live=True, rate=0.3)
        for x, colour in ((180, (206, 80, 60)), (230, (236, 200, 90)), (300, (90, 120, 170))):
            c.draw.rounded_rectangle((x, 380, x + 40, 424), 8, fill=colour)
        if not night:
            c.glow(575, 215, 380, (60, 56, 40))
    c.floor(600, (150, 96, 70), (128, 84, 64), 12, (104, 66, 50), cross=5)
    if night:
        c.dim(0.44, 0.42, 0.52)
    _lamp(c, 640, 96 if reverse else 70, (206, 92, 60), (120, 92, 48) if night else (50, 40, 20))
    return c.plate(*((0.9, 0.78, 0.66) if night else (1.02, 1, 0.94)))


def classroom(rng: Rng, night: bool, reverse: bool) -> Plate:
    """A blackboard; behind the camera, desks, windows and drawings on the wall."""
    wall: RGB = (226, 206, 150) if not reverse else (158, 190, 214)
    c = Canvas(rng, (0, shade(wall, 0.9)), (1, wall))
    c.grain(0.07, 6, 120)
    c.rect(0, 520, WIDE, 600, shade(wall, 0.7))
    if reverse:
        for x in (60, 330, 600):
            c.window(x, 110, x + 210, 370, _outside(night), (240, 240, 234), 2)
        for k in range(8):
            x, y = 880 + (k % 4) * 92, 130 + (k // 4) * 130
            paper = mix((250, 246, 230), (250, 220, 160), float(rng.random()))
            c.rect(x, y, x + 76, y + 100, paper)
            c.disc(
                x + 38,
                y + 46,
                float(rng.uniform(12, 26)),
                mix((230, 70, 60), (60, 110, 210), float(rng.random())),
            )
            c.line(4, (60, 140, 70), (x + 10, y + 86), (x + 66, y + 82))
        c.floor(570, (196, 150, 100), (166, 128, 90), 14, (140, 104, 70), cross=4)
        for row, s in ((575, 0.7), (650, 1.0)):
            for k in range(5):
                left = 90 + k * 270 - 40 * s
                c.box3d(left, row - 40 * s, left + 150 * s, row - 24 * s, (190, 132, 76), 20)
                for leg in (left + 6, left + 140 * s):
                    c.line(round(7 * s), (70, 74, 82), (leg, row - 24 * s), (leg, row + 50 * s))
        if not night:
            c.glow(430, 240, 420, (60, 56, 40))
    else:
        c.rect(260, 110, 1020, 430, (128, 88, 52))
        c.gradient((276, 126, 1004, 414), (0, (36, 76, 62)), (1, (50, 92, 76)), across=True)
        c.grain(0.16, 30, 90, box=(276, 126, 1004, 414), stretch=2)
        chalk: RGB = (214, 224, 214)
        for i in range(5):
            y = 165 + i * 34
            end = 320 + float(rng.uniform(120, 230))
            c.draw.line(
                [(x, y + 6 * math.sin(x * 0.4 + i)) for x in range(310, round(end), 4)],
                fill=chalk,
                width=3,
            )
        c.draw.ellipse((650, 180, 800, 330), outline=chalk, width=4)
        c.line(4, chalk, (725, 180), (725, 330), (860, 330), (725, 180))
        c.line(3, (236, 190, 120), (830, 380), (960, 240))
        c.disc(1140, 150, 54, (244, 240, 230))
        c.line(5, (40, 40, 44), (1140, 150), (1140, 112))
        c.line(4, (40, 40, 44), (1140, 150), (1166, 166))
        for k in range(7):
            c.rect(
                60 + k * 22,
                300 - k % 3 * 14,
                80 + k * 22,
                420,
                mix((190, 60, 50), (50, 90, 150), k / 6),
            )
        c.rect(40, 420, 230, 434, (120, 84, 54))
        c.disc(160, 200, 62, (90, 150, 200))
        c.poly((90, 160, 90), (120, 170), (180, 160), (190, 220), (140, 230))
        c.floor(570, (196, 150, 100), (166, 128, 90), 14, (140, 104, 70), cross=4)
        c.box3d(820, 480, 1150, 620, (150, 100, 60), 24)
        c.disc(880, 462, 18, (206, 50, 44))
        c.rect(1000, 440, 1080, 478, (240, 236, 226))
    if night:
        c.dim(0.45, 0.47, 0.62)
    for x in (330, 900):
        c.rect(x, 20, x + 160, 34, (250, 250, 240))
        c.glow(x + 80, 30, 260, (46, 46, 40), live=True)
    return c.plate(1.02, 1.0, 0.95)


def bridge(rng: Rng, night: bool, reverse: bool) -> Plate:
    """The bridge of a space ship: a great window; behind the camera, door and panels."""
    x: float
    y: float
    metal: RGB = (62, 74, 96)
    c = Canvas(rng, (0, shade(metal, 0.6)), (0.7, metal), (1, shade(metal, 0.5)))
    c.grain(0.1, 5, 120)
    if reverse:
        for k in range(8):
            x = k * 166
            c.rect(x, 60, x + 150, 560, shade(metal, 0.8 + 0.1 * (k % 3)))
            c.line(3, shade(metal, 0.4), (x + 150, 60), (x + 150, 560))
            for row in range(6):
                glow = mix((240, 150, 50), (80, 220, 220), float(rng.random()))
                if rng.random() < 0.7:
                    c.rect(
                        x + 20,
                        120 + row * 62,
                        x + float(rng.uniform(50, 125)),
                        132 + row * 62,
                        glow,
                    )
        c.poly((34, 40, 54), (500, 600), (500, 190), (570, 120), (710, 120), (780, 190), (780, 600))
        c.poly((112, 124, 146), (518, 600), (518, 200), (580, 140), (636, 140), (636, 600))
        c.poly((100, 112, 134), (762, 600), (762, 200), (700, 140), (644, 140), (644, 600))
        c.rect(560, 84, 720, 106, (250, 90, 60))
        c.glow(640, 95, 200, (150, 40, 26), live=True, rate=0.5)
    else:
        c.poly((4, 6, 16), (140, 400), (260, 70), (1020, 70), (1140, 400))
        for _ in range(260):
            x, y = float(rng.uniform(190, 1090)), float(rng.uniform(76, 396))
            if abs(x - 640) < 390 + (y - 70) * 0.33:
                c.disc(
                    x, y, float(rng.uniform(0.6, 2.2)), shade((230, 235, 255), rng.uniform(0.4, 1))
                )
        c.disc(820, 250, 126, (60, 120, 170))
        for i in range(7):
            band = mix((70, 150, 180), (220, 200, 170), float(rng.random()))
            half = math.sqrt(max(0, 126**2 - (i * 32 - 100) ** 2)) * 0.96
            c.disc(820, 250 + i * 32 - 100, half, band, ry=9)
        c.disc(868, 236, 124, (8, 12, 26))
        c.disc(790, 254, 78, (110, 170, 196))
        c.glow(770, 250, 230, (30, 60, 90))
        for x0, x1 in ((260, 140), (513, 473), (766, 806), (1020, 1140)):
            c.line(14, (110, 120, 140), (x0, 66), (x1, 404))
        c.line(16, (120, 130, 150), (250, 68), (1030, 68))
        c.line(18, (96, 106, 126), (130, 404), (1150, 404))
        for k in range(6):
            x = 130 + k * 172
            c.poly((48, 58, 78), (x, 470), (x + 150, 470), (x + 166, 600), (x - 16, 600))
            c.poly((26, 34, 50), (x + 8, 480), (x + 142, 480), (x + 148, 530), (x + 2, 530))
            for j in range(9):
                lamp = ((240, 120, 50), (70, 220, 210), (120, 240, 120))[int(rng.integers(3))]
                c.rect(
                    x + 14 + j * 14, 490 + 10 * (j % 3), x + 23 + j * 14, 497 + 10 * (j % 3), lamp
                )
            c.glow(x + 75, 500, 110, (16, 60, 66), live=True, rate=0.3 + 0.13 * k)
    c.floor(596, (52, 60, 78), (38, 46, 62), 10, (84, 150, 170), cross=3)
    for x in (0, 1110):
        c.has_front = True
        c.near.polygon(
            [(x, 720), (x + 14, 560), (x + 160, 560), (x + 190, 720)], fill=(20, 26, 40, 255)
        )
        c.near.polygon(
            [(x + 20, 566), (x + 152, 566), (x + 158, 600), (x + 18, 600)], fill=(40, 190, 190, 255)
        )
    if night:
        c.dim(0.7, 0.45, 0.45)
        c.glow(640, 60, 620, (130, 14, 10), live=True, rate=1.1)
    return c.plate(*((1.0, 0.6, 0.6) if night else (0.82, 0.92, 1.08)))


def stage(rng: Rng, night: bool, reverse: bool) -> Plate:
    """A concert stage with curtains, drums and spots; behind the singer, the hall."""
    if reverse:
        c = Canvas(rng, (0, (30, 18, 40)), (0.5, (60, 34, 74)), (1, (22, 14, 30)))
        for row in range(3):
            y = 150 + row * 110
            c.poly((86, 52, 56), (0, y), (WIDE, y), (WIDE, y + 26), (0, y + 26))
            for k in range(46):
                head = mix((200, 150, 130), (70, 50, 70), float(rng.random()))
                x = k * 29 + float(rng.uniform(-6, 6))
                c.disc(x, y - 14, 11, head)
                c.disc(x, y + 6, 15, shade(head, 0.5), ry=11)
        for k in range(7):
            c.glow(90 + k * 184, 60, 150, (150, 110, 60), live=True)
        for row in range(5):
            y = 470 + row * 55
            for k in range(24 - 2 * row):
                head = mix((180, 130, 120), (50, 40, 64), float(rng.random()))
                x = k * (54 + 5 * row) + float(rng.uniform(-10, 10))
                c.disc(x, y, 18 + 3 * row, head)
                c.disc(x, y + 40, 28 + 4 * row, shade(head, 0.4), ry=24)
        c.grain(0.12, 5, 60)
        return c.plate(0.95, 0.7, 0.85)
    c = Canvas(rng, (0, (24, 10, 34)), (0.6, (84, 26, 74)), (1, (30, 14, 40)))
    for x in (220, 520, 820, 1060):
        hue = ((60, 150, 240), (240, 80, 160), (250, 170, 60), (110, 230, 160))[x // 60 % 4]
        c.poly(
            mix(hue, (60, 20, 60), 0.62), (x - 8, 40), (x + 8, 40), (x + 130, 600), (x - 150, 600)
        )
        c.disc(x, 36, 20, mix(hue, (255, 255, 255), 0.6))
        c.glow(x, 60, 220, shade(hue, 0.5), live=True, rate=0.4 + x / 2500)
        c.glow(x, 600, 240, shade(hue, 0.28))
    c.line(12, (30, 30, 38), (0, 30), (WIDE, 30))
    for x in range(0, WIDE, 46):
        c.line(3, (44, 44, 54), (x, 14), (x + 46, 46))
    for k in range(9):
        for side in (0, 1):
            x = k * 22 if side == 0 else WIDE - k * 22
            c.rect(x - 11, 0, x + 11, 610, shade((170, 28, 40), 0.55 + 0.45 * (k % 2)))
    c.grain(0.1, 5, 80)
    for x in (250, 940):
        for y in (440, 520):
            c.rect(x, y, x + 90, y + 78, (26, 26, 30))
            c.disc(x + 45, y + 40, 30, (58, 58, 64))
            c.disc(x + 45, y + 40, 11, (24, 24, 28))
    c.disc(640, 500, 66, (196, 44, 50))
    c.disc(640, 500, 54, (236, 230, 222))
    for x, y in ((550, 470), (730, 470), (590, 420), (690, 420)):
        c.rect(x - 36, y, x + 36, y + 40, (196, 44, 50))
        c.disc(x, y, 36, (232, 228, 220), ry=12)
    for x, y in ((490, 390), (790, 390)):
        c.line(4, (140, 140, 140), (x, y), (x, 580))
        c.disc(x, y, 54, (222, 186, 80), ry=10)
    c.floor(588, (110, 66, 60), (80, 44, 56), 16, (60, 34, 44), cross=3)
    c.crowd(700, 34, 13, (14, 8, 20), 0.35)
    return c.plate(1.0, 0.82, 0.95)


def diner(rng: Rng, night: bool, reverse: bool) -> Plate:
    """A roadside diner: the counter; behind the camera, booths under a window."""
    wall: RGB = (96, 170, 164) if not reverse else (226, 196, 160)
    c = Canvas(rng, (0, shade(wall, 0.8)), (1, wall))
    c.grain(0.08, 6, 120)
    if reverse:
        c.window(
            90, 110, 600, 360, _outside(night) if night else (236, 190, 140), (190, 196, 200), 4
        )
        c.window(
            690, 110, 1200, 360, _outside(night) if night else (236, 190, 140), (190, 196, 200), 4
        )
        c.floor(590, (214, 206, 196), (180, 172, 164), 12, (60, 60, 66), cross=6)
        for x in (60, 470, 880):
            for side in (0, 250):
                c.draw.rounded_rectangle(
                    (x + side, 370, x + side + 100, 630), 24, fill=(186, 44, 50)
                )
                c.draw.rounded_rectangle(
                    (x + side + 14, 386, x + side + 86, 500), 18, fill=(210, 70, 70)
                )
            c.box3d(x + 90, 500, x + 262, 516, (214, 214, 210), 22)
            c.line(14, (130, 134, 140), (x + 180, 516), (x + 180, 640))
            c.rect(x + 150, 466, x + 164, 494, (200, 40, 34))
            c.rect(x + 176, 470, x + 188, 494, (236, 200, 80))
    else:
        c.rect(120, 150, 1160, 168, (150, 156, 160))
        c.rect(120, 262, 1160, 280, (150, 156, 160))
        for k in range(24):
            h = float(rng.uniform(34, 74))
            c.draw.rounded_rectangle(
                (136 + k * 42, 150 - h, 160 + k * 42, 150),
                6,
                fill=mix((230, 220, 190), (180, 70, 50), float(rng.random())),
            )
            c.draw.rounded_rectangle(
                (140 + k * 42, 262 - h * 0.6, 168 + k * 42, 262),
                5,
                fill=mix((240, 240, 236), (90, 150, 190), float(rng.random())),
            )
        c.rect(860, 300, 1010, 430, (176, 180, 184))
        c.rect(880, 320, 940, 380, (60, 40, 30))
        c.line(9, (240, 80, 120), (330, 330), (400, 300), (470, 330), (540, 300), (610, 330))
        c.glow(470, 320, 230, (150, 40, 70), live=True, rate=0.6)
        c.rect(0, 426, WIDE, 450, (226, 226, 222))
        c.gradient((0, 450, WIDE, 600), (0, (176, 40, 46)), (1, (120, 26, 34)))
        for x in range(0, WIDE, 60):
            c.line(3, (200, 204, 208), (x, 452), (x, 600))
        c.floor(598, (214, 206, 196), (180, 172, 164), 12, (60, 60, 66), cross=6)
        for x in range(150, 1200, 180):
            c.rect(x - 7, 530, x + 7, 650, (170, 174, 180))
            c.disc(x, 524, 46, (190, 40, 46), ry=16)
            c.disc(x, 516, 46, (216, 70, 70), ry=13)
    if night:
        c.dim(0.5, 0.48, 0.6)
    for x in (320, 960):
        _lamp(c, x, 84, (226, 210, 180), (120, 90, 50) if night else (50, 40, 24), 300)
    return c.plate(*((0.95, 0.8, 0.75) if night else (1.02, 1, 0.95)))


def lighthouse(rng: Rng, night: bool, reverse: bool) -> Plate:
    """A round room with a great lamp; behind the camera, stairs and a bunk."""
    stone: RGB = (168, 158, 140) if not reverse else (120, 126, 136)
    c = Canvas(rng, (0, shade(stone, 0.7)), (1, stone))
    for row in range(12):
        y = row * 52
        for k in range(13):
            x = k * 104 + (row % 2) * 52 - 30
            c.draw.rounded_rectangle(
                (x, y, x + 98, y + 46), 8, fill=shade(stone, float(rng.uniform(0.8, 1.08)))
            )
    c.gradient((0, 600, WIDE, HIGH), (0, (70, 54, 40)), (1, (110, 84, 60)))
    c.grain(0.15, 4, 50)
    c.floor(596, (124, 92, 62), (92, 70, 50), 12, (66, 48, 34), cross=2)
    if reverse:
        for k in range(9):
            c.box3d(700 + k * 60, 560 - k * 58, 820 + k * 60, 600 - k * 58, (120, 84, 54), 18)
        c.rect(90, 470, 470, 520, (96, 66, 44))
        c.draw.rounded_rectangle((96, 430, 466, 486), 18, fill=(150, 50, 46))
        c.draw.rounded_rectangle((100, 410, 190, 470), 16, fill=(230, 226, 214))
        c.window(230, 140, 400, 320, _outside(night), (90, 64, 42), 2)
    else:
        c.window(90, 150, 330, 380, _outside(night), (90, 64, 42), 2)
        c.window(950, 150, 1190, 380, _outside(night), (90, 64, 42), 2)
        c.draw.rounded_rectangle((540, 90, 740, 400), 60, fill=(70, 74, 80))
        for k in range(7):
            c.line(4, (214, 200, 140), (556, 130 + k * 38), (724, 130 + k * 38))
        c.disc(640, 240, 54, (255, 246, 206))
        c.rect(570, 400, 710, 600, (84, 66, 52))
        c.glow(640, 240, 420, (150, 130, 70), live=True, rate=0.35)
        c.box3d(860, 500, 1100, 520, (120, 84, 54), 24)
        for x in (880, 1080):
            c.line(12, (90, 62, 40), (x, 520), (x, 630))
        c.rect(920, 470, 990, 494, (236, 226, 196))
    if night:
        c.dim(0.5, 0.48, 0.58)
        c.glow(640, 300, 520, (70, 56, 26), live=True)
    return c.plate(*((0.85, 0.76, 0.7) if night else (1, 0.97, 0.9)))
