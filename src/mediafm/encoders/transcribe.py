"""Speech to cues, for titles without timed text: ``whisper-base`` or ``hf:./folder``.

Whisper (arXiv 2212.04356) run by faster-whisper. Whisper invents words where nobody speaks, so
Silero's voice detector decides where it listens, and what it is not sure of is left out: a missing
cue costs a shot its text, an invented one gives it a wrong one.
"""

from __future__ import annotations

import importlib.util
import itertools
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mediafm.encoders.base import Samples, threads
from mediafm.encoders.hf.hub import brief
from mediafm.encoders.spec import Spec, near, parse_spec
from mediafm.encoders.whisper import MODEL_SHA256, RATE, joined
from mediafm.errors import EncoderError, MissingExtraError, TitleDataError
from mediafm.fingerprint import file_fingerprint, fingerprint
from mediafm.timeline import MACHINE_MADE, US, Cue, Span

EMBEDDED = "whisper-base"

BLOCK = 180 * RATE
"""Samples that are heard at once at most: 11.5 MB, and long beside Whisper's window of 30 s."""

_SEARCH = 30 * RATE
"""A block ends at the quietest place among its last samples."""

_QUIET = 3 * RATE // 10
"""Samples over which quiet is measured: a pause, not the hold of a consonant."""

_VAD = {"min_speech_duration_ms": 250}
"""Silero's own defaults but for the shortest speech: loud noise sets it off for shorter ones."""

_DECODING: dict[str, Any] = {
    "condition_on_previous_text": False,  # else one invented line breeds the next
    "temperature": [0.0],  # nothing is drawn at random: the same sound gives the same cues
    "word_timestamps": True,
}

_LEAST_LOG_PROB, _MOST_COMPRESSION = -1.0, 2.4
"""Whisper's own limits (section 4.5 of the paper); beyond them it guesses, or repeats itself."""

_LOOP = 4.0
"""Compression of all lines of a window: people repeat themselves, but not ten times in a row."""

_DOUBT = (0.6, -0.5)
"""Probability of no speech above which the words have to be likelier than usual."""

_LONGEST, _PAUSE = 7.0, 1.5
"""Seconds: of a cue, as subtitlers keep it; and of silence that ends a cue."""

_SURE = 0.5
"""Probability from which a language is kept for the rest of the title."""

_FILES = ("config.json", "model.bin", "tokenizer.json")
_WANTED = [*_FILES, "preprocessor_config.json", "vocabulary.*"]


@dataclass(frozen=True)
class TranscriberSource:
    """A recogniser that was chosen and found, but whose weights are not in memory yet.

    Args:
        name: How the user chooses it; with it the recogniser can be loaded again.
        fingerprint: Digest of all that decides its words.
        folder: Where its weights are; ``None`` for the embedded ones.
    """

    name: str
    fingerprint: str
    folder: Path | None = None

    def load(self, devices: Sequence[str] = ("cpu",)) -> Transcriber:
        """Loads the weights.

        Args:
            devices: torch's names; the first one is used, since a title is heard front to back.

        Raises:
            EncoderError: Weights are missing or damaged.
            MissingExtraError: The embedded weights are not installed.
        """
        return Transcriber(self.name, self.folder or joined(), devices[0])


def open_transcriber(text: str = EMBEDDED) -> TranscriberSource:
    """Finds a recogniser; loads no weights.

    Args:
        text: ``whisper-base``, or weights in CTranslate2's format: ``hf:./folder``, or a name on
            the hub (``hf:Systran/faster-whisper-small``), which is downloaded if it is not there.

    Raises:
        EncoderError: The name is unknown, or what it names is not there.
        MissingExtraError: faster-whisper is not installed.
    """
    spec = parse_spec(text)
    if spec.scheme != "hf" and str(spec) != EMBEDDED:
        raise EncoderError(
            f"there is no speech recogniser '{text}'{near(text, [EMBEDDED])}",
            do=f"choose {EMBEDDED}, hf:Systran/faster-whisper-small or hf:FOLDER",
        )
    if importlib.util.find_spec("faster_whisper") is None:
        raise MissingExtraError("faster-whisper", extra="asr", purpose="speech recognition")
    sure = [_LEAST_LOG_PROB, _MOST_COMPRESSION, _LOOP, _DOUBT]
    recipe = [_VAD, _DECODING, sure, _LONGEST, _PAUSE, BLOCK]
    if spec.scheme != "hf":
        return TranscriberSource(EMBEDDED, fingerprint([MODEL_SHA256, recipe]))
    spec.check_options(())
    folder = Path(spec.name).expanduser().absolute()
    if folder.is_dir() and not spec.revision:
        spec = Spec("hf", str(folder))
    else:
        folder = _from_hub(spec)
        spec = Spec("hf", spec.name, folder.name)
    for name in _FILES:
        if not (folder / name).is_file():
            raise EncoderError(
                f"has no {name}: no Whisper in CTranslate2's format",
                where=folder,
                do="choose a folder that ct2-transformers-converter made, with tokenizer.json",
            )
    weights = file_fingerprint(*(folder / name for name in _FILES))
    return TranscriberSource(str(spec), fingerprint([weights, recipe]), folder)


def _from_hub(spec: Spec) -> Path:
    from huggingface_hub import snapshot_download

    asked: dict[str, Any] = {"revision": spec.revision or None, "allow_patterns": _WANTED}
    try:
        try:
            folder = Path(snapshot_download(spec.name, local_files_only=True, **asked))
            if all((folder / name).is_file() for name in _FILES):
                return folder
        except OSError:
            pass  # not in the cache
        return Path(snapshot_download(spec.name, **asked))
    except Exception as error:
        # The hub's client lets errors of several libraries through.
        raise EncoderError(
            f"there is no such folder, and the hub does not give it ({brief(error)})",
            where=str(spec),
            do="check the name; without a network, copy the folder here and write hf:./FOLDER",
        ) from None


class Transcriber:
    """Speech to cues.

    Args:
        name: Goes into the cues' source.
        folder: Weights in CTranslate2's format.
        device: torch's name.

    Raises:
        EncoderError: Weights cannot be loaded.
    """

    def __init__(self, name: str, folder: Path, device: str = "cpu"):
        from faster_whisper import WhisperModel, vad

        self.source = f"{MACHINE_MADE}{name}"
        self._speech = vad.get_speech_timestamps
        kind, _, index = device.partition(":")
        cuda = kind == "cuda"
        try:
            self._model: Any = WhisperModel(
                str(folder),
                device="cuda" if cuda else "cpu",
                device_index=int(index or 0) if cuda else 0,
                compute_type="int8_float16" if cuda else "int8",
                cpu_threads=threads(),
                local_files_only=True,
            )
        except Exception as error:
            # The tokenizer's library raises nothing narrower.
            again = "delete the folder; it is made anew" if name == EMBEDDED else "download it anew"
            raise EncoderError(
                f"the recogniser cannot be loaded ({brief(error)})", where=folder, do=again
            ) from error

    def transcribe(self, chunks: Iterable[Samples], *, language: str = "") -> Iterator[Cue]:
        """Hears a title; holds one block of sound at a time.

        Args:
            chunks: 16 kHz mono sound, the first sample at time zero, without holes.
            language: What is spoken (``en``, ``pt-BR``); by default as it is heard in the first
                block that leaves little doubt.

        Yields:
            Cues in the order of time; none overlaps another or outlasts the sound.

        Raises:
            EncoderError: It does not know the language.
            TitleDataError: It failed at this sound.
        """
        language = language.lower().partition("-")[0]
        known = self._model.supported_languages
        if language and language not in known:
            raise EncoderError(
                f"does not know the language '{language}'",
                where=self.source,
                do="leave it out; it is then detected",
            )
        return self._cues(chunks, language)

    def _cues(self, chunks: Iterable[Samples], language: str) -> Iterator[Cue]:
        last = 0
        for first, samples_S in blocks(chunks):
            offset, end = first * US // RATE, (first + len(samples_S)) * US // RATE
            spoken, language, lines = self._hear(samples_S, language)
            for words in lines:
                text = "".join(word for _, _, word in words).strip()
                if not any(character.isalnum() for character in text):
                    continue
                start = min(max(offset + round(words[0][0] * US), last), end)
                last = min(max(offset + round(words[-1][1] * US), start), end)
                yield Cue(Span(start, last), text, "speech", spoken, self.source)

    def _hear(self, samples_S: Samples, language: str) -> tuple[str, str, list[Words]]:
        """The words of a block, seconds from its start, by line.

        Returns:
            The language of the block, that of the title if it is certain by now, and the lines.
        """
        spans = [(s["start"], s["end"]) for s in self._speech(samples_S, **_VAD)]
        if not spans:
            return language, language, []
        speech_S = np.concatenate([samples_S[start:end] for start, end in spans])
        try:
            segments, info = self._model.transcribe(
                speech_S, language=language or None, **_DECODING
            )
            # Decoding happens here.
            sure = [segment for segment in segments if _is_sure(segment)]
        except RuntimeError as error:
            # Of this sound; the next title's may be heard.
            raise TitleDataError(f"{self.source}: hearing failed ({brief(error)})") from error
        lines = []
        for segment in sure:
            words = [(word.start, word.end, word.word) for word in segment.words or ()]
            lines += _split(_on_title(words, spans)) if words else []
        if info.language_probability >= _SURE:
            language = info.language
        return info.language, language, lines


Words = list[tuple[float, float, str]]
"""Start and end in seconds, and the word with the space before it."""


def blocks(
    chunks: Iterable[Samples], most: int = BLOCK, search: int = _SEARCH
) -> Iterator[tuple[int, Samples]]:
    """Cuts a stream of sound at quiet places.

    Args:
        chunks: Consecutive samples.
        most: Samples of a block at most.
        search: How many of its last samples are searched for the quietest place.

    Yields:
        Place of a block's first sample in the stream, and its samples; together they are the
        stream.
    """
    held: list[Samples] = []
    first = count = 0
    for chunk_S in chunks:
        held.append(chunk_S)
        count += len(chunk_S)
        while count >= most:
            samples_S = np.concatenate(held)
            cut = most - search + _quietest(samples_S[most - search : most])
            yield first, samples_S[:cut]
            first, count = first + cut, count - cut
            held = [samples_S[cut:].copy()]  # a view would keep the whole in memory
    if count:
        yield first, np.concatenate(held)


def _quietest(samples_S: Samples) -> int:
    """Where to cut: in the middle of the quietest stretch, after the first sample."""
    sums_S = np.cumsum(np.square(samples_S, dtype=np.float64))
    width = min(_QUIET, len(sums_S) - 1)
    if width < 1:
        return len(samples_S)
    return int(np.argmin(sums_S[width:] - sums_S[:-width])) + width // 2 + 1


def _is_sure(segment: Any) -> bool:
    silent, likely = _DOUBT
    text = segment.text.encode()
    return bool(
        segment.avg_logprob >= _LEAST_LOG_PROB
        and len(text) <= _MOST_COMPRESSION * len(zlib.compress(text))
        and segment.compression_ratio <= _LOOP
        and (segment.no_speech_prob <= silent or segment.avg_logprob >= likely)
    )


def _on_title(words: Words, spans: Sequence[tuple[int, int]]) -> Words:
    """Moves words from the concatenated speech to where it was; a word lies in one span."""
    ends = np.cumsum([end - start for start, end in spans]) / RATE
    moved = []
    for start, end, word in words:
        i = min(int(np.searchsorted(ends, (start + end) / 2, side="right")), len(spans) - 1)
        shift = spans[i][1] / RATE - ends[i]
        low, high = spans[i][0] / RATE, spans[i][1] / RATE
        begin, finish = (float(min(max(time + shift, low), high)) for time in (start, end))
        moved.append((begin, finish, word))
    return moved


def _split(words: Words) -> list[Words]:
    """Halves a line that is too long, or that pauses, where a reader would expect it."""
    pauses = [later[0] - earlier[1] for earlier, later in itertools.pairwise(words)]
    if not pauses or (words[-1][1] - words[0][0] <= _LONGEST and max(pauses) <= _PAUSE):
        return [words]

    def fitness(i: int) -> float:
        ending = {".": 0.7, "?": 0.7, "!": 0.7, ",": 0.4}.get(words[i][2][-1:], 0.0)
        return pauses[i] + ending - abs(2 * (i + 1) / len(words) - 1)

    cut = max(range(len(pauses)), key=fitness) + 1
    return _split(words[:cut]) + _split(words[cut:])
