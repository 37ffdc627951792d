"""Finding checkpoints: a folder, or a name on the Hugging Face hub.

``hf:openai/clip-vit-large-patch14@REVISION`` or ``hf:./folder``. What was downloaded once is found
in the hub's cache without a network afterwards.
"""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from mediafm.encoders.devices import torch_dtype
from mediafm.encoders.hf.checkpoint import (
    CONFIG,
    Checkpoint,
    brief,
    load_model,
    load_part,
    load_tokenizer,
    loading,
    quiet,
    require_transformers,
)
from mediafm.encoders.spec import Spec
from mediafm.errors import EncoderError, MediaFMError, MissingExtraError, describe_os_error

__all__ = [
    "Checkpoint",
    "brief",
    "find_checkpoint",
    "load_model",
    "load_part",
    "load_tokenizer",
    "loading",
    "open_checkpoint",
    "quiet",
    "require_transformers",
    "weights_present",
]

# Everything but weights: configurations, tokenizers, and the modules of sentence-transformers.
_SMALL = re.compile(r"[^/]+\.(json|txt|model)|\d+_\w+/config\.json")
# One format suffices, the safe one if there is a choice. `model.fp16.safetensors` and the like hold
# the same weights again; sentence-transformers keeps further layers in folders (`2_Dense`).
_WEIGHTS = (
    (re.compile(r"model(-\d+-of-\d+)?\.safetensors"), "model.safetensors"),
    (re.compile(r"pytorch_model(-\d+-of-\d+)?\.bin"), "pytorch_model.bin"),
)
_LAYER = re.compile(r"(\d+_\w+)?")
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


def open_checkpoint(
    spec: Spec,
    *,
    families: Mapping[str, str] | Collection[str],
    purpose: str,
    options: Collection[str] = ("dtype",),
    needs: str = "",
) -> tuple[Checkpoint, str]:
    """Checks what was asked for, then finds the checkpoint: how every encoder from here begins.

    Args:
        spec: ``hf:NAME`` or ``hf:FOLDER`` with its options.
        families: See :func:`find_checkpoint`.
        purpose: See :func:`find_checkpoint`.
        options: What there is to choose, the precision (``dtype``) among it.
        needs: A package of the extra that is needed beside transformers.

    Returns:
        The checkpoint, and the precision, ``float32`` if none was asked for.

    Raises:
        EncoderError: An option is wrong, or see :func:`find_checkpoint`.
        MissingExtraError: A package is not installed.
    """
    spec.check_options(options)
    dtype = spec.options.get("dtype", "float32")
    torch_dtype(dtype)
    require_transformers(spec)
    if needs and importlib.util.find_spec(needs.replace("-", "_")) is None:
        raise MissingExtraError(needs, extra="hf", purpose=f"the encoder {spec.name}")
    return find_checkpoint(spec, families=families, purpose=purpose), dtype


def find_checkpoint(
    spec: Spec, *, families: Mapping[str, str] | Collection[str], purpose: str
) -> Checkpoint:
    """Finds a checkpoint in a folder or on the hub, downloading it if it is not there yet.

    A branch that was downloaded before stays at that commit; name a newer commit to move on.

    Args:
        spec: ``hf:NAME`` or ``hf:FOLDER``; a name is a folder if there is one, or if it is written
            like one.
        families: Values of ``model_type`` that are of use, with their names in words.
        purpose: What for, to put behind "for" (``pictures``, ``sound``).

    Raises:
        EncoderError: It is not there, not whole, or of another family; says what to do.
    """
    folder = _local_folder(spec)
    if folder is not None:
        spec = replace(spec, name=str(folder), revision="")
        config = _checked_config(folder, spec, families, purpose)
    else:
        folder = _cached(spec, whole=True)
        if folder is None:
            folder = _download(spec, families, purpose)
        config = _checked_config(folder, spec, families, purpose)
        spec = replace(spec, revision=folder.name)
    weights = _whole_weights(folder)
    if not weights:
        raise EncoderError(
            "has no weights (model.safetensors or pytorch_model.bin), or not all parts of them",
            where=folder,
            do="download the checkpoint again",
        )
    return Checkpoint(folder, spec, config, weights)


def weights_present(spec: Spec) -> bool:
    """Whether a checkpoint lies on this machine with its weights; asks no network."""
    try:
        folder = _local_folder(spec) or _cached(spec, whole=False)
    except EncoderError:
        return False
    return folder is not None and (folder / CONFIG).is_file() and bool(_whole_weights(folder))


def _local_folder(spec: Spec) -> Path | None:
    """The folder that the name means, absolute; ``None`` for a name on the hub."""
    whole = f"{spec.name}@{spec.revision}" if spec.revision else spec.name
    for name in dict.fromkeys((whole, spec.name)):
        folder = Path(name).expanduser().absolute()
        if folder.is_dir():
            if name != whole:
                raise EncoderError(
                    f"is a folder, which has no revision '{spec.revision}'",
                    where=folder,
                    do=f"leave @{spec.revision} out",
                )
            return Path(os.path.normpath(folder))
    if spec.name[0] in "./~" or Path(spec.name).is_absolute():
        raise EncoderError(
            "there is no such folder",
            where=Path(whole).expanduser().absolute(),
            do="check the path; a name on the hub is written owner/model",
        )
    return None


def _names(folder: Path) -> list[str]:
    files = (*folder.glob("*"), *folder.glob("[0-9]*_*/*"))
    return sorted(file.relative_to(folder).as_posix() for file in files if file.is_file())


def _weight_names(names: Iterable[str]) -> list[str]:
    """Of all files of a checkpoint those with its weights, each weight once."""
    folders: dict[str, list[str]] = {}
    for name in sorted(names):
        folder, _, file = name.rpartition("/")
        if _LAYER.fullmatch(folder):
            folders.setdefault(folder, []).append(file)
    chosen: dict[str, list[str]] = {}
    for folder, files in folders.items():
        for kind, single in _WEIGHTS:
            found = [single] if single in files else [f for f in files if kind.fullmatch(f)]
            if found:
                chosen[folder] = [f"{folder}/{file}" if folder else file for file in found]
                break
    return sorted(name for found in chosen.values() for name in found) if "" in chosen else []


def _whole_weights(folder: Path) -> tuple[Path, ...]:
    """The weight files of a folder; none if parts are missing."""
    names = _weight_names(_names(folder))
    for name in names:
        found = re.search(r"-(\d+)-of-(\d+)\.", name)
        if found and len([n for n in names if f"-of-{found[2]}." in n]) != int(found[2]):
            return ()
    return tuple(folder / name for name in names)


def _checked_config(
    folder: Path, spec: Spec, families: Mapping[str, str] | Collection[str], purpose: str
) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EncoderError(
            f"has no {CONFIG}",
            where=str(spec),
            do="choose a checkpoint in the format of transformers",
        ) from None
    except OSError as error:
        raise EncoderError(f"cannot be read ({describe_os_error(error)})", where=path) from None
    except ValueError as error:
        raise EncoderError(
            f"is damaged ({error})", where=path, do="download the checkpoint again"
        ) from None
    kind = config.get("model_type") if isinstance(config, dict) else None
    if not isinstance(kind, str):
        raise EncoderError(
            "does not say what kind of network it is (model_type)",
            where=path,
            do="choose a checkpoint in the format of transformers",
        )
    if kind not in families:
        named = families.values() if isinstance(families, Mapping) else families
        *head, last = dict.fromkeys(named)
        kinds = f"{', '.join(head)} or {last}" if head else last
        raise EncoderError(
            f"is a {kind} checkpoint, not a {kinds} one",
            where=str(spec),
            do=f"choose one of those for {purpose}",
        )
    assert isinstance(config, dict)
    return config


def _cached(spec: Spec, *, whole: bool) -> Path | None:
    """Where the hub's cache has a checkpoint.

    Args:
        spec: The checkpoint.
        whole: Only if it is certain that nothing is missing: the hub's own list of files lies
            beside them. A cache that another program filled may lack the tokenizer.
    """
    from huggingface_hub import get_cached_repo_tree, snapshot_download
    from huggingface_hub.errors import (
        CachedRepoTreeNotFoundError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    revision = spec.revision or None
    wanted: list[str] = []
    try:
        if whole:
            wanted = _wanted(
                file.path for file in get_cached_repo_tree(spec.name, revision=revision)
            )
        folder = Path(
            snapshot_download(
                spec.name, revision=revision, local_files_only=True, allow_patterns=wanted
            )
        )
    except (CachedRepoTreeNotFoundError, LocalEntryNotFoundError, HFValidationError):
        return None
    return folder if _whole_weights(folder) else None


def _wanted(names: Iterable[str]) -> list[str]:
    known = list(names)
    return [name for name in known if _SMALL.fullmatch(name)] + _weight_names(known)


def _download(spec: Spec, families: Mapping[str, str] | Collection[str], purpose: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    revision = spec.revision or None
    try:
        info = HfApi().model_info(spec.name, revision=revision, timeout=10)
        wanted = _wanted(file.rfilename for file in info.siblings or ())
        small = [name for name in wanted if _SMALL.fullmatch(name)]
        folder = Path(snapshot_download(spec.name, revision=revision, allow_patterns=small))
        # Before gigabytes of another kind of network are fetched.
        _checked_config(folder, spec, families, purpose)
        if len(wanted) > len(small):
            snapshot_download(spec.name, revision=folder.name, allow_patterns=wanted)
    except MediaFMError:
        raise
    except Exception as error:
        # The hub's client lets errors of several libraries through.
        found = _cached(spec, whole=False)
        if found is None or not (found / CONFIG).is_file():
            _explain(error, spec)
        return found
    return folder


def _explain(error: Exception, spec: Spec) -> NoReturn:
    """Turns what the hub's client raises into a line that a user can act on."""
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    page = f"{constants.ENDPOINT}/{spec.name}"
    if isinstance(error, HFValidationError):
        what = "there is no such folder, and it is no name on the hub either"
        do = "write hf:OWNER/MODEL or hf:./FOLDER"
    elif isinstance(error, GatedRepoError):
        what = "the hub gives it only to those who have accepted its terms"
        do = f"accept them at {page} and set HF_TOKEN to a token of yours"
    elif isinstance(error, RevisionNotFoundError):
        what = f"the hub has no revision '{spec.revision}' of it"
        do = f"choose one from {page}/commits/main"
    elif isinstance(error, RepositoryNotFoundError):
        what = "there is no such folder, and the hub has no such model"
        do = "check the name, or set HF_TOKEN if the model is private"
    elif isinstance(error, HfHubHTTPError) and error.response.status_code in (401, 403):
        what = f"the hub refuses it ({error.response.status_code})"
        do = "check HF_TOKEN: it may have run out, or not allow this model"
    elif isinstance(error, OSError) and error.errno in _FULL_DISK:
        what = f"the download cannot be written ({describe_os_error(error)})"
        do = f"make room or set HF_HUB_CACHE; it is {constants.HF_HUB_CACHE} now"
    else:
        offline = isinstance(error, OfflineModeIsEnabled)
        reason = "HF_HUB_OFFLINE is set" if offline else f"{constants.ENDPOINT}: {brief(error)}"
        revision = f" --revision {spec.revision}" if spec.revision else ""
        what = f"it is not (whole) in the cache and the hub cannot be reached ({reason})"
        do = (
            f"where there is a network, run `hf download {spec.name}{revision} --local-dir FOLDER`"
            " (*.json, *.txt, *.model and model*.safetensors, or pytorch_model*.bin where there"
            " are none, suffice), copy the folder here and write hf:FOLDER"
        )
    raise EncoderError(what, where=str(spec), do=do) from None
