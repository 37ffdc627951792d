"""Contact sheets to judge shot boundaries by eye, beside PySceneDetect.

    python benchmarks/shots.py FILM --out FOLDER

Writes a sheet of all our boundaries (two frames before, two after, 48 a page) and one of the
boundaries that PySceneDetect's content or adaptive detector finds and we lack. Whoever looks at
them writes the verdict down, as in ``results/shots-big-buck-bunny.txt``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scenedetect import AdaptiveDetector, ContentDetector, detect

from mediafm.media.chunks import ReadOptions, VideoChunk
from mediafm.media.reader import Reader
from mediafm.shots import Segmenter, ShotConfig, make_detector
from mediafm.timeline import Shot, format_time

AROUND = (-6, -1, 0, 5)
"""Frames shown, counted from the first one of the new shot."""

WIDTH, HEIGHT, COLUMNS, PAGE = 144, 81, 3, 48


def boundaries(film: Path, detector_name: str) -> tuple[list[Shot], np.ndarray, np.ndarray]:
    """Our shots, the time of every frame, and every frame in small."""
    detector, times, small = make_detector(detector_name), [], []
    segmenter = Segmenter(ShotConfig(), detector.threshold)
    shots: list[Shot] = []
    with Reader(film) as reader:
        for chunk in reader:
            if isinstance(chunk, VideoChunk):
                rates = detector.feed(chunk.thumbnails_THWC)
                shots += segmenter.push(rates, chunk.times_T, chunk.thumbnails_THWC)
                times.append(chunk.times_T)
        nothing = np.zeros(0, np.int64)
        rest = segmenter.push(detector.finish(), nothing, np.zeros((0, 27, 48, 3), np.uint8))
        shots += rest + segmenter.finish(reader.end)
    with Reader(film, ReadOptions(thumbnail=(WIDTH, HEIGHT))) as reader:
        small = [c.thumbnails_THWC for c in reader if isinstance(c, VideoChunk)]
    return shots, np.concatenate(times), np.concatenate(small)


def sheet(frames: np.ndarray, times: np.ndarray, places: list[int], out: Path) -> None:
    """Draws the frames around each place; a red line stands where the boundary is."""
    cell = (len(AROUND) * (WIDTH + 2) + 12, HEIGHT + 20)
    rows = -(-len(places) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * cell[0], rows * cell[1]), "white")
    draw = ImageDraw.Draw(page)
    for number, place in enumerate(places):
        x, y = number % COLUMNS * cell[0], number // COLUMNS * cell[1]
        draw.text((x, y), f"{place}  {format_time(int(times[place]))}", fill="black")
        for column, offset in enumerate(AROUND):
            frame = frames[min(max(place + offset, 0), len(frames) - 1)]
            page.paste(Image.fromarray(frame), (x + column * (WIDTH + 2), y + 14))
        middle = x + 2 * (WIDTH + 2) - 2
        draw.line([(middle, y + 12), (middle, y + cell[1])], fill="red", width=2)
    page.save(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("film", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--detector", default="transnetv2")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    shots, times, frames = boundaries(options.film, options.detector)
    ours = np.searchsorted(times, [shot.span.start for shot in shots[1:]])
    forced = sum(shot.forced for shot in shots)
    print(f"{len(ours)} boundaries, {forced} of them at the maximum length")
    lacking: set[int] = set()
    for name, peer in (("content", ContentDetector()), ("adaptive", AdaptiveDetector())):
        theirs = [scene[0].frame_num for scene in detect(str(options.film), peer)[1:]]
        missing = [f for f in theirs if np.abs(ours - f).min(initial=len(times)) > 5]
        extra = [f for f in ours if np.abs(np.array(theirs) - f).min(initial=len(times)) > 5]
        lacking |= set(missing)
        print(f"{name}: {len(theirs)}, {len(missing)} of them not ours, {len(extra)} ours alone")
    for page in range(0, len(ours), PAGE):
        sheet(frames, times, ours[page : page + PAGE].tolist(), options.out / f"ours-{page}.png")
    if lacking:
        sheet(frames, times, sorted(lacking), options.out / "lacking.png")
    print(f"look at {options.out}")


if __name__ == "__main__":
    main()
