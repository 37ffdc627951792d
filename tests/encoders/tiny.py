"""Tiny checkpoints with random weights, saved as the real ones are; nothing is downloaded.

Every maker takes a folder that need not exist yet and changes to the configuration, and returns the
folder. Tokenizers are trained in place on :data:`~tiny_words.WORDS`.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import torch
import transformers
from tiny_words import WORDS, bert_words, clip_words, gemma_words, roberta_words

from mediafm.encoders.hf.checkpoint import quiet

__all__ = ["WORDS", "excite", "save"]

_SIDE = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
_TOWER = {**_SIDE, "num_attention_heads": 4}
_TOKENS = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
_GEMMA = {"bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0}


def excite(model, seed=0):
    """Random weights large enough that different inputs give clearly different vectors.

    The libraries' own start near zero (standard deviation 0.02), where every picture looks alike.
    """
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=draw)
            if "logit_" in name or name.endswith(("original0", "alpha")):
                continue  # temperatures, and scales that belong to another weight
            if weight.ndim > 1:
                weight.copy_(noise / math.sqrt(weight[0].numel()))
            elif "norm" in name.lower() and name.endswith("weight"):
                weight.copy_(1 + 0.1 * noise)
            else:
                weight.copy_(0.1 * noise)
    return model.eval()


def save(model, folder: Path, *, safe: bool = True) -> Path:
    """Saves a network; ``safe=False`` pickles it, as the older ones on the hub are."""
    with quiet():
        model.save_pretrained(folder)
    if not safe:
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder


def _merge(base: dict, over: dict) -> dict:
    """Changes to nested settings: ``vision_config={"image_size": 64}`` keeps the rest of it."""
    merged = dict(base)
    for key, value in over.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if nested else value
    return merged


# Pictures


def make_clip(folder: Path, **over) -> Path:
    """CLIP: pictures of 32 pixels in patches of 8, vectors of 24 numbers."""
    vocab = clip_words(folder)
    base = {
        "projection_dim": 24,
        "vision_config": {**_TOWER, "image_size": 32, "patch_size": 8, "projection_dim": 24},
        "text_config": {**_TOWER, **_TOKENS, "vocab_size": vocab, "max_position_embeddings": 32},
    }
    config = transformers.CLIPConfig(**_merge(base, over))
    size = config.vision_config.image_size
    transformers.CLIPImageProcessorPil(
        size={"shortest_edge": size}, crop_size={"height": size, "width": size}
    ).save_pretrained(folder)
    return save(excite(transformers.CLIPModel(config)), folder)


def make_clip_vision(folder: Path, **over) -> Path:
    """Only the image tower of CLIP, saved from ``CLIPVisionModelWithProjection``."""
    whole = make_clip(folder.with_name(f"{folder.name}-whole"), **over)
    with quiet():
        tower = transformers.CLIPVisionModelWithProjection.from_pretrained(whole)
    save(tower, folder)
    shutil.copy(whole / "preprocessor_config.json", folder)
    return folder


def make_siglip(folder: Path, **over) -> Path:
    """SigLIP, and SigLIP 2 of a fixed resolution: pictures of 32 pixels, vectors of 32 numbers."""
    vocab = gemma_words(folder, transformers.GemmaTokenizer)
    base = {
        "vision_config": {**_TOWER, "image_size": 32, "patch_size": 8},
        "text_config": {**_TOWER, **_GEMMA, "vocab_size": vocab, "max_position_embeddings": 64},
    }
    config = transformers.SiglipConfig(**_merge(base, over))
    size = config.vision_config.image_size
    transformers.SiglipImageProcessorPil(size={"height": size, "width": size}).save_pretrained(
        folder
    )
    return save(excite(transformers.SiglipModel(config)), folder)


def make_siglip_vision(folder: Path, **over) -> Path:
    """Only the image tower of SigLIP, saved from ``SiglipVisionModel``."""
    whole = make_siglip(folder.with_name(f"{folder.name}-whole"), **over)
    with quiet():
        tower = transformers.SiglipVisionModel.from_pretrained(whole)
    save(tower, folder)
    shutil.copy(whole / "preprocessor_config.json", folder)
    return folder


def make_siglip2(folder: Path, **over) -> Path:
    """SigLIP 2 NaFlex: at most 16 patches of 8 pixels, the picture keeps its shape."""
    vocab = gemma_words(folder, transformers.Siglip2Tokenizer)
    base = {
        "vision_config": {**_TOWER, "num_patches": 16, "patch_size": 8},
        "text_config": {**_TOWER, **_GEMMA, "vocab_size": vocab, "max_position_embeddings": 64},
    }
    config = transformers.Siglip2Config(**_merge(base, over))
    vision = config.vision_config
    transformers.Siglip2ImageProcessorPil(
        patch_size=vision.patch_size, max_num_patches=vision.num_patches
    ).save_pretrained(folder)
    return save(excite(transformers.Siglip2Model(config)), folder)


def make_xclip(folder: Path, **over) -> Path:
    """X-CLIP: 4 pictures of 32 pixels, vectors of 24 numbers."""
    vocab = clip_words(folder)
    base = {
        "projection_dim": 24,
        "prompt_num_attention_heads": 4,
        "vision_config": {
            **_TOWER,
            "image_size": 32,
            "patch_size": 8,
            "num_frames": 4,
            "mit_hidden_size": 24,
            "mit_intermediate_size": 48,
            "mit_num_attention_heads": 4,
        },
        "text_config": {**_TOWER, **_TOKENS, "vocab_size": vocab, "max_position_embeddings": 32},
    }
    config = transformers.XCLIPConfig(**_merge(base, over))
    size = config.vision_config.image_size
    # The published ones have the image processor of VideoMAE.
    transformers.VideoMAEImageProcessorPil(
        size={"shortest_edge": size}, crop_size={"height": size, "width": size}
    ).save_pretrained(folder)
    return save(excite(transformers.XCLIPModel(config)), folder)


def make_videomae(folder: Path, **over) -> Path:
    """VideoMAE with its decoder, as pretraining leaves it: 4 pictures of 32 pixels."""
    base = {
        **_TOWER,
        "image_size": 32,
        "patch_size": 8,
        "num_frames": 4,
        "tubelet_size": 2,
        "use_mean_pooling": False,
        "decoder_hidden_size": 16,
        "decoder_num_hidden_layers": 1,
        "decoder_num_attention_heads": 2,
        "decoder_intermediate_size": 16,
    }
    config = transformers.VideoMAEConfig(**_merge(base, over))
    size = config.image_size
    transformers.VideoMAEImageProcessorPil(
        size={"shortest_edge": size}, crop_size={"height": size, "width": size}
    ).save_pretrained(folder)
    return save(excite(transformers.VideoMAEForPreTraining(config)), folder)


# Sound

_WAVES = {
    **_TOWER,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 12,
}


def _extractor(folder: Path, norm: str) -> None:
    # As published: checkpoints with group norm were trained without a mask, those with layer norm
    # with one.
    transformers.Wav2Vec2FeatureExtractor(
        feature_size=1,
        sampling_rate=16_000,
        padding_value=0.0,
        do_normalize=True,
        return_attention_mask=norm == "layer",
    ).save_pretrained(folder)


def _waves(over: dict, norm: str) -> dict:
    stable = {"feat_extract_norm": norm, "do_stable_layer_norm": norm == "layer"}
    return _merge({**_WAVES, **stable, "conv_bias": norm == "layer"}, over)


def make_wav2vec2(folder: Path, *, norm: str = "group", safe: bool = True, **over) -> Path:
    """wav2vec2: ``norm="group"`` like ``-base``, ``norm="layer"`` like ``-large-lv60``."""
    _extractor(folder, norm)
    return save(
        excite(transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**_waves(over, norm)))),
        folder,
        safe=safe,
    )


def make_wav2vec2_pretraining(folder: Path, *, norm: str = "group", **over) -> Path:
    """wav2vec2 with the heads of its pretraining, pickled, as ``facebook/wav2vec2-base`` is."""
    _extractor(folder, norm)
    config = transformers.Wav2Vec2Config(
        **_waves({"codevector_dim": 16, "proj_codevector_dim": 16, **over}, norm)
    )
    return save(excite(transformers.Wav2Vec2ForPreTraining(config)), folder, safe=False)


def make_hubert(folder: Path, *, norm: str = "group", safe: bool = True, **over) -> Path:
    """HuBERT: ``norm="group"`` like ``-base-ls960``, ``norm="layer"`` like ``-large-ll60k``."""
    _extractor(folder, norm)
    return save(
        excite(transformers.HubertModel(transformers.HubertConfig(**_waves(over, norm)))),
        folder,
        safe=safe,
    )


def make_wavlm(folder: Path, *, norm: str = "group", safe: bool = True, **over) -> Path:
    """WavLM: ``norm="group"`` like ``-base-plus``, ``norm="layer"`` like ``-large``."""
    _extractor(folder, norm)
    return save(
        excite(transformers.WavLMModel(transformers.WavLMConfig(**_waves(over, norm)))),
        folder,
        safe=safe,
    )


def make_whisper(folder: Path, **over) -> Path:
    """Whisper with its decoder; windows of 30 s, 1500 states of 32 numbers."""
    base = {
        "d_model": 32,
        "encoder_layers": 2,
        "encoder_attention_heads": 4,
        "encoder_ffn_dim": 48,
        "decoder_layers": 1,
        "decoder_attention_heads": 4,
        "decoder_ffn_dim": 48,
        "vocab_size": 60,
        "max_target_positions": 16,
        "num_mel_bins": 80,
        "pad_token_id": 0,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "decoder_start_token_id": 2,
        "suppress_tokens": None,
        "begin_suppress_tokens": None,
    }
    config = transformers.WhisperConfig(**_merge(base, over))
    transformers.WhisperFeatureExtractor(feature_size=config.num_mel_bins).save_pretrained(folder)
    return save(excite(transformers.WhisperForConditionalGeneration(config)), folder)


def make_clap(folder: Path, *, fused: bool = False, **over) -> Path:
    """CLAP: sound at 48 kHz and text, vectors of 24 numbers.

    ``fused=True`` is like ``clap-htsat-fused``, otherwise like ``clap-htsat-unfused``.
    """
    vocab = roberta_words(folder)
    base = {
        "projection_dim": 24,
        "audio_config": {
            "patch_embeds_hidden_size": 8,
            "depths": [1, 1],
            "num_attention_heads": [2, 2],
            "hidden_size": 16,
            "spec_size": 128,
            "num_mel_bins": 16,
            "window_size": 4,
            "enable_fusion": fused,
            "drop_path_rate": 0.0,
            "aff_block_r": 2,
        },
        "text_config": {**_TOWER, "vocab_size": vocab, "max_position_embeddings": 66},
    }
    config = transformers.ClapConfig(**_merge(base, over))
    transformers.ClapFeatureExtractor(
        feature_size=config.audio_config.num_mel_bins,
        truncation="fusion" if fused else "rand_trunc",
        padding="repeatpad",
    ).save_pretrained(folder)
    return save(excite(transformers.ClapModel(config)), folder)


# Text


def make_bert(folder: Path, *, longest: int = 64, **over) -> Path:
    """BERT with a tokenizer, a plain checkpoint of transformers: vectors of 32 numbers."""
    vocab = bert_words(folder, longest)
    config = transformers.BertConfig(**_merge({**_TOWER, "vocab_size": vocab}, over))
    config.max_position_embeddings = max(longest, over.get("max_position_embeddings", 0))
    return save(excite(transformers.BertModel(config)), folder)


def make_sentence_bert(
    folder: Path,
    *,
    pooling: str = "mean",
    normalize: bool = True,
    longest: int = 24,
    prompts: dict[str, str] | None = None,
    **over,
) -> Path:
    """The same as a folder of sentence-transformers.

    Args:
        folder: Where to.
        pooling: ``mean``, ``cls``, ``max``, ``lasttoken``, ...
        normalize: Whether a module that makes unit vectors follows.
        longest: Its ``max_seq_length``; longer texts are cut.
        prompts: Named prefixes (``{"query": "query: "}``).
        **over: Changes to the configuration of BERT.
    """
    make_bert(folder, **over)
    dim = json.loads((folder / "config.json").read_text())["hidden_size"]
    modes = {
        "cls": "cls_token",
        "mean": "mean_tokens",
        "max": "max_tokens",
        "mean_sqrt_len": "mean_sqrt_len_tokens",
        "weightedmean": "weightedmean_tokens",
        "lasttoken": "lasttoken",
    }
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling")]
    if normalize:
        kinds.append(("2_Normalize", "Normalize"))
        (folder / "2_Normalize").mkdir()
    files = {
        "modules.json": [
            {
                "idx": i,
                "name": str(i),
                "path": path,
                "type": f"sentence_transformers.models.{kind}",
            }
            for i, (path, kind) in enumerate(kinds)
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": dim,
            **{f"pooling_mode_{mode}": name == pooling for name, mode in modes.items()},
            "include_prompt": True,
        },
        "sentence_bert_config.json": {"max_seq_length": longest, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "__version__": {"sentence_transformers": "3.0.0"},
            "prompts": prompts or {},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content, indent=2))
    return folder
