"""TTML, IMSC and DFXP documents and SCC caption files, through ttconv's document model."""

from __future__ import annotations

import logging
import re
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from mediafm.errors import MediaError
from mediafm.media import cue_text
from mediafm.media.text_files import parse_xml
from mediafm.timeline import US

_OLD_NAMESPACE = re.compile(r"http://www\.w3\.org/2006/(?:04|10)/ttaf1")
_SCC_LINE = re.compile(r"^\s*(\d{1,2}:[0-5]\d:[0-5]\d[:;.,][0-2]\d)\s+((?:[0-9A-Fa-f]{4}\s*)+)$")
_SCC_ROLL_UP = re.compile(r"\b(?:9425|9426|94a7|1425|1426|1427)\b", re.IGNORECASE)
_OPEN_END = Fraction(5)
"""Seconds that a cue without an end stays, if no other follows sooner."""

_FOREVER = Fraction(100_000 * 3600)
_LOGGER = logging.getLogger("ttconv")


@dataclass
class Document:
    """What a document says.

    Args:
        lines: Start and end (microseconds) and stripped text.
        notes: What was left out or repaired.
        language: Of the document, empty where unknown.
        rolling: Whether its captions are known to roll; ``None`` where not known.
    """

    lines: list[tuple[int, int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    language: str = ""
    rolling: bool | None = None


def read_ttml(text: str, path: Path) -> Document:
    """Reads TTML 1 and 2, IMSC, EBU-TT-D and, by its namespace, old DFXP.

    Args:
        text: The XML document.
        path: Where it comes from, for errors.

    Raises:
        MediaError: It is no XML, no TTML, or uses a time base that has no media times.
    """
    root = parse_xml(_OLD_NAMESPACE.sub("http://www.w3.org/ns/ttml", text), path)
    name = root.tag.rpartition("}")[2]
    if not root.tag.endswith("}tt"):
        raise MediaError(
            f"is not a TTML document (its root is <{name}>)",
            where=path,
            do="remove it, or give TTML, SRT or WebVTT",
        )
    document = Document()

    def convert() -> None:
        from ttconv.imsc.reader import to_model

        _open_ends(root)
        model = to_model(ET.ElementTree(root))
        if model is not None:
            document.language = (model.get_lang() or "").strip()
            _read_body(model.get_body(), document)

    _converted(convert, document, path)
    if not document.lines and _has_pictures(root):
        document.notes.append("holds pictures of text, which are not read")
    return document


def read_scc(text: str, path: Path) -> Document:
    """Reads the first caption channel of an SCC file, drop-frame or not.

    Args:
        text: The file.
        path: Where it comes from, for errors.

    Raises:
        MediaError: Its codes cannot be interpreted.
    """
    document = Document(rolling=bool(_SCC_ROLL_UP.search(text)))
    lines: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if match := _SCC_LINE.match(line):
            lines.append(f"{match[1]}\t{' '.join(match[2].split())}")
        elif line.strip() and not line.lstrip().startswith("Scenarist_SCC"):
            document.notes.append(f"line {number}: '{line.strip()[:40]}' is not SCC; left out")

    def convert() -> None:
        from ttconv.scc.reader import to_model

        model = to_model("\n".join(["Scenarist_SCC V1.0", *lines]))
        _read_body(model.get_body(), document)

    _converted(convert, document, path)
    return document


def _open_ends(parent: ET.Element) -> None:
    """Says that what has a begin and no end has none.

    ttconv 1.2 ends such an element at the latest end among its children without adding its begin,
    and so loses what is shown in ``<div begin="10s"><p begin="1s" end="2s">``.
    """
    for element in parent:
        in_sequence = "seq" in (parent.get("timeContainer"), element.get("timeContainer"))
        ended = {"end", "dur"} & element.attrib.keys()
        if "begin" in element.attrib and not ended and not in_sequence:
            element.set("end", f"{_FOREVER}s")
        _open_ends(element)


def _converted(convert: Callable[[], None], document: Document, path: Path) -> None:
    with _heard() as said:
        try:
            convert()
        except Exception as error:  # a third-party parser on a stranger's file
            reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
            raise MediaError(
                f"cannot be read ({reason or type(error).__name__})",
                where=path,
                do="repair it or remove it",
            ) from None
    document.notes += list(dict.fromkeys(said))


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Collects ttconv's complaints of this thread, which else go to the user's terminal."""
    said: list[str] = []
    thread = threading.get_ident()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread and len(said) < 100:
                said.append(" ".join(record.getMessage().split()))

    ear = Ear(logging.ERROR)
    _LOGGER.addHandler(ear)
    try:
        yield said
    finally:
        _LOGGER.removeHandler(ear)


@dataclass(frozen=True, slots=True)
class _Piece:
    begin: Fraction | None
    end: Fraction | None
    text: str


def _read_body(body: Any, document: Document) -> None:
    if body is None:
        return
    cues = [cue for p in _paragraphs(body, None, None) for cue in _cues(p)]
    untimed = sum(cue.begin is None and cue.end is None for cue in cues)
    if untimed:
        document.notes.append(f"{untimed} lines without a time were left out")
    timed = sorted(
        (cue for cue in cues if cue.begin is not None or cue.end is not None),
        key=lambda cue: cue.begin or Fraction(0),
    )
    for cue, following in zip(timed, [*timed[1:], None], strict=False):
        begin, end = cue.begin or Fraction(0), cue.end
        if end is None:
            end = begin + _OPEN_END
            if following and following.begin is not None and following.begin > begin:
                end = min(end, following.begin)
        document.lines.append((round(begin * US), round(end * US), cue.text))


def _paragraphs(
    element: Any, base: Fraction | None, limit: Fraction | None
) -> Iterator[list[_Piece]]:
    """Walks body and divisions; times of a child count from its parent's begin (TTML2 12.4)."""
    from ttconv import model

    begin, end = _interval(element, base, limit)
    if isinstance(element, model.P):
        yield list(_pieces(element, base, limit))
        return
    for child in element:
        yield from _paragraphs(child, begin, end)


def _pieces(element: Any, base: Fraction | None, limit: Fraction | None) -> Iterator[_Piece]:
    from ttconv import model

    if isinstance(element, (model.Rt, model.Rp, model.Rtc)):  # the reading of a ruby, said already
        return
    if isinstance(element, model.Text):
        text = str(element.get_text())
        if element.parent().get_space() is not model.WhiteSpaceHandling.PRESERVE:
            text = re.sub(r"\s", " ", text)
        yield _Piece(base, limit, text)
        return
    begin, end = _interval(element, base, limit)
    if isinstance(element, model.Br):
        yield _Piece(base, limit, "\n")
        return
    for child in element:
        yield from _pieces(child, begin, end)


def _interval(
    element: Any, base: Fraction | None, limit: Fraction | None
) -> tuple[Fraction | None, Fraction | None]:
    offset = base or Fraction(0)
    own_begin = element.get_begin() if hasattr(element, "get_begin") else None
    own_end = element.get_end() if hasattr(element, "get_end") else None
    begin = base if own_begin is None else offset + own_begin
    end = limit if own_end is None or own_end >= _FOREVER else offset + own_end
    if end is not None and limit is not None:
        end = min(end, limit)
    return begin, end


def _cues(pieces: list[_Piece]) -> Iterator[_Piece]:
    """One cue per paragraph, unless its spans show one after another."""
    worded = [piece for piece in pieces if piece.text.strip()]
    if not worded:
        return
    if len({piece.end for piece in worded}) == 1:  # words that appear in turn and stay
        begins = [piece.begin for piece in worded if piece.begin is not None]
        text = cue_text.normalise("".join(piece.text for piece in pieces))
        yield _Piece(min(begins, default=None), worded[0].end, text)
        return
    groups: list[_Piece] = []
    for piece in pieces:
        if groups and (piece.begin, piece.end) == (groups[-1].begin, groups[-1].end):
            groups[-1] = _Piece(piece.begin, piece.end, groups[-1].text + piece.text)
        else:
            groups.append(piece)
    for group in groups:
        if text := cue_text.normalise(group.text):
            yield _Piece(group.begin, group.end, text)


def _has_pictures(root: ET.Element) -> bool:
    return any(
        element.tag.rpartition("}")[2] == "image"
        or any(name.rpartition("}")[2] == "backgroundImage" for name in element.attrib)
        for element in root.iter()
    )
