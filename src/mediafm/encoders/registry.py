"""The encoders at hand, by the names a user types."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from mediafm.encoders.base import EncoderInfo, Encoders, EncoderSource
from mediafm.encoders.devices import resolve_devices
from mediafm.encoders.spec import Spec, near, parse_spec
from mediafm.errors import EncoderError, MediaFMError
from mediafm.fingerprint import file_fingerprint

VIDEO = {"efficientnet-lite2": "mediafm.encoders.efficientnet:EfficientNetLite2"}
AUDIO = {"whisper-base": "mediafm.encoders.whisper:WhisperBase"}
TEXT = {"use-multilingual": "mediafm.encoders.use:UniversalSentenceEncoder"}
EMBEDDED: dict[str, dict[str, str]] = {"video": VIDEO, "audio": AUDIO, "text": TEXT}
"""Modality to name to class, for weights that install from the package registry."""

SCHEMES: dict[str, dict[str, str]] = {
    "hf": {
        "video": "mediafm.encoders.hf.video:open_video",
        "audio": "mediafm.encoders.hf.audio:open_audio",
        "text": "mediafm.encoders.hf.text:open_text",
    },
    "openai": {"text": "mediafm.encoders.api.openai:open_text"},
    "csv": {"*": "mediafm.encoders.signals:open_signals"},
    "ocr": {"*": "mediafm.encoders.ocr:open_ocr"},
}
"""What stands before the colon, to modality (``*``: any further one), to what opens it."""


@dataclass(frozen=True)
class EncoderChoice:
    """The encoders that a user chose, by name; ``none`` leaves a modality out.

    Args:
        video: The picture encoder; empty: as the catalog has it, else the embedded one.
        audio: The sound encoder, likewise.
        text: The text encoder, likewise.
        others: Further modalities by name (``{"audience": "csv:signals.csv"}``).

    The embedded ones give 1280 + 512 + 512 = 2304 numbers a shot, by luck the width of the
    original.
    """

    video: str = ""
    audio: str = ""
    text: str = ""
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> dict[str, str]:
        """Modality to what was chosen for it."""
        return {"video": self.video, "audio": self.audio, "text": self.text, **self.others}

    def over(self, held: Mapping[str, str]) -> EncoderChoice:
        """Fills what was left open.

        Args:
            held: Modality to the name of the encoder that a catalog was made with; empty for a new
                catalog, which gets the embedded ones. What a catalog lacks stays out of it.
        """
        # Names of imported vectors load nothing; the embedded ones then meet the catalog's check.
        held = {m: name if is_known(m, name) else "" for m, name in held.items()}
        rest = "none" if held else ""
        base = {m: held.get(m, rest) or next(iter(EMBEDDED[m])) for m in EMBEDDED}
        others = {m: name for m, name in held.items() if name and m not in EMBEDDED}
        return EncoderChoice(
            self.video or base["video"],
            self.audio or base["audio"],
            self.text or base["text"],
            {**others, **self.others},
        )

    def open(self) -> OpenEncoders:
        """Finds the encoders; loads no weights.

        Raises:
            EncoderError: A name is unknown, or what it names is not there.
            MissingExtraError: A library is not installed.
        """
        chosen = self.over({}).names
        return OpenEncoders(
            {m: open_encoder(m, name) for m, name in chosen.items() if name != "none"}
        )


PRESETS = {
    "embedded": EncoderChoice("efficientnet-lite2", "whisper-base", "use-multilingual"),
    "netflix": EncoderChoice(
        "hf:openai/clip-vit-large-patch14",
        "hf:facebook/wav2vec2-base",
        "openai:text-embedding-3-large?dimensions=768",
    ),
    "open": EncoderChoice(
        "hf:google/siglip2-base-patch16-224",
        "hf:microsoft/wavlm-base-plus",
        "hf:intfloat/multilingual-e5-base",
    ),
}
"""Whole sets of encoders: for a first hour, of the original, and of today without an API."""


def preset(name: str) -> EncoderChoice:
    """A whole set of encoders.

    Raises:
        EncoderError: There is no such set.
    """
    if name not in PRESETS:
        raise EncoderError(
            f"there is no set of encoders '{name}'{near(name, PRESETS)}",
            do=f"choose from {', '.join(PRESETS)}, or name encoders one by one (--video NAME)",
        )
    return PRESETS[name]


@dataclass(frozen=True)
class OpenEncoders:
    """Encoders that were found, not loaded.

    Args:
        sources: Modality to encoder.
    """

    sources: Mapping[str, EncoderSource]

    @property
    def infos(self) -> dict[str, EncoderInfo]:
        """Modality to what decides its vectors."""
        return {modality: source.info for modality, source in self.sources.items()}

    def load(self, device: str = "auto", only: Sequence[str] | None = None) -> Encoders:
        """Loads weights.

        Args:
            device: See :func:`~mediafm.encoders.devices.resolve_devices`.
            only: Modalities to load; all by default.

        Raises:
            EncoderError: Weights are not the tested ones, or damaged; no such device.
            MissingExtraError: A library is not installed.
        """
        devices = resolve_devices(device)
        loaded = {
            modality: source.load(devices)
            for modality, source in self.sources.items()
            if only is None or modality in only
        }
        video, audio, text = (loaded.pop(modality, None) for modality in ("video", "audio", "text"))
        return Encoders(video, audio, text, loaded)


class _Class:
    """A class whose attribute ``info`` says what it makes, loaded by calling it.

    What it is called with is part of its fingerprint.

    Args:
        make: The class.
        spec: By which it can be found again, from any folder.
        modality: What it has to encode.
        settings: What decides its vectors beside what its ``info`` and the options say.
    """

    def __init__(
        self, make: Any, spec: Spec, modality: str, settings: Mapping[str, str] | None = None
    ):
        self._make, self._spec = make, spec
        info = getattr(make, "info", None)
        if not isinstance(info, EncoderInfo):
            raise EncoderError(
                "is no encoder: it has no attribute info",
                where=str(spec),
                do="see mediafm.encoders.base for what an encoder is",
            )
        if type(info.dim) is not int or info.dim < 1:
            raise EncoderError(f"says that it is {info.dim!r} wide", where=str(spec))
        if info.modality != modality:
            raise EncoderError(f"encodes {info.modality}, not {modality}", where=str(spec))
        self.queries = hasattr(make, "encode_queries")
        self._reader: Any = None
        options = {f"?{name}": value for name, value in spec.options.items()}
        self.info = replace(
            info,
            name=str(spec),
            settings={**info.settings, **(settings or {}), **options},
            identity=info.identity or info.name,
        )

    def sources(self, title_id: str) -> str:
        """See :class:`~mediafm.encoders.base.ReadsElsewhere`: asked of a class that says it."""
        if not hasattr(self._make, "sources"):
            return ""
        if self._reader is None:
            self._reader = self.load(())
        digest: str = self._reader.sources(title_id)
        return digest

    def load(self, devices: Sequence[str]) -> Any:
        """See :class:`~mediafm.encoders.base.EncoderSource`; devices are not for it."""
        try:
            encoder = self._make(**self._spec.options)
            own = encoder.info
            encoder.info = self.info  # whoever holds the encoder sees the whole fingerprint
        except MediaFMError:
            raise
        except Exception as error:
            raise EncoderError(
                f"cannot be made ({_with_kind(error)})",
                where=str(self._spec),
                do="correct its options or its __init__, which gets them as text",
            ) from error
        if own.dim != self.info.dim:
            raise EncoderError(
                f"gives vectors of {own.dim} numbers, its class says {self.info.dim}",
                where=str(self._spec),
                do="let the attribute info of the class say the width",
            )
        return encoder


def open_encoder(modality: str, text: str) -> EncoderSource:
    """Finds one encoder; loads no weights.

    Args:
        modality: What it encodes.
        text: As the user writes it.

    Raises:
        EncoderError: The name is unknown, or what it names is not there.
        MissingExtraError: A library is not installed.
    """
    spec = parse_spec(text)
    if not spec.scheme:
        known = EMBEDDED.get(modality, {})
        if spec.name not in known:
            raise _unknown(modality, text)
        spec.check_options(())
        return _Class(_attribute(known[spec.name]), spec, modality)
    if spec.scheme == "py":
        return _of_user(spec, modality)
    path = _opener(modality, spec.scheme)
    if path is None:
        raise _unknown(modality, text)
    source: EncoderSource = _attribute(path)(spec, modality)
    return source


def is_known(modality: str, text: str) -> bool:
    """Whether a name leads to an encoder at all, found or not."""
    try:
        spec = parse_spec(text)
    except EncoderError:
        return False
    if not spec.scheme:
        return spec.name in EMBEDDED.get(modality, {})
    return spec.scheme == "py" or _opener(modality, spec.scheme) is not None


def _opener(modality: str, scheme: str) -> str | None:
    openers = SCHEMES.get(scheme, {})
    return openers.get(modality) or (None if modality in EMBEDDED else openers.get("*"))


def _unknown(modality: str, text: str) -> EncoderError:
    known = [*EMBEDDED.get(modality, {})]
    known += [f"{scheme}:..." for scheme in SCHEMES if _opener(modality, scheme)]
    return EncoderError(
        f"there is no {modality} encoder '{text}'{_hint(modality, text)}",
        do=f"choose from {', '.join([*known, 'py:FILE.py:CLASS', 'none'])}",
    )


def _hint(modality: str, text: str) -> str:
    if "/" in text and modality in EMBEDDED and ":" not in text:
        return f" (did you mean 'hf:{text}'?)"
    # A model's own name, without what stands around it, is what people type.
    sets = [choice.names.get(modality, "") for choice in PRESETS.values()]
    full = [name for name in (*EMBEDDED.get(modality, {}), *sets) if name]
    short = {re.split("[:/]", name.partition("?")[0])[-1]: name for name in full}
    close = get_close_matches(text, [*full, *short], n=1, cutoff=0.6)
    return f" (did you mean '{short.get(close[0], close[0])}'?)" if close else ""


def _attribute(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _of_user(spec: Spec, modality: str) -> EncoderSource:
    """A class of the user's own: ``py:loudness.py:Loudness`` or ``py:package.module:Loudness``.

    The content of its file is part of the fingerprint, since its code decides the vectors: an
    edited file is another encoder. What the file imports is not looked at.
    """
    place, _, name = spec.name.rpartition(":")
    if not place or not name:
        raise EncoderError("names no class", where=str(spec), do="write py:FILE.py:CLASS")
    path = Path(place).expanduser().absolute() if place.endswith(".py") else None
    if path is not None:
        spec = replace(spec, name=f"{path}:{name}")
    try:
        module = importlib.import_module(place) if path is None else _module(path)
        make = getattr(module, name)
        file = getattr(module, "__file__", None)
        settings = {"code": file_fingerprint(Path(file))} if file else {}
    except (Exception, SystemExit) as error:
        # Whatever the user's own code raises.
        what = str(error) if isinstance(error, ImportError | OSError) else _with_kind(error)
        raise EncoderError(f"cannot be imported ({what})", where=str(spec)) from error
    return _Class(make, spec, modality, settings)


def _with_kind(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _module(path: Path) -> ModuleType:
    found = importlib.util.spec_from_file_location(path.stem, path)
    assert found is not None, "a .py file always has a loader"
    module = importlib.util.module_from_spec(found)
    sys.modules.setdefault(path.stem, module)  # dataclasses look their module up
    # Not by the loader, whose cache may give the code of a file that was edited a moment ago.
    exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    return module
