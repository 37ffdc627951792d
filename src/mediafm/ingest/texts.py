"""Timed text per shot, and its vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mediafm.encoders import PaidEncoder, TextEncoder
from mediafm.ingest.cache import VectorCache, Vectors, content_key
from mediafm.timeline import US, Cue, Shot, Span, format_time

_TEXTS = 512
"""Texts in one call of an encoder; what is done is kept after each."""


def encode_texts(
    encoder: TextEncoder,
    texts: Sequence[str],
    cache: VectorCache,
    announce: Callable[[str], None] | None = None,
) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.bool_]]:
    """Encodes texts, equal ones once.

    Args:
        encoder: Texts to vectors.
        texts: One per row, empty where there is none.
        cache: What was computed before.
        announce: Gets what a paid encoder is about to cost.

    Returns:
        ``x_ND`` and ``present_N``.
    """
    there = [text for text in texts if text]
    present_N = np.array([bool(text) for text in texts], dtype=np.bool_)
    x_ND = np.zeros((len(texts), encoder.info.dim), np.float16)
    x_ND[present_N] = cache.through(
        encoder.info.fingerprint,
        [content_key(text) for text in there],
        encoder.info.dim,
        lambda places: _parts(encoder, there, places, announce),
    )
    return x_ND, present_N


def _parts(
    encoder: TextEncoder,
    texts: Sequence[str],
    places: list[int],
    announce: Callable[[str], None] | None,
) -> Iterable[tuple[list[int], Vectors]]:
    wanted = [texts[place] for place in places]
    if announce is not None and isinstance(encoder, PaidEncoder):
        announce(f"{encoder.info.name}: {encoder.estimate(wanted)}")
    batches = getattr(encoder, "encode_batches", None)
    if batches is not None:  # a service that answers request by request, each of them paid
        for done, x_MD in batches(wanted):
            yield [places[i] for i in done], x_MD
        return
    for start in range(0, len(places), _TEXTS):
        part = slice(start, start + _TEXTS)
        yield places[part], encoder.encode(wanted[part])


def from_zero(cues: list[Cue], end: int, notes: list[str]) -> list[Cue]:
    """Moves cues that count from a programme timecode (10:00:00:00) to the title's zero.

    Broadcast captions begin at a whole hour; no cue of such a file lies inside the title.

    Args:
        cues: Cues of a sidecar.
        end: End of the title, microseconds.
        notes: Gets a line if they were moved, or lie outside for another reason.

    Returns:
        The cues, moved if that brings the first one into the title.
    """
    first = min((cue.span.start for cue in cues), default=0)
    if first < end or not cues:
        return cues
    hours = first // (3600 * US) * 3600 * US
    if first - hours >= end:
        notes.append(f"all cues lie after the end of the title, the first at {format_time(first)}")
        return cues
    notes.append(f"cue times count from {format_time(hours)}, which was taken for the title's zero")
    return [replace(cue, span=Span(cue.span.start - hours, cue.span.end - hours)) for cue in cues]


def shot_texts(shots: list[Shot], cues: list[Cue]) -> Iterator[str]:
    """Joins, for every shot, the text of all cues that overlap it.

    Args:
        shots: Shots in temporal order.
        cues: Cues sorted by their spans; they may overlap one another.

    Yields:
        One text per shot, empty where there is none.
    """
    begin = 0
    for shot in shots:
        # Cues before `begin` ended before this shot; longer ones may hide behind them.
        while begin < len(cues) and cues[begin].span.end < shot.span.start:
            begin += 1
        lines = []
        for cue in cues[begin:]:
            if cue.span.start >= shot.span.end:
                break
            if shot.span.touches(cue.span):
                lines.append(cue.text)
        yield "\n".join(lines)
