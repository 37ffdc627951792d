"""Tokenizers of the kinds that checkpoints have, trained in place on a few words."""

from __future__ import annotations

import json
from pathlib import Path

import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

WORDS = (
    "a man runs down the street at night . two women talk in a kitchen while rain falls outside . "
    "the dog barks , a car starts and music plays . he opens the door slowly . "
    "ein Mann geht ins Haus"
)


def clip_words(folder: Path) -> int:
    """Saves a tokenizer like that of CLIP; its size."""
    raw = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>"))
    raw.normalizer = normalizers.Lowercase()
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.train_from_iterator(
        [WORDS],
        trainers.BpeTrainer(
            vocab_size=300,
            special_tokens=["<|startoftext|>", "<|endoftext|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            end_of_word_suffix="</w>",
            show_progress=False,
        ),
    )
    state = json.loads(raw.to_str())["model"]
    merges = [tuple(pair) for pair in state["merges"]]
    tokenizer = transformers.CLIPTokenizer(state["vocab"], merges, model_max_length=32)
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


def gemma_words(folder: Path, cls) -> int:
    """A tokenizer of the kind SigLIP 2 has; the one of SigLIP needs sentencepiece."""
    raw = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    raw.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(" ", "▁")])
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    letters = [f"<0x{byte:02X}>" for byte in range(256)]
    raw.train_from_iterator(
        [WORDS],
        trainers.BpeTrainer(vocab_size=360, special_tokens=special + letters, show_progress=False),
    )
    state = json.loads(raw.to_str())["model"]
    merges = [tuple(pair) for pair in state["merges"]]
    tokenizer = cls(vocab=state["vocab"], merges=merges, padding_side="right")
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


def roberta_words(folder: Path) -> int:
    """Saves a tokenizer like that of RoBERTa; its size."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    raw.train_from_iterator(
        [WORDS],
        trainers.BpeTrainer(
            vocab_size=300,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    state = json.loads(raw.to_str())["model"]
    merges = [tuple(pair) for pair in state["merges"]]
    tokenizer = transformers.RobertaTokenizer(
        vocab=state["vocab"], merges=merges, model_max_length=64
    )
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


def bert_words(folder: Path, longest: int) -> int:
    """Saves a tokenizer like that of BERT; its size."""
    raw = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    raw.normalizer = normalizers.BertNormalizer(lowercase=True)
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    raw.train_from_iterator(
        [WORDS, " ".join("abcdefghijklmnopqrstuvwxyz")],
        trainers.WordPieceTrainer(vocab_size=220, special_tokens=special, show_progress=False),
    )
    raw.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    vocab = json.loads(raw.to_str())["model"]["vocab"]
    tokenizer = transformers.BertTokenizer(
        vocab=vocab, do_lower_case=True, model_max_length=longest
    )
    tokenizer.save_pretrained(folder)
    return len(tokenizer)
