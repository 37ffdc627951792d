"""A checkpoint in the format of transformers that lies on this machine, and loading its parts.

Code that comes with a checkpoint is never run.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import re
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mediafm.encoders.base import cache_folder
from mediafm.encoders.devices import torch_dtype
from mediafm.encoders.spec import Spec
from mediafm.errors import EncoderError, MediaFMError, MissingExtraError, describe_os_error
from mediafm.fingerprint import file_fingerprint, fingerprint

CONFIG = "config.json"
# Not weights, or used in training only: position numbers, wav2vec2's vector for masked places.
_NEEDLESS = re.compile(r"(^|\.)(position_ids|masked_spec_embed)$")
_LOADING = threading.RLock()


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that lies on this machine.

    Args:
        folder: Where its files are.
        spec: What it was found by, made definite: the commit of the hub, or an absolute folder.
        config: Its ``config.json``.
        weights: Its weight files, sorted.
    """

    folder: Path
    spec: Spec
    config: dict[str, Any]
    weights: tuple[Path, ...]

    @property
    def model_type(self) -> str:
        """What transformers calls the family."""
        return str(self.config["model_type"])

    @functools.cached_property
    def digest(self) -> str:
        """16 hexadecimal digits over the content of the weight files.

        Gigabytes are read only once: the digest is kept in the user's cache for as long as the
        files keep their place, size and time of change.

        Raises:
            EncoderError: A file cannot be read.
        """
        try:
            facts = [(file.resolve(), file.stat()) for file in self.weights]
            key = fingerprint([[str(path), s.st_size, s.st_mtime_ns] for path, s in facts])
            stamp = _read_stamp(key)
            if stamp is None:
                stamp = file_fingerprint(*self.weights)
                _write_stamp(key, stamp)
        except OSError as error:
            raise EncoderError(
                f"weights cannot be read ({describe_os_error(error)})", where=self.folder
            ) from None
        except MediaFMError as error:
            raise EncoderError(error.what, where=error.where) from None
        return stamp

    def digest_of(self, *names: str) -> str:
        """16 hexadecimal digits over the names and content of the named files that there are."""
        present = [name for name in names if (self.folder / name).is_file()]
        return fingerprint([present, file_fingerprint(*(self.folder / n for n in present))])


def _read_stamp(key: str) -> str | None:
    try:
        text = (cache_folder("weights") / key).read_text()
    except (OSError, UnicodeDecodeError):
        return None
    return text if re.fullmatch("[0-9a-f]{16}", text) else None


def _write_stamp(key: str, digest: str) -> None:
    # Without a writable cache the files are read again next time, which is slow but not wrong.
    with contextlib.suppress(OSError):
        folder = cache_folder("weights")
        with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".part", delete=False) as file:
            file.write(digest)
        Path(file.name).replace(folder / key)


def require_transformers(spec: Spec) -> None:
    """Says early that the extra is missing, without the seconds that importing it takes.

    Raises:
        MissingExtraError: transformers is not installed.
    """
    if importlib.util.find_spec("transformers") is None:
        raise MissingExtraError("transformers", extra="hf", purpose=f"the encoder {spec}")


def brief(error: BaseException) -> str:
    """The first line of an error's text, which may be a page long, and its kind if it has none."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text if len(text) <= 200 else f"{text[:199]}…"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and remarks of transformers, whose settings are the process's.

    One thread at a time, since the settings before are put back afterwards.
    """
    from transformers.utils import logging

    with _LOADING:
        level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity(50)  # no level is higher
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            logging.set_verbosity(level)
            if bars:
                logging.enable_progress_bar()  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def loading(checkpoint: Checkpoint, part: str) -> Iterator[None]:
    """Turns whatever transformers raises while it loads a part into an error for the user.

    Args:
        checkpoint: What is loaded.
        part: What of it (``the tokenizer``).

    Raises:
        EncoderError: Loading failed.
    """
    with quiet():
        try:
            yield
        except (MediaFMError, MemoryError):
            raise
        except ImportError as error:
            raise EncoderError(
                f"{part} needs a library that is not installed ({brief(error)})",
                where=checkpoint.folder,
                do="pip install 'mediafm[hf]'",
            ) from error
        except Exception as error:
            raise EncoderError(
                f"{part} cannot be loaded ({brief(error)})",
                where=checkpoint.folder,
                do="check that the checkpoint is whole, or download it again",
            ) from error


def load_part(cls: Any, checkpoint: Checkpoint, part: str, **options: Any) -> Any:
    """Loads a tokenizer, an image processor or a feature extractor.

    Args:
        cls: The class of transformers.
        checkpoint: Where from.
        part: What it is, for the error.
        **options: For ``from_pretrained``.

    Raises:
        EncoderError: It is missing or damaged.
    """
    with loading(checkpoint, part):
        return cls.from_pretrained(
            checkpoint.folder, local_files_only=True, trust_remote_code=False, **options
        )


def load_tokenizer(checkpoint: Checkpoint, **options: Any) -> Any:
    """Loads the tokenizer.

    Raises:
        EncoderError: It is missing or damaged. Without a vocabulary transformers would make up an
            empty one, to which every text is the same.
    """
    names = {file.name for file in checkpoint.folder.iterdir()}
    known = {"tokenizer.json", "vocab.txt"} & names or any(n.endswith(".model") for n in names)
    if not known and not {"vocab.json", "merges.txt"} <= names:
        raise EncoderError(
            "has no tokenizer (tokenizer.json)",
            where=checkpoint.folder,
            do="download the checkpoint again",
        )
    from transformers import AutoTokenizer

    tokenizer = load_part(AutoTokenizer, checkpoint, "the tokenizer", **options)
    # Files of another kind of tokenizer are passed over as if they were not there.
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise EncoderError(
            "its tokenizer knows no word",
            where=checkpoint.folder,
            do="download the checkpoint again",
        )
    return tokenizer


def load_model(
    cls: Any, checkpoint: Checkpoint, dtype: str = "float32", *, needless: str = "", **options: Any
) -> Any:
    """Loads a network for use: frozen, in evaluation mode, on the CPU.

    Args:
        cls: The class of transformers.
        checkpoint: Where from.
        dtype: Precision, of :data:`~mediafm.encoders.devices.DTYPES`.
        needless: Regular expression for weights that the vectors do not depend on, which the
            checkpoint may therefore lack.
        **options: For ``from_pretrained``.

    Raises:
        EncoderError: Weights are damaged, or do not fill the network: transformers would go on
            with random ones.
    """
    main = [file for file in checkpoint.weights if file.parent == checkpoint.folder]
    with loading(checkpoint, "the network"):
        model, info = cls.from_pretrained(
            checkpoint.folder,
            dtype=torch_dtype(dtype),
            use_safetensors=all(file.suffix == ".safetensors" for file in main),
            weights_only=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **options,
        )
    for name, found, wanted in sorted(info["mismatched_keys"]):
        raise EncoderError(
            f"its weights do not fit its {CONFIG} ({name} is {list(found)}, not {list(wanted)})",
            where=checkpoint.folder,
            do="download the checkpoint again",
        )
    missing = [
        name
        for name in sorted(info["missing_keys"])
        if not _NEEDLESS.search(name) and not (needless and re.search(needless, name))
    ]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise EncoderError(
            f"lacks weights of the network that its {CONFIG} describes ({missing[0]}{more})",
            where=checkpoint.folder,
            do="choose the original checkpoint, or save the whole network",
        )
    return model.eval().requires_grad_(False)
