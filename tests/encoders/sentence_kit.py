"""Tiny checkpoints of text encoders, as the hub has them in all their forms."""

from __future__ import annotations

import functools
import json

import sentence_transformers
import tiny
import torch
import transformers

from mediafm.encoders.hf.text import HFText, open_text
from mediafm.encoders.spec import parse_spec

EXACT = {"atol": 1e-5, "rtol": 0}
TEXTS = [
    "The door opens.",
    "who is it?",
    "a",
    "run " * 40,
    "Ünïcode ♪ 東京",
    "night",
    "the man " * 6,
]
PROMPTS = {"query": "who: ", "passage": "the film: "}


def opened(folder, options="") -> HFText:
    """The encoder of a checkpoint, found but not loaded."""
    return open_text(parse_spec(f"hf:{folder}{options}"), "text")


def edit(path, **changes):
    """Changes entries of a JSON file."""
    held = json.loads(path.read_text())
    path.write_text(json.dumps({**held, **changes}))


def add_module(folder, kind, module=None):
    listed = json.loads((folder / "modules.json").read_text())
    number = len(listed)
    path = f"{number}_{kind}"
    (folder / path).mkdir()
    if module is not None:
        module.save(str(folder / path))
    name = f"sentence_transformers.models.{kind}"
    listed.append({"idx": number, "name": str(number), "path": path, "type": name})
    (folder / "modules.json").write_text(json.dumps(listed))


def dense(folder):
    """As EmbeddingGemma and sentence-t5: two layers behind the pooling, then unit length."""
    tiny.make_sentence_bert(folder, normalize=False)
    modules = sentence_transformers.sentence_transformer.modules
    torch.manual_seed(0)
    add_module(folder, "Dense", modules.Dense(32, 48, activation_function=torch.nn.Tanh()))
    add_module(folder, "Dense", modules.Dense(48, 20, activation_function=torch.nn.Identity()))
    add_module(folder, "Normalize")
    return folder


def instructor(folder):
    """The prompt is read but not averaged."""
    tiny.make_sentence_bert(folder, prompts=PROMPTS)
    edit(folder / "1_Pooling" / "config.json", include_prompt=False)
    edit(folder / "config_sentence_transformers.json", default_prompt_name="passage")
    return folder


def default_prompt(folder):
    tiny.make_sentence_bert(folder, prompts=PROMPTS)
    edit(folder / "config_sentence_transformers.json", default_prompt_name="passage")
    return folder


def from_hub(folder):
    """The hub keeps no empty folders."""
    tiny.make_sentence_bert(folder)
    (folder / "2_Normalize").rmdir()
    return folder


def several(folder):
    tiny.make_sentence_bert(folder)
    edit(
        folder / "1_Pooling" / "config.json",
        pooling_mode_max_tokens=True,
        pooling_mode_cls_token=True,
    )
    return folder


def other_family(model, config, **over):
    """A network of another family with BERT's tokenizer, without modules.json."""

    def make(folder):
        tiny.make_bert(folder)
        side = {
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "vocab_size": json.loads((folder / "config.json").read_text())["vocab_size"],
            "max_position_embeddings": 80,
            "pad_token_id": 0,
        }
        made = getattr(transformers, config)(**{**side, **over})
        edit(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
        return tiny.save(tiny.excite(getattr(transformers, model)(made)), folder)

    return make


DECODER = {"num_key_value_heads": 2, "head_dim": 8, "bos_token_id": 2, "eos_token_id": 3}
FAMILIES = {
    "roberta": other_family("RobertaModel", "RobertaConfig"),
    "mpnet": other_family("MPNetModel", "MPNetConfig"),
    "deberta-v2": other_family(
        "DebertaV2Model",
        "DebertaV2Config",
        relative_attention=True,
        pos_att_type=["c2p", "p2c"],
        position_biased_input=False,
    ),
    "modernbert": other_family(
        "ModernBertModel", "ModernBertConfig", cls_token_id=2, sep_token_id=3, local_attention=8
    ),
    "t5": other_family(
        "T5EncoderModel",
        "T5Config",
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        decoder_start_token_id=0,
    ),
    "qwen3": other_family("Qwen3Model", "Qwen3Config", **DECODER),
    "gemma3": other_family(
        "Gemma3TextModel", "Gemma3TextConfig", use_bidirectional_attention=True, **DECODER
    ),
}
MAKERS = {
    "mean": tiny.make_sentence_bert,
    "cls": functools.partial(tiny.make_sentence_bert, pooling="cls"),
    "max": functools.partial(tiny.make_sentence_bert, pooling="max", normalize=False),
    "weighted": functools.partial(tiny.make_sentence_bert, pooling="weightedmean"),
    "last": functools.partial(tiny.make_sentence_bert, pooling="lasttoken"),
    "several": several,
    "dense": dense,
    "default-prompt": default_prompt,
    "instructor": instructor,
    "from-hub": from_hub,
    "plain": tiny.make_bert,
    **FAMILIES,
}
