"""Sidecar files as text: any encoding, and XML without tricks."""

from __future__ import annotations

import codecs
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

import charset_normalizer

from mediafm.errors import MediaError, describe_os_error
from mediafm.media.languages import base_language

MAX_BYTES = 64 * 1024 * 1024
"""Sidecars are text; nothing larger is one."""

_SAMPLE = 256 * 1024
_BOMS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")

# Encodings that subtitles of a language came in before UTF-8, most usual first.
_WESTERN = ("cp1252",)
_BY_LANGUAGE = {
    **dict.fromkeys(("bs", "cs", "hr", "hu", "pl", "ro", "sk", "sl", "sq"), ("cp1250",)),
    **dict.fromkeys(("be", "bg", "mk", "ru", "uk"), ("cp1251", "koi8_r")),
    **dict.fromkeys(
        (
            *("ca", "da", "de", "en", "es", "eu", "fi", "fr", "gl", "is"),
            *("it", "nb", "nl", "nn", "no", "pt", "sv"),
        ),
        _WESTERN,
    ),
    **dict.fromkeys(("et", "lt", "lv"), ("cp1257",)),
    **dict.fromkeys(("ar", "fa", "ur"), ("cp1256",)),
    "sr": ("cp1250", "cp1251"),
    "el": ("cp1253",),
    "tr": ("cp1254",),
    "he": ("cp1255",),
    "vi": ("cp1258",),
    "th": ("cp874",),
    "ja": ("cp932", "euc_jp"),
    "ko": ("cp949",),
    "zh": ("gb18030", "big5"),
}

_USUAL = sorted({encoding for usual in _BY_LANGUAGE.values() for encoding in usual})


def read_bytes(path: Path) -> bytes:
    """Reads a sidecar in full.

    Args:
        path: The file.

    Raises:
        MediaError: It cannot be read or is far too large.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise MediaError("is too large for a text file", where=path, do="check what it is")
        return path.read_bytes()
    except OSError as error:
        raise MediaError(f"cannot be read ({describe_os_error(error)})", where=path) from None


def read_text(path: Path, *, language: str = "") -> tuple[str, str]:
    r"""Reads a text file of unknown encoding; line ends become ``\n``.

    Byte order mark, then the XML declaration, then UTF-8, then a guess, for which the language
    counts: in one-byte encodings every text is valid in many of them.

    Args:
        path: The file.
        language: Language of the text where known.

    Returns:
        The text, and the encoding where it was guessed, else an empty string.

    Raises:
        MediaError: It cannot be read or is no text.
    """
    data = read_bytes(path)
    text, guessed = decode(data, language=language)
    if text is None or len(_CONTROL.findall(text)) > max(2, len(text) // 100):
        raise MediaError("is not a text file", where=path, do="check what it is, or remove it")
    return re.sub(r"\r\r?\n|\r", "\n", text), guessed


def decode(data: bytes, *, language: str = "") -> tuple[str | None, str]:
    """Decodes bytes of unknown encoding; see :func:`read_text`.

    Args:
        data: The bytes.
        language: Language of the text where known.

    Returns:
        The text (``None`` where nothing fits) and the encoding where it was guessed.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            # A damaged end must not lose the rest.
            return data[len(mark) :].decode(encoding, "replace"), ""
    if wide := _without_mark(data):
        return data.decode(wide, "replace"), wide
    candidates = ["utf-8"]
    if declared := _DECLARED.match(data[:300]):
        candidates.insert(0, declared[1].decode())
    for encoding in candidates:
        try:
            return data.decode(encoding), ""
        except (UnicodeDecodeError, LookupError, ValueError):
            continue
    repaired = data.decode("utf-8", "replace")
    damaged = repaired.count("\ufffd")
    if sum(char > "\x7f" for char in repaired) > 6 * damaged:  # UTF-8 with a few broken bytes
        return repaired, "utf-8, damaged in places"
    return _guess(data, base_language(language))


def _without_mark(data: bytes) -> str:
    """UTF-16 without a byte order mark: Latin letters leave every other byte zero."""
    sample = data[:4096]
    pairs = len(sample) // 2
    if pairs < 4:
        return ""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > pairs * 0.3 and even < pairs * 0.05:
        return "utf-16-le"
    if even > pairs * 0.3 and odd < pairs * 0.05:
        return "utf-16-be"
    return ""


def _guess(data: bytes, language: str) -> tuple[str | None, str]:
    if data.count(0) > len(data) // 100:
        return None, ""
    usual = [encoding for encoding in _BY_LANGUAGE.get(language, ()) if _decodes(data, encoding)]
    if len(usual) == 1:
        return data.decode(usual[0]), usual[0]
    telling = b"\n".join(line for line in data[:_SAMPLE].splitlines() if not line.isascii())
    guesses = charset_normalizer.from_bytes(telling, cp_isolation=usual or _USUAL)
    found = [match.encoding for match in guesses]
    # cp1250 and cp1252 differ in few letters, and the guesser takes the alphabetically first.
    ranked = ["cp1252"] if "cp1252" in found else []
    if not language and found[:1] == ["cp1250"] and _all_western(data):
        ranked = ["cp1252"]
    for encoding in [*ranked, *found, *usual, "cp1252", "latin-1"]:
        if _decodes(data, encoding):
            return data.decode(encoding), encoding
    return None, ""


def _all_western(data: bytes) -> bool:
    """Whether every byte above ASCII is one that cp1250 and cp1252 read alike."""
    return all(
        bytes((byte,)).decode("cp1250", "replace") == bytes((byte,)).decode("cp1252", "ignore")
        for byte in set(data)
        if byte > 0x7F
    )


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return False
    return True


def parse_xml(text: str, path: Path) -> ET.Element:
    """Parses XML that a stranger wrote: entity declarations are refused, nothing is fetched.

    Args:
        text: The document.
        path: Where it comes from, for errors.

    Raises:
        MediaError: It is not well-formed or declares entities.
    """
    text = _DECLARATION.sub("", text, count=1).strip()

    def refuse(*_: object) -> NoReturn:
        raise MediaError(
            "declares XML entities, which are not read", where=path, do="remove its <!DOCTYPE ...>"
        )

    guard = expat.ParserCreate()
    guard.EntityDeclHandler = refuse
    guard.ExternalEntityRefHandler = refuse
    try:
        guard.Parse(text.encode("utf-8", "replace"), True)
        return ET.fromstring(text.encode("utf-8", "replace").decode())
    except (expat.ExpatError, ET.ParseError, ValueError) as error:
        raise MediaError(
            f"is not well-formed XML ({error})", where=path, do="repair it or remove it"
        ) from None
