"""The films of the sample: series, casts, places, genres and how a genre tells a story."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

Beat = tuple[str, str, int]
"""A scene of a formula: kind of scene, tone, which of the title's places."""

FORMULAS: dict[str, tuple[Beat, ...]] = {
    "thriller": (
        ("establish", "calm", 0),
        ("talk", "tense", 1),
        ("search", "tense", 0),
        ("chase", "action", 2),
        ("farewell", "sad", 0),
    ),
    "comedy": (
        ("establish", "calm", 0),
        ("talk", "funny", 0),
        ("gag", "funny", 1),
        ("talk", "romantic", 2),
        ("gag", "funny", 0),
    ),
    "science fiction": (
        ("establish", "wonder", 1),
        ("talk", "calm", 0),
        ("search", "wonder", 1),
        ("chase", "action", 0),
        ("talk", "sad", 0),
    ),
    "western": (
        ("establish", "calm", 0),
        ("talk", "tense", 1),
        ("walk", "calm", 0),
        ("chase", "action", 0),
        ("farewell", "romantic", 1),
    ),
    "music": (
        ("perform", "romantic", 0),
        ("talk", "sad", 1),
        ("walk", "calm", 2),
        ("talk", "romantic", 1),
        ("perform", "wonder", 0),
    ),
    "horror": (
        ("establish", "calm", 0),
        ("search", "scary", 0),
        ("talk", "tense", 1),
        ("search", "scary", 0),
        ("chase", "scary", 0),
    ),
}
"""Scenes of a genre in order: what comes next can be guessed from what came before."""

WEATHER: dict[str, str] = {
    "harbour": "rain",
    "forest": "fireflies",
    "street": "rain",
    "desert": "dust",
    "planet": "dust",
    "kitchen": "",
    "classroom": "",
    "bridge": "",
    "stage": "sparks",
    "diner": "",
    "lighthouse": "dust",
}
"""Particles of a place, shown in its tense, sad and scary scenes, always for sparks and dust."""


@dataclass(frozen=True)
class Series:
    """What the episodes of a series, or the parts of a film, have in common.

    Args:
        name: Name of the series; of a movie, its title.
        genre: Key of ``FORMULAS``.
        more: Further genres.
        places: Places in the order the formula counts them.
        cast: Names of the characters; the first two lead.
        night: Per place, whether its scenes play at night.
        year: First year.
        tags: For the metadata file.
    """

    name: str
    genre: str
    more: tuple[str, ...]
    places: tuple[str, ...]
    cast: tuple[str, ...]
    night: tuple[bool, ...]
    year: int
    tags: tuple[str, ...]


SERIES: dict[str, Series] = {
    "harbour-lights": Series(
        "Harbour Lights",
        "thriller",
        ("crime", "drama"),
        ("harbour", "kitchen", "street"),
        ("Mara", "Osric", "Pell"),
        (True, False, True),
        2021,
        ("detective", "sea", "night", "secret"),
    ),
    "room-twelve": Series(
        "Room Twelve",
        "comedy",
        ("family",),
        ("classroom", "kitchen", "street"),
        ("Miss Quill", "Bram", "Headmaster Ott"),
        (False, False, False),
        2019,
        ("school", "friends", "prank"),
    ),
    "the-long-orbit": Series(
        "The Long Orbit",
        "science fiction",
        ("adventure",),
        ("bridge", "planet"),
        ("Captain Sol", "Ivo", "Tamsin"),
        (False, False),
        2024,
        ("space", "crew", "first contact"),
    ),
    "dust-and-chrome": Series(
        "Dust and Chrome",
        "western",
        ("drama",),
        ("desert", "diner"),
        ("Dell", "June"),
        (False, True),
        2017,
        ("road", "desert", "second chances"),
    ),
    "the-last-encore": Series(
        "The Last Encore",
        "music",
        ("romance", "drama"),
        ("stage", "diner", "street"),
        ("Lena Vey", "Gus"),
        (True, False, True),
        2022,
        ("concert", "band", "love"),
    ),
    "the-keepers-hat": Series(
        "The Keeper's Hat",
        "comedy",
        ("silent",),
        ("lighthouse", "harbour", "street"),
        ("Fenwick", "Dot"),
        (False, False, False),
        1926,
        ("slapstick", "black and white", "sea"),
    ),
    "whisper-wood": Series(
        "Whisper Wood",
        "horror",
        ("mystery",),
        ("forest", "lighthouse"),
        ("Wren", "Tobias"),
        (True, True),
        2023,
        ("woods", "night", "lantern"),
    ),
}
"""By slug."""


@dataclass(frozen=True)
class Entry:
    """One title of the sample.

    Args:
        series: Key of ``SERIES``.
        episode: Number within the series; ``None`` for a movie.
        name: Its own title.
        synopsis: Two sentences.
        fps: Frames per second.
        container: ``mp4`` or ``mkv``.
        subtitles: ``sidecar``, ``embedded`` or ``none``.
        sound: Whether it has an audio stream.
        colour: Whether it is in colour.
    """

    series: str
    episode: int | None
    name: str
    synopsis: str
    fps: Fraction = Fraction(24)
    container: str = "mp4"
    subtitles: str = "sidecar"
    sound: bool = True
    colour: bool = True


_PAL, _NTSC = Fraction(25), Fraction(30000, 1001)

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "harbour-lights",
        1,
        "The Third Pier",
        "A detective finds a key that fits no door in town. Whoever "
        "lost it wants it back before the tide turns.",
        _PAL,
    ),
    Entry(
        "room-twelve",
        1,
        "Show and Tell",
        "A new teacher lets her class bring pets for a day. Nobody asked how large a pet may be.",
    ),
    Entry(
        "the-long-orbit",
        1,
        "First Light",
        "A small crew wakes above a planet that is on no chart. Something down there is singing.",
        container="mkv",
        subtitles="embedded",
    ),
    Entry(
        "the-last-encore",
        None,
        "The Last Encore",
        "A singer plays her farewell concert. The drummer has one "
        "evening left to tell her the truth.",
        _PAL,
    ),
    Entry(
        "the-keepers-hat",
        None,
        "The Keeper's Hat",
        "A lighthouse keeper chases his hat through a fishing "
        "town. Without a word, he finds a friend.",
        sound=False,
        colour=False,
    ),
    Entry(
        "whisper-wood",
        None,
        "Whisper Wood",
        "Two friends take a short cut through the wood at night. The wood has other plans.",
        subtitles="none",
    ),
    Entry(
        "dust-and-chrome",
        None,
        "Dust and Chrome",
        "An old driver comes back to the road that he once lost a "
        "race on. The waitress remembers who won.",
        _NTSC,
    ),
    Entry(
        "harbour-lights",
        2,
        "High Water",
        "A letter arrives that was posted ten years ago. Mara recognises "
        "the handwriting, and wishes she did not.",
        _PAL,
        container="mkv",
    ),
    Entry(
        "room-twelve",
        2,
        "The Substitute",
        "The headmaster teaches for one morning. The class has been preparing for this all year.",
    ),
    Entry(
        "the-long-orbit",
        2,
        "Two Moons",
        "The ship's engine fails on the day of a double eclipse. Tamsin "
        "hears the singing again, and it knows her name.",
    ),
)
"""The ten titles; more are made as further episodes of the series."""
