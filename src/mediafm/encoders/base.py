"""What an encoder is: a frozen network that turns one modality of a shot into a vector.

One small protocol per kind of input. A new encoder is one file here and one line in
:mod:`mediafm.encoders.registry`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import platformdirs

from mediafm.fingerprint import fingerprint
from mediafm.timeline import Cue, Shot

Vectors = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class EncoderInfo:
    """What decides an encoder's vectors.

    Args:
        modality: ``video``, ``audio``, ``text`` or any other name.
        name: How the user chooses it; with it the encoder can be loaded again.
        dim: Width of its vectors.
        settings: Weights, preprocessing, precision: everything that changes a vector.
        identity: What stands for the name in the fingerprint, where several names lead to the same
            weights (a folder and a name on the hub). The name by default.
    """

    modality: str
    name: str
    dim: int
    settings: dict[str, str] = field(default_factory=dict)
    identity: str = ""

    @property
    def fingerprint(self) -> str:
        """Digest of all of it."""
        return fingerprint([self.modality, self.identity or self.name, self.dim, self.settings])


class VideoEncoder(Protocol):
    """Pictures of a shot to one vector.

    Attributes:
        info: What decides the vectors.
        size: Pixels of the square that it sees.
        frames: Pictures that it wants of every shot; ``None`` takes what the shot's length gives.
    """

    info: EncoderInfo
    size: int
    frames: int | None

    def encode(self, shots: Sequence[Sequence[Picture]]) -> Vectors:
        """Encodes the pictures of shots to ``x_ND``, a row per shot.

        Args:
            shots: For each shot its upright RGB pictures ``(H, W, 3)`` of any size, in temporal
                order, at least one. A row does not depend on the other shots of the call.
        """


class SoundtrackEncoder(Protocol):
    """Windows of a title's sound to one vector per step, which shots take their slices of.

    Attributes:
        info: What decides the vectors.
        sample_rate: Samples per second that it wants.
        window: Microseconds of sound in one window.
        step: Microseconds that one output vector stands for.
    """

    info: EncoderInfo
    sample_rate: int
    window: int
    step: int

    def encode(self, samples_S: Samples) -> Vectors:
        """Encodes one window of sound, possibly a shorter last one, to ``x_FD``.

        Returns:
            One vector per begun step of the sound that was given, not of its padding.
        """


@runtime_checkable
class ClipEncoder(Protocol):
    """The sound of a shot to one vector.

    Attributes:
        info: What decides the vectors.
        sample_rate: Samples per second that it wants.
        least: Samples below which it has nothing to say; shorter shots get some of the sound around
            them.
    """

    info: EncoderInfo
    sample_rate: int
    least: int

    def encode_clips(self, clips: Sequence[Samples]) -> Vectors:
        """Encodes the sound of shots to ``x_ND``, a row per shot.

        Args:
            clips: For each shot its samples, at least :attr:`least`. A row does not depend on the
                other clips of the call.
        """


AudioEncoder = SoundtrackEncoder | ClipEncoder


class TextEncoder(Protocol):
    """Texts to vectors.

    Attributes:
        info: What decides the vectors.
    """

    info: EncoderInfo

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Encodes texts, none of them empty, to ``x_ND``.

        A row does not depend on the other texts of the call.
        """


@dataclass(frozen=True)
class TitleView:
    """What is known of a title without opening its media.

    Args:
        title_id: The title.
        path: The media file, empty for imported features.
        shots: Its shots in temporal order.
        cues: Its timed text, sorted by time.
        keyframes: Gives the JPEG of every shot, ``None`` where there is none.
    """

    title_id: str
    path: str
    shots: Sequence[Shot]
    cues: Sequence[Cue]
    keyframes: Callable[[], Sequence[bytes | None]]


class ShotEncoder(Protocol):
    """A further modality: what is known of a title to one vector per shot.

    Attributes:
        info: What decides the vectors.
    """

    info: EncoderInfo

    def encode_shots(self, title: TitleView) -> tuple[Vectors, Mask]:
        """Encodes every shot of a title.

        Returns:
            ``x_ND`` and ``present_N``; rows of shots without the modality are not looked at.
        """


@runtime_checkable
class ReadsElsewhere(Protocol):
    """The source of a further modality that hangs on more than the catalog: a table of signals."""

    def sources(self, title_id: str) -> str:
        """Digest of what is read for a title; when it changes, the title is encoded anew.

        Empty where nothing is read.
        """


@runtime_checkable
class TitleTable(Protocol):
    """A further modality that is read from a table of titles."""

    def unknown(self, known: Collection[str]) -> list[str]:
        """The titles of the table that are not among the known ones; says so in the log."""


@runtime_checkable
class QueryEncoder(Protocol):
    """An encoder that also turns a sentence into a vector among those of its shots."""

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encodes what somebody looks for to ``q_ND``, comparable by cosine."""


@runtime_checkable
class Vocabulary(Protocol):
    """An encoder of sentences that can say how much of one it can read."""

    def foreign(self, query: str) -> float:
        """Share of a query's pieces that its vocabulary lacks: most of a script it never saw."""


@dataclass(frozen=True)
class Estimate:
    """What a call of a paid encoder will cost.

    Args:
        texts: Number of texts.
        tokens: Tokens in them, counted or estimated.
        exact: Whether the tokens were counted with the model's own tokenizer.
        dollars: Price at the list price, ``None`` where it is not known.
    """

    texts: int
    tokens: int
    exact: bool
    dollars: float | None

    def __add__(self, other: Estimate) -> Estimate:
        known = self.dollars is not None and other.dollars is not None
        return Estimate(
            self.texts + other.texts,
            self.tokens + other.tokens,
            self.exact and other.exact,
            (self.dollars or 0) + (other.dollars or 0) if known else None,
        )

    def __str__(self) -> str:
        about = "" if self.exact else "about "
        price = "price unknown" if self.dollars is None else f"about ${self.dollars:.4f}"
        return f"{self.texts} texts, {about}{self.tokens} tokens, {price}"


@runtime_checkable
class PaidEncoder(Protocol):
    """An encoder whose calls cost money.

    Attributes:
        info: What decides its vectors.
    """

    info: EncoderInfo

    def estimate(self, texts: Sequence[str]) -> Estimate:
        """Says what encoding these texts will cost; asks nobody."""


class EncoderSource(Protocol):
    """An encoder that was chosen and found, but whose weights are not in memory yet.

    Attributes:
        info: What decides its vectors.
    """

    info: EncoderInfo

    @property
    def queries(self) -> bool:
        """Whether what is loaded is a :class:`QueryEncoder`."""

    def load(self, devices: Sequence[str]) -> Any:
        """Loads the weights.

        Args:
            devices: Where to run, torch's names (``cpu``, ``cuda:0``), the work shared among them.
                Encoders that run on the CPU only ignore it.

        Returns:
            An encoder of one of the protocols above.

        Raises:
            EncoderError: Weights are missing, damaged, or of another kind than needed.
            MissingExtraError: A library is not installed.
        """


@dataclass(frozen=True)
class Encoders:
    """The encoders of one run, each of them optional.

    Args:
        video: Pictures to vectors.
        audio: Sound to vectors.
        text: Timed text and title metadata to vectors.
        others: Further modalities by name.
    """

    video: VideoEncoder | None = None
    audio: AudioEncoder | None = None
    text: TextEncoder | None = None
    others: dict[str, ShotEncoder] = field(default_factory=dict)

    @property
    def infos(self) -> dict[str, EncoderInfo]:
        """Modality to what decides its vectors."""
        chosen = (self.video, self.audio, self.text, *self.others.values())
        return {e.info.modality: e.info for e in chosen if e is not None}


def per_shot(
    encode: Callable[[Sequence[Picture]], Vectors], shots: Sequence[Sequence[Picture]], dim: int
) -> Vectors:
    """Encodes all pictures of all shots in one call and averages over each shot (SeqCLIP).

    Args:
        encode: Pictures to ``x_ND``.
        shots: For each shot its pictures, at least one.
        dim: Width of the vectors.

    Returns:
        ``x_ND``, a row per shot.
    """
    counts_N = np.array([len(pictures) for pictures in shots], dtype=np.int64)
    vectors = encode([picture for pictures in shots for picture in pictures])
    sums_ND = np.zeros((len(shots), dim), dtype=np.float32)
    np.add.at(sums_ND, np.repeat(np.arange(len(shots)), counts_N), vectors)
    x_ND: Vectors = (sums_ND / counts_N[:, None]).astype(np.float32)
    return x_ND


def cache_folder(*parts: str) -> Path:
    """A folder for converted weights: under ``$MEDIAFM_CACHE`` or the user's cache folder."""
    root = os.environ.get("MEDIAFM_CACHE") or platformdirs.user_cache_path("mediafm")
    folder = Path(root, *parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def threads() -> int:
    """Threads that an encoder may use: the cores this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
