"""A catalog of invented titles at any size, with pictures, words, features and a version.

    python benchmarks/synthetic.py FOLDER --titles 100 --shots 1000 --longest 2000

What shots are like is planted: a title goes through scenes, each in one of eight settings with its
colour, features near the setting's own and an embedding that knows the scene. Pictures are drawn,
films, where asked for, are encoded for real: in every frame the colour and number of its shot.
"""

from __future__ import annotations

import argparse
import colorsys
import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mediafm.catalog import Catalog, EncoderRecord, TitleRecord, VersionRecord
from mediafm.timeline import US, Cue, Shot, Span

Array = np.ndarray[Any, Any]

SETTINGS = ("harbour", "kitchen", "forest", "street", "office", "desert", "stage", "train")
TONES = ("tense", "warm", "eerie", "busy", "dry", "lonely", "bright", "restless")
WIDTHS = {"video": 64, "audio": 32, "text": 32}
EMBEDDING = 128
SIZE = (320, 180)
RATE = 24
_NAMES = (
    "The Long Quay", "Salt and Iron", "Paper Lanterns", "A Quiet Platform", "North of Noon",
    "The Glass Orchard", "Second Winter", "Low Tide", "The Cartographer", "Ember Street",
)  # fmt: skip
_WORDS = (
    "We should have left before the storm.", "Put the kettle on.", "Did you hear that?",
    "The last train went an hour ago.", "Nobody lives here any more.", "Hold the rope.",
    "It was never about the money.", "Look at the light.", "Tell them we are coming.",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """One title.

    Args:
        title_id: Its id.
        setting_N: The setting of each shot.
        scene_N: The scene of each shot.
        spans: When each shot is.
    """

    title_id: str
    setting_N: Array
    scene_N: Array
    spans: list[Span]


def plan(title_id: str, shots: int, seed: int) -> Plan:
    """Scenes of three to nine shots; shots of one to five seconds, whole frames."""
    rng = np.random.default_rng([seed, shots])
    scene_N = np.repeat(np.arange(shots), rng.integers(3, 10, shots))[:shots]
    settings = rng.integers(0, len(SETTINGS), scene_N.max() + 1)
    ends = np.cumsum(rng.integers(RATE, 5 * RATE, shots))
    times = np.concatenate([[0], ends]) * US // RATE
    spans = [Span(int(a), int(b)) for a, b in itertools.pairwise(times)]
    return Plan(title_id, settings[scene_N], scene_N, spans)


def colour(setting: int, shot: int) -> tuple[int, int, int]:
    """A setting's hue, and a brightness of the shot's own."""
    lightness = 0.22 + 0.36 * (shot * 7 % 11) / 11
    red, green, blue = colorsys.hls_to_rgb(setting / len(SETTINGS), lightness, 0.45)
    return round(red * 255), round(green * 255), round(blue * 255)


@cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def picture(setting: int, shot: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """Hills in the setting's colour under a sun, and the shot's number."""
    width, height = size
    base = colour(setting, shot)
    image = Image.new("RGB", size, tuple(min(255, int(c * 1.5) + 30) for c in base))
    draw = ImageDraw.Draw(image)
    x, y = (shot * 53 % 80 + 10) * width // 100, height // 4
    draw.ellipse((x - 14, y - 14, x + 14, y + 14), fill=(250, 236, 200))
    for depth in (0, 1, 2):
        shade = tuple(int(c * (0.9 - 0.25 * depth)) for c in base)
        top = height * (45 + 18 * depth) // 100
        peak = (shot * (29 + 13 * depth) + setting * 31) % width
        draw.polygon([(0, height), (0, top + 20), (peak, top), (width, top + 26), size], fill=shade)
    draw.text((12, height - 34), f"{SETTINGS[setting]} {shot}", fill="white", font=_font(20))
    return image


def jpeg(setting: int, shot: int) -> bytes:
    """The picture as a keyframe."""
    buffer = io.BytesIO()
    picture(setting, shot).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def film(
    path: Path,
    made: Plan,
    codec: str = "libx264",
    rate: int = RATE,
    pixels: str = "yuv420p",
    audio: str | None = "aac",
    **options: str,
) -> Path:
    """Encodes a title: a still picture per shot with a bar that moves, and a tone per setting."""
    with av.open(str(path), "w") as out:
        video = out.add_stream(codec, rate=rate, options=options)
        video.width, video.height, video.pix_fmt = *SIZE, pixels  # type: ignore[attr-defined]
        sound = out.add_stream(audio, rate=48_000, layout="mono") if audio else None
        for shot, span in enumerate(made.spans):
            still = np.asarray(picture(int(made.setting_N[shot]), shot))
            frames = round(span.duration * rate / US)
            for number in range(frames):
                frame_HWC = still.copy()
                frame_HWC[:6, : SIZE[0] * (number + 1) // frames] = 255
                frame = av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")
                out.mux(video.encode(frame))  # type: ignore[attr-defined]
            if sound is not None:
                samples = round(span.duration * 48_000 / US)
                pitch = 180 + 40 * int(made.setting_N[shot])
                wave = 0.1 * np.sin(np.arange(samples) * 2 * np.pi * pitch / 48_000)
                chunk = av.AudioFrame.from_ndarray(
                    wave.astype(np.float32)[None], format="fltp", layout="mono"
                )
                chunk.sample_rate = 48_000
                out.mux(sound.encode(chunk))  # type: ignore[attr-defined]
        out.mux(video.encode(None))  # type: ignore[attr-defined]
        if sound is not None:
            out.mux(sound.encode(None))  # type: ignore[attr-defined]
    return path


def encoders() -> dict[str, EncoderRecord]:
    """Encoders that nobody has any more, as of imported features."""
    return {
        modality: EncoderRecord(modality, f"invented-{modality}", f"{modality}-1", width,
                                {"source": "invented"})
        for modality, width in WIDTHS.items()
    }  # fmt: skip


def add_title(catalog: Catalog, made: Plan, record: TitleRecord, seed: int = 0) -> TitleRecord:
    """Writes a title with pictures, words and features."""
    rng = np.random.default_rng([seed, len(made.spans), 1])
    centre = np.random.default_rng(7)
    with catalog.writer(made.title_id, encoders()) as writer:
        shots = [Shot(i, span) for i, span in enumerate(made.spans)]
        writer.add_shots(shots)
        writer.add_cues(
            [
                Cue(Span(s.start + s.duration // 10, s.end - s.duration // 5),
                    _WORDS[(i * 5 + seed) % len(_WORDS)], language="en", source="invented.srt")
                for i, s in enumerate(made.spans)
                if i % 3 == 0
            ]
        )  # fmt: skip
        if record.width:
            held = [(i, jpeg(int(k), i)) for i, k in enumerate(made.setting_N)]
            writer.add_keyframes(held)
        for modality, width in WIDTHS.items():
            centres = centre.normal(size=(len(SETTINGS), width))
            x_ND = centres[made.setting_N] + 0.6 * rng.normal(size=(len(made.spans), width))
            speaks_N = np.arange(len(made.spans)) % 3 == 0  # where there are cues
            writer.add_features(modality, 0, x_ND, speaks_N if modality == "text" else None)
        return writer.commit(record)


def embeddings(made: Plan, seed: int = 0) -> Array:
    """What a model would say: the setting, the scene, and a little of the shot."""
    centres = np.random.default_rng([11, seed]).normal(size=(len(SETTINGS), EMBEDDING))
    rng = np.random.default_rng([len(made.spans), int(made.setting_N.sum()), seed])
    scenes = rng.normal(size=(int(made.scene_N.max()) + 1, EMBEDDING))
    x_NH = centres[made.setting_N] + 0.6 * scenes[made.scene_N]
    x_NH = x_NH + 0.5 * rng.normal(size=x_NH.shape)
    return np.asarray(x_NH / np.linalg.norm(x_NH, axis=1, keepdims=True))


def about(number: int, made: Plan, **more: Any) -> TitleRecord:
    """What people call a title: movies, and episodes of a series of ten."""
    name = _NAMES[number % len(_NAMES)]
    values: dict[str, Any] = {
        "title": f"{name} {number // len(_NAMES) + 1}" if number >= len(_NAMES) else name,
        "kind": "movie" if number % 2 else "episode",
        "series_id": None if number % 2 else f"series-{number // 20}",
        "season": None if number % 2 else 1,
        "episode": None if number % 2 else number % 20 // 2 + 1,
        "year": 1960 + number % 60,
        "synopsis": f"A story that begins in the {SETTINGS[int(made.setting_N[0])]}.",
        "tags": ("invented", SETTINGS[number % len(SETTINGS)]),
        "genres": (("drama", "comedy", "documentary")[number % 3],),
        "duration": made.spans[-1].end,
        "frame_rate": f"{RATE}/1",
        "timecode": "01:00:00:00",
        "width": SIZE[0],
        "height": SIZE[1],
    } | more
    return TitleRecord(made.title_id, "", **values)


def tone_rows(plans: Sequence[Plan]) -> list[dict[str, str]]:
    """Rows of a label file: every scene has the tone of its setting."""
    rows = []
    for made in plans:
        for scene in range(int(made.scene_N.max()) + 1):
            shots = np.flatnonzero(made.scene_N == scene)
            first, last = made.spans[shots[0]], made.spans[shots[-1]]
            rows.append(
                {
                    "title_id": made.title_id,
                    "start": f"{first.start / US:.6f}",
                    "end": f"{last.end / US:.6f}",
                    "tone": TONES[int(made.setting_N[shots[0]])],
                }
            )
    return rows


def make_catalog(
    folder: Path, lengths: Sequence[int], films: int = 0, versions: Sequence[str] = ("one",)
) -> Catalog:
    """A catalog of titles ``title-000 ..``.

    Args:
        folder: Where it goes; films beside it, in ``films``.
        lengths: Shots of each title.
        films: How many of the titles have a film.
        versions: Names of the versions; the last is current.
    """
    catalog = Catalog.create(folder)
    plans = []
    for number, shots in enumerate(lengths):
        made = plan(f"title-{number:03d}", shots, number)
        more: dict[str, Any] = {}
        if number < films:
            beside = folder.parent / "films"
            beside.mkdir(exist_ok=True)
            path = film(beside / f"{made.title_id}.mp4", made, preset="ultrafast", g=str(RATE))
            facts = path.stat()
            more = {"path": str(path), "size": facts.st_size, "mtime_ns": facts.st_mtime_ns,
                    "content": f"invented-{number}"}  # fmt: skip
        plans.append((made, add_title(catalog, made, about(number, made, **more), number)))
    for seed, name in enumerate(versions):
        catalog.create_version(VersionRecord(name, f"invented-{name}", EMBEDDING, "invented"))
        for made, record in plans:
            catalog.append_embeddings(
                name, [(made.title_id, record.ingest_id, embeddings(made, seed))]
            )
        catalog.promote(name)
    catalog.compact()
    catalog.index()
    return catalog


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--titles", type=int, default=100)
    parser.add_argument("--shots", type=int, default=1000)
    parser.add_argument("--longest", type=int, default=2000)
    parser.add_argument("--films", type=int, default=1)
    given = parser.parse_args()
    lengths = [given.longest, *[given.shots] * (given.titles - 1)]
    make_catalog(given.folder, lengths, given.films, ("older", "newer"))
    print(f"{given.titles} titles, {sum(lengths)} shots in {given.folder}")


if __name__ == "__main__":
    main()
