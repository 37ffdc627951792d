"""Saving and loading: safetensors, config.json, training.json and a model card; never a pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch
from huggingface_hub import ModelCard, PyTorchModelHubMixin, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from mediafm.errors import ModelError, describe_os_error
from mediafm.files import write_whole
from mediafm.model.card import model_card
from mediafm.model.config import ModelConfig
from mediafm.strict_json import without_nan

WEIGHTS, CONFIG, TRAINING, CARD = "model.safetensors", "config.json", "training.json", "README.md"
PICKLES = ("pytorch_model.bin", "model.bin", "model.pt", "model.pth", "checkpoint.pt")


class SafeHub(nn.Module, PyTorchModelHubMixin):
    """The hub's mixin without its ``.bin`` fallback: unpickling a file can run any code.

    ``push_to_hub`` is the mixin's; it uploads what :meth:`save_pretrained` writes.
    """

    config: ModelConfig
    summary: dict[str, Any]

    def save_pretrained(
        self,
        save_directory: str | Path,
        *,
        config: Any = None,
        repo_id: str | None = None,
        push_to_hub: bool = False,
        model_card_kwargs: dict[str, Any] | None = None,
        **push_to_hub_kwargs: Any,
    ) -> str | None:
        """Writes the model's folder; each file appears whole or not at all, the weights last.

        Args:
            save_directory: The folder; made where missing.
            config: Ignored: the model knows its configuration. The mixin passes it.
            repo_id: Name on the hub, the folder's name by default.
            push_to_hub: Whether to upload as well.
            model_card_kwargs: Ignored: the card is generated from the model.
            **push_to_hub_kwargs: For ``push_to_hub``.

        Returns:
            The address of the commit when pushed.

        Raises:
            ModelError: The folder cannot be written.
        """
        folder = Path(save_directory)
        state = {k: v.detach().cpu().contiguous() for k, v in self.state_dict().items()}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / CONFIG, to_json(self.config.to_dict()))
            write_whole(folder / TRAINING, to_json(self.summary))
            write_whole(folder / CARD, str(self.generate_model_card()).encode())
            write_whole(folder / WEIGHTS, save(state, metadata={"format": "pt"}))
        except OSError as error:
            raise ModelError(
                f"the model cannot be saved ({describe_os_error(error)})", where=folder
            ) from None
        if push_to_hub:
            return str(self.push_to_hub(repo_id or folder.name, **push_to_hub_kwargs))
        return None

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:
        """The card from configuration and training summary."""
        return ModelCard(model_card(self.config, self.summary))

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        force_download: bool = False,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
        **model_kwargs: Any,
    ) -> Self:
        """Loads a model from a folder or from the hub, in evaluation mode, on the CPU.

        Args:
            pretrained_model_name_or_path: A folder, or a name on the hub (``owner/model``).
            force_download: See :mod:`huggingface_hub`.
            token: See :mod:`huggingface_hub`.
            cache_dir: See :mod:`huggingface_hub`.
            local_files_only: See :mod:`huggingface_hub`.
            revision: See :mod:`huggingface_hub`.
            **model_kwargs: Refused: the configuration comes with the model.

        Raises:
            ModelError: Nothing is there, or it is damaged, or it is a pickle.
        """
        if model_kwargs:
            raise TypeError(f"from_pretrained() takes no '{next(iter(model_kwargs))}'")
        name, folder = str(pretrained_model_name_or_path), Path(pretrained_model_name_or_path)
        if not folder.exists():
            try:
                folder = Path(
                    snapshot_download(
                        name,
                        revision=revision,
                        cache_dir=cache_dir,
                        force_download=force_download,
                        token=token,
                        local_files_only=local_files_only,
                        allow_patterns=[WEIGHTS, CONFIG, TRAINING, CARD],
                    )
                )
            except HFValidationError:
                raise ModelError("there is no such model folder", where=name) from None
            except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
                raise ModelError(
                    f"no such folder, and the hub did not give it ({type(error).__name__})",
                    where=name,
                    do="check the path or the name 'owner/model'",
                ) from None
        config = read_config(folder)
        weights = _weights_file(folder)
        model = cls(config)
        try:
            model.load_state_dict(load_file(weights), strict=True)
        except OSError as error:
            raise ModelError(describe_os_error(error), where=weights) from None
        except SafetensorError as error:
            raise ModelError(
                f"the weights are damaged ({error})", where=weights, do="copy the model again"
            ) from None
        except RuntimeError as error:
            raise ModelError(
                f"the weights do not fit {CONFIG} ({str(error).splitlines()[-1].strip()})",
                where=weights,
            ) from None
        model.summary = read_json(folder / TRAINING) if (folder / TRAINING).exists() else {}
        model.eval()
        return model

    @classmethod
    def _load_as_pickle(cls, *args: Any, **kwargs: Any) -> Any:
        raise ModelError("pickled weights are not loaded", do=f"convert them to {WEIGHTS}")


def _weights_file(folder: Path) -> Path:
    if (folder / WEIGHTS).is_file():
        return folder / WEIGHTS
    for name in PICKLES:
        if (folder / name).exists():
            raise ModelError(
                f"holds {name} and no {WEIGHTS}; pickles can run any code and are not loaded",
                where=folder,
                do="ask its author for safetensors",
            )
    raise ModelError(f"holds no {WEIGHTS}", where=folder, do="name the folder of a trained model")


def read_config(folder: Path) -> ModelConfig:
    """Reads ``config.json`` of a model's folder.

    Raises:
        ModelError: It is missing or damaged.
    """
    if not folder.is_dir():
        raise ModelError("is not a model folder", where=folder)
    if not (folder / CONFIG).is_file():
        _weights_file(folder)
        raise ModelError(f"holds no {CONFIG}", where=folder, do="copy the whole model folder")
    try:
        return ModelConfig.from_dict(read_json(folder / CONFIG))
    except ModelError as error:
        raise ModelError(error.what, where=folder / CONFIG, do=error.do) from None


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        ModelError: The file cannot be read or holds something else.
    """
    try:
        values = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ModelError(describe_os_error(error), where=path) from None
    except ValueError as error:
        raise ModelError(f"is damaged ({error})", where=path) from None
    if not isinstance(values, dict):
        raise ModelError("is damaged (not a JSON object)", where=path)
    return values


def to_json(values: Any) -> bytes:
    """Writes JSON for people: indented, keys as given, and no NaN, which is not JSON."""
    return (json.dumps(without_nan(values), indent=2, allow_nan=False) + "\n").encode()


def tensors_fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """Digests named tensors: names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.blake2b(digest_size=8)
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
