"""Text encoders of sentence-transformers: ``--text hf:intfloat/multilingual-e5-base``.

A checkpoint without ``modules.json`` gets what the library gives it: the mean over its last hidden
states (the last token's where it was made to continue texts).
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mediafm.encoders.base import EncoderInfo, Vectors
from mediafm.encoders.batching import by_length
from mediafm.encoders.devices import Replicas, torch_dtype
from mediafm.encoders.hf.checkpoint import (
    CONFIG,
    Checkpoint,
    load_model,
    load_tokenizer,
    loading,
)
from mediafm.encoders.hf.hub import open_checkpoint
from mediafm.encoders.spec import Spec
from mediafm.errors import EncoderError, TitleDataError

FAMILIES = {
    "albert": "ALBERT",
    "bert": "BERT",
    "camembert": "CamemBERT",
    "deberta": "DeBERTa",
    "deberta-v2": "DeBERTa",
    "distilbert": "DistilBERT",
    "electra": "ELECTRA",
    "ernie": "ERNIE",
    "gemma3_text": "Gemma 3",
    "llama": "Llama",
    "mistral": "Mistral",
    "modernbert": "ModernBERT",
    "mpnet": "MPNet",
    "mt5": "T5",
    "nomic_bert": "BERT",
    "qwen2": "Qwen",
    "qwen3": "Qwen",
    "roberta": "RoBERTa",
    "t5": "T5",
    "xlm-roberta": "XLM-RoBERTa",
}
"""``model_type`` to what people call it; of networks whose padding does not change a vector."""

TOKENS_CPU, TOKENS = 1024, 32_768
"""Padded tokens in one batch, on the CPU and elsewhere; bounds the memory. A CPU is fastest while a
batch fits its cache."""

_LOG = logging.getLogger("mediafm")
_MODULES, _LIBRARY_CONFIG = "modules.json", "config_sentence_transformers.json"
_KNOWN = ("Transformer", "Pooling", "Dense", "Normalize", "LayerNorm", "Dropout")
"""Modules that work on any batch; others (word lists, networks of convolutions) do not."""
_RECIPES = (
    CONFIG,
    _MODULES,
    "sentence_bert_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "tokenizer.model",
)
# Of the instruction-tuned ones only queries have a prefix, a task in words.
_E5 = re.compile(r"(multilingual-)?e5-(small|base|large)(?!.*instruct)", re.IGNORECASE)
_E5_PROMPT = "query: "
_POOLERS = r"(^|\.)pooler\."
_MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


@dataclass
class HFText:
    """A text encoder that was found.

    Args:
        info: What decides the vectors.
        checkpoint: Where the weights are.
        dtype: Precision of the network.
        prompt: Put before every text.
        query_prompt: Put before what somebody looks for.
    """

    info: EncoderInfo
    checkpoint: Checkpoint
    dtype: str
    prompt: str
    query_prompt: str
    queries: bool = True

    def load(self, devices: Sequence[str]) -> Sentences:
        """See :class:`~mediafm.encoders.base.EncoderSource`."""
        return Sentences(self, devices)


def open_text(spec: Spec, modality: str) -> HFText:
    """Finds a text encoder in a folder or on the hub; loads no weights.

    Args:
        spec: ``hf:NAME`` or ``hf:FOLDER``. Option ``dtype`` (``float32``, ``bfloat16``,
            ``float16``); option ``prompt``, put before every text: one of the checkpoint's own by
            its name, or the prompt itself, empty for none.
        modality: What its vectors are called in the catalog.

    Raises:
        EncoderError: It is not there, of another family, or an option is wrong.
        MissingExtraError: sentence-transformers is not installed.
    """
    checkpoint, dtype = open_checkpoint(
        spec,
        families=FAMILIES,
        purpose="text",
        options=("dtype", "prompt"),
        needs="sentence-transformers",
    )
    modules = _modules(checkpoint)
    dim, settings = _settings(checkpoint, modules)
    prompt, query_prompt = _prompts(checkpoint)
    configs = [f"{path}/{CONFIG}" for _, path in modules if path]
    settings |= {
        "weights": checkpoint.digest,
        "recipe": checkpoint.digest_of(*_RECIPES, *configs),
        "dtype": dtype,
        "prompt": prompt,
    }
    info = EncoderInfo(modality, str(checkpoint.spec), dim, settings, identity="hf")
    return HFText(info, checkpoint, dtype, prompt, query_prompt)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise EncoderError(
            f"cannot be read ({error})", where=path, do="download the checkpoint again"
        ) from None


def _modules(checkpoint: Checkpoint) -> list[tuple[str, str]]:
    """Kind and folder of the modules that the library would build."""
    kind = _library_config(checkpoint).get("model_type", "SentenceTransformer")
    if kind != "SentenceTransformer":
        raise EncoderError(
            f"is a {kind}, which gives no vectors of one width for texts",
            where=str(checkpoint.spec),
            do="choose a SentenceTransformer",
        )
    listed = _read(checkpoint.folder / _MODULES)
    if not listed:
        return [("Transformer", ""), ("Pooling", "")]
    try:
        modules = [(str(m["type"]), str(m["path"])) for m in listed]
    except (TypeError, KeyError):
        raise EncoderError(
            "is damaged", where=checkpoint.folder / _MODULES, do="download the checkpoint again"
        ) from None
    for name, _ in modules:
        if not name.startswith("sentence_transformers.") or name.split(".")[-1] not in _KNOWN:
            raise EncoderError(
                f"has a part that is not supported, {name}; code in checkpoints is never run",
                where=str(checkpoint.spec),
                do="choose another checkpoint",
            )
    return [(name.split(".")[-1], path) for name, path in modules]


def _library_config(checkpoint: Checkpoint) -> dict[str, Any]:
    config = _read(checkpoint.folder / _LIBRARY_CONFIG)
    return config if isinstance(config, dict) else {}


def _settings(
    checkpoint: Checkpoint, modules: Sequence[tuple[str, str]]
) -> tuple[int, dict[str, str]]:
    """Width and settings by the checkpoint's files; the library takes seconds to import."""
    config = checkpoint.config
    dim = int(config.get("hidden_size") or config.get("d_model") or config.get("dim") or 768)
    pooling = "the library's default"
    for kind, path in modules:
        held = _read(checkpoint.folder / path / CONFIG) if path else {}
        if kind == "Pooling" and held:
            width = held.get("embedding_dimension") or held.get("word_embedding_dimension") or dim
            found = held.get("pooling_mode") or [
                mode for key, mode in _MODES.items() if held.get(key)
            ]
            modes = [found] if isinstance(found, str) else list(found) or ["mean"]
            dim, pooling = int(width) * len(modes), " + ".join(modes)
        if kind == "Dense":
            dim = int(held.get("out_features", dim))
    length = _read(checkpoint.folder / "sentence_bert_config.json").get("max_seq_length")
    return dim, {
        "pooling": pooling,
        "normalised": "yes" if any(kind == "Normalize" for kind, _ in modules) else "no",
        "length": "the tokenizer's" if length is None else f"{length} tokens",
    }


def _prompts(checkpoint: Checkpoint) -> tuple[str, str]:
    """What to put before texts and before queries."""
    config = _library_config(checkpoint)
    held = config.get("prompts")
    prompts: Mapping[str, str] = held if isinstance(held, dict) else {}
    default = prompts.get(config.get("default_prompt_name") or "") or ""
    names = (checkpoint.spec.name, str(checkpoint.config.get("_name_or_path", "")))
    # Their card: without the prefix they do worse, and "query: " on both sides where the task is
    # symmetric. The checkpoints themselves do not say so.
    e5 = any(_E5.match(Path(name).name) for name in names)
    if e5 and not default:
        default = _E5_PROMPT
    chosen = checkpoint.spec.options.get("prompt")
    prompt = default if chosen is None else prompts.get(chosen, chosen)
    return prompt, prompts.get("query") or (_E5_PROMPT if e5 else prompt)


class Sentences:
    """The vectors of a SentenceTransformer.

    Args:
        source: What was found.
        devices: torch's names.

    Raises:
        EncoderError: Files are missing or damaged.
    """

    def __init__(self, source: HFText, devices: Sequence[str]):
        self.info = source.info
        self._source = source
        self._replicas: Replicas[Any] = Replicas(lambda device: _load(source, device), devices)
        self._budget = TOKENS_CPU if "cpu" in devices else TOKENS
        # Tokenizers keep the padding of a call in themselves, which two threads would mix up.
        self._tokenizing = threading.Lock()
        self._cut = 0

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See :class:`~mediafm.encoders.base.TextEncoder`."""
        return self._encode(texts, self._source.prompt)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """See :class:`~mediafm.encoders.base.QueryEncoder`."""
        return self._encode(texts, self._source.query_prompt)

    def foreign(self, query: str) -> float:
        """See :class:`~mediafm.encoders.base.Vocabulary`."""
        tokenizer = self._replicas.models[0].tokenizer
        with self._tokenizing:
            pieces = tokenizer(query, add_special_tokens=False, verbose=False)["input_ids"]
        unknown = tokenizer.unk_token_id  # none where pieces are bytes
        return float(sum(piece == unknown for piece in pieces) / max(len(pieces), 1))

    def _encode(self, texts: Sequence[str], prompt: str) -> Vectors:
        batches = by_length(self._lengths(texts, prompt), self._budget)
        found = self._replicas.map(
            self._run, ([prompt, *(texts[i] for i in batch)] for batch in batches)
        )
        x_ND = np.zeros((len(texts), self.info.dim), dtype=np.float32)
        for batch, rows in zip(batches, found, strict=True):
            x_ND[batch] = rows
        return x_ND

    def _lengths(self, texts: Sequence[str], prompt: str) -> list[int]:
        """Tokens of every text as the network will see it."""
        model = self._replicas.models[0]
        if not texts:
            return []
        with self._tokenizing:
            tokens = model.tokenizer(
                [prompt + text for text in texts],
                return_attention_mask=False,
                return_token_type_ids=False,
                verbose=False,
            )["input_ids"]
        lengths = [len(ids) for ids in tokens]
        most = model.max_seq_length or max(lengths)
        cut = sum(length > most for length in lengths)
        if cut and not self._cut:
            _LOG.warning(
                "%s: %d of %d texts are longer than its %d tokens and are cut; this is said once",
                self.info.name,
                cut,
                len(texts),
                most,
            )
        self._cut += cut
        return [min(length, most) for length in lengths]

    def _run(self, model: Any, batch: Sequence[str]) -> Vectors:
        """A prompt and the texts that it precedes, to their vectors."""
        import torch

        prompt, *texts = batch
        with self._tokenizing:
            features = model.preprocess(texts, prompt=prompt or None)
        with torch.inference_mode():
            moved = {
                name: value.to(model.device) if isinstance(value, torch.Tensor) else value
                for name, value in features.items()
            }
            x_BD: Vectors = model(moved)["sentence_embedding"].float().cpu().numpy()
        bad_B = ~np.isfinite(x_BD).all(axis=1)
        if bad_B.any():
            # All of several: the network does not fit the precision. Else it is the text's fault.
            kind = EncoderError if bad_B.all() and len(texts) > 1 else TitleDataError
            raise kind(
                f"{self.info.name} gives numbers that are not finite in {self._source.dtype}",
                do=None if self._source.dtype == "float32" else "choose dtype=bfloat16 or float32",
            )
        return x_BD


def _load(source: HFText, device: str) -> Any:
    """The library's model, its network checked for weights that the checkpoint lacks."""
    import sentence_transformers

    checkpoint = source.checkpoint
    load_tokenizer(checkpoint)
    safe = all(
        f.suffix == ".safetensors" for f in checkpoint.weights if f.parent == checkpoint.folder
    )
    with loading(checkpoint, "the text encoder"):
        model = sentence_transformers.SentenceTransformer(
            str(checkpoint.folder),
            device="cpu",
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={
                "dtype": torch_dtype(source.dtype),
                "use_safetensors": safe,
                "weights_only": True,
            },
        )
    # Loaded anew, because the library goes on with random numbers for weights that are missing.
    first: Any = model[0]
    cls, config = type(first.model), first.model.config
    first.model = None
    first.model = load_model(cls, checkpoint, source.dtype, needless=_POOLERS, config=config)
    dim = model.get_embedding_dimension()
    if dim != source.info.dim:
        raise EncoderError(
            f"gives vectors of {dim} numbers, its files say {source.info.dim}",
            where=checkpoint.folder,
            do="download the checkpoint again",
        )
    return model.to(device=device, dtype=torch_dtype(source.dtype)).eval()
