"""Single cells of a label file: numbers, times, answers, names; and words that are nearly right."""

from __future__ import annotations

import datetime
import difflib
import math
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from mediafm.errors import MediaFMError
from mediafm.timeline import US, parse_time

WEEK = 7 * 24 * 3600 * US
"""No title is longer: a later time is in another unit."""

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_WHOLE = re.compile(r"-?\d+\.0", re.ASCII)
_NOTHING = ("", "nan", "null", "<na>", "#n/a")
_YES = ("1", "true", "t", "yes", "y")
_NO = ("0", "false", "f", "no", "n")


class WrongCellError(ValueError):
    """What is wrong with a row, in words that follow "row 7: ".

    Args:
        kind: What such rows have in common, for counts.
        what: What is wrong with this one.
    """

    def __init__(self, kind: str, what: str):
        super().__init__(what)
        self.kind = kind


class OtherUnitError(WrongCellError):
    """A time that makes sense in another unit only.

    Args:
        what: As above.
        unit: The unit in which it makes sense.
    """

    def __init__(self, what: str, unit: str):
        super().__init__("outside the title", what)
        self.unit = unit


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The name that was meant, if any is close; letters of either case are the same.

    Args:
        name: What was written.
        known: What could have been meant.
    """
    folded = {word.casefold(): word for word in known}
    wanted = name.casefold()
    stripped = wanted.lstrip("0")  # spreadsheets take leading zeros away
    best = [key for key in folded if stripped and key.lstrip("0") == stripped]
    best = best or difflib.get_close_matches(wanted, folded, n=1)
    return folded[best[0]] if best else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``did you mean 'tense'?``, or nothing where no name is close; see :func:`nearest`."""
    near = nearest(name, known)
    return "" if near is None else f"did you mean '{near}'?"


def absent(value: Any) -> bool:
    """Whether a cell holds nothing: null, NaN, or no letters."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING)


def plain(value: Any) -> str:
    """A name or an id as text, in one spelling whatever the file wrote.

    ``53.0`` is ``53``: a null in a column of whole numbers has made them fractions in many a file.
    Accents are composed, and space between words is one blank.

    Raises:
        WrongCellError: It is no single value.
    """
    if isinstance(value, list | dict | tuple | bytes):
        raise WrongCellError("wrong label", f"{_short(value)} is no name")
    if isinstance(value, float) and not value.is_integer():
        return str(value)
    text = unicodedata.normalize("NFC", " ".join(str(value).split()))
    return text.removesuffix(".0") if _WHOLE.fullmatch(text) else text


def number(value: Any, comma: bool = False) -> float:
    """A finite number from a cell.

    Args:
        value: The cell.
        comma: Whether the decimal mark may be a comma.

    Raises:
        WrongCellError: It is none.
    """
    if isinstance(value, str):
        text = value.strip()
        if comma and _COMMA.fullmatch(text):
            text = text.replace(",", ".")
        if not _NUMBER.fullmatch(text):
            hint = "; write a decimal point" if _COMMA.fullmatch(text) else ""
            raise WrongCellError("no number", f"{_short(value)} is no number{hint}")
        value = text
    elif value is None or isinstance(value, bool):
        raise WrongCellError("no number", f"{value} is no number")
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise WrongCellError("no number", f"{_short(value)} is no number") from None
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise WrongCellError("no number", f"{_short(value)} is not a finite number")
    return found


def microseconds(value: Any, unit: int, comma: bool = False) -> int:
    """A time from a cell: a number in the unit, a clock time, or a duration.

    Args:
        value: The cell.
        unit: Microseconds in the unit of plain numbers.
        comma: Whether the decimal mark may be a comma.

    Raises:
        WrongCellError: It is none.
    """
    kind = "wrong time"
    if absent(value):
        raise WrongCellError(kind, "has no time")
    if isinstance(value, datetime.timedelta):
        return value // datetime.timedelta(microseconds=1)
    if isinstance(value, datetime.time):
        clock = value.hour * 3600 + value.minute * 60 + value.second
        return clock * US + value.microsecond
    if isinstance(value, datetime.date):
        raise WrongCellError(kind, f"'{value}' is a date; write seconds from the title's start")
    if isinstance(value, str) and ":" in value:
        try:
            return parse_time(value)
        except MediaFMError as error:
            raise WrongCellError(kind, f"{error.what}; {error.do}") from None
    try:
        time = number(value, comma) * unit
    except WrongCellError as error:
        raise WrongCellError(kind, str(error)) from None
    if abs(time) > WEEK:
        if unit == 1:
            raise WrongCellError(kind, f"{_short(value)} is over a week in microseconds")
        raise OtherUnitError(
            f"{_short(value)} is over a week in seconds; microseconds go into start_us, end_us",
            "microseconds" if abs(time) <= WEEK * US else "",
        )
    if unit == 1 and time != int(time):
        what = f"{_short(value)} is no whole number of microseconds; seconds go into start, end"
        raise WrongCellError(kind, what)
    return round(time)


def yes_or_no(value: Any) -> float:
    """1 or 0 from a cell.

    Raises:
        WrongCellError: It is neither.
    """
    text = plain(value).lower()
    if text in _YES or text in _NO:
        return float(text in _YES)
    raise WrongCellError("wrong label", f"{_short(value)} is neither 1 nor 0")


def names(value: Any) -> frozenset[str]:
    """Class names from a cell: a list, or text with ``|`` between them; empty for none.

    Raises:
        WrongCellError: It holds something else.
    """
    if isinstance(value, str):
        return frozenset(name for part in value.split("|") if (name := plain(part)))
    parts = value if isinstance(value, list | tuple) else [value]
    for part in parts:
        fraction = isinstance(part, float) and not part.is_integer()
        if absent(part) or fraction or isinstance(part, datetime.date | datetime.timedelta):
            raise WrongCellError("wrong label", f"{_short(part)} names no class")
    return frozenset(plain(part) for part in parts)


def _short(value: Any) -> str:
    text = str(value)
    return f"'{text}'" if len(text) <= 60 else f"'{text[:57]}...'"
