"""What ``encoders.py`` measures beside ours: networks of base size, and a plain loop over each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from encoders_inputs import CLAP_RATE, SPEECH_RATE, Calls
from mediafm.encoders.base import Vectors

WINDOW_SECONDS = 10
FIELD, STEP = 400, 320
"""Samples under the first frame of wav2vec2, and from one frame to the next."""

One = Callable[[Any], Vectors]


# The checkpoints


def excite(model: Any) -> Any:
    """Random weights of the scale at which different inputs give clearly different vectors.

    The libraries' own start near zero (standard deviation 0.02), where all inputs look alike.
    """
    import torch

    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "logit_" in name or name.endswith("original0"):
                continue  # temperatures, and a scale that belongs to another weight
            if weight.ndim > 1:
                weight.normal_(std=weight[0].numel() ** -0.5, generator=draw)
            else:
                mean = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
                weight.normal_(mean, 0.1, generator=draw)
    return model.eval()


def make_clip(folder: Path, _: Calls) -> None:
    """CLIP ViT-B/16, as ``openai/clip-vit-base-patch16``."""
    import transformers

    config = transformers.CLIPConfig(vision_config={"patch_size": 16})
    transformers.CLIPImageProcessorPil().save_pretrained(folder)
    excite(transformers.CLIPModel(config)).save_pretrained(folder)


def make_wav2vec2(norm: str, folder: Path, _: Calls) -> None:
    """``facebook/wav2vec2-base`` (``group``), and as ``-large-lv60`` of that size (``layer``)."""
    import transformers

    # As published, those with layer norm were trained with a mask, those with group norm without.
    layer = norm == "layer"
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=layer).save_pretrained(folder)
    config = transformers.Wav2Vec2Config(
        feat_extract_norm=norm, do_stable_layer_norm=layer, conv_bias=layer
    )
    excite(transformers.Wav2Vec2Model(config)).save_pretrained(folder)


def make_clap(folder: Path, calls: Calls) -> None:
    """As ``laion/clap-htsat-unfused``."""
    import torch
    import transformers

    extractor = transformers.ClapFeatureExtractor(
        feature_size=64, frequency_min=50, truncation="rand_trunc", padding="repeatpad"
    )
    extractor.save_pretrained(folder)
    model = excite(transformers.ClapModel(transformers.ClapConfig()))
    # What a trained one knows of decibels, without which all sound is far from zero and alike.
    parts = [part for clip in calls[0][:8] for part in windows(clip, WINDOW_SECONDS * CLAP_RATE)]
    x_BCFM = extractor(parts, sampling_rate=CLAP_RATE, return_tensors="pt")["input_features"]
    norm = model.audio_model.audio_encoder.batch_norm
    with torch.no_grad():
        norm.running_mean.copy_(x_BCFM.mean((0, 1, 2)))
        norm.running_var.copy_(x_BCFM.var((0, 1, 2)))
    model.save_pretrained(folder)


def make_bert(folder: Path, calls: Calls) -> None:
    """BERT of base size, its word pieces learned from the texts themselves."""
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    raw = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    raw.normalizer = normalizers.BertNormalizer(lowercase=True)
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    # Fewer pieces than words, so that words fall apart as they do in a vocabulary of the world.
    trainer = trainers.WordPieceTrainer(
        vocab_size=2000,
        special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        show_progress=False,
    )
    raw.train_from_iterator([text for call in calls for text in call], trainer)
    transformers.BertTokenizer(
        vocab=json.loads(raw.to_str())["model"]["vocab"], do_lower_case=True, model_max_length=512
    ).save_pretrained(folder)
    excite(transformers.BertModel(transformers.BertConfig())).save_pretrained(folder)


# The plain loops


def plain_clip(folder: Path) -> One:
    """The pictures of one shot: unit vectors, mean."""
    import torch
    import transformers
    from PIL import Image

    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    model = transformers.CLIPModel.from_pretrained(folder).eval()

    def encode(pictures: Sequence[Any]) -> Vectors:
        images = [Image.fromarray(picture) for picture in pictures]
        inputs = processor(images=images, return_tensors="pt")
        x_PD = model.get_image_features(**inputs).pooler_output
        return torch.nn.functional.normalize(x_PD, dim=-1).mean(0).numpy()

    return encode


def windows(clip_S: Any, size: int) -> list[Any]:
    """Equal windows that cover a clip that is longer than one, else the clip."""
    if len(clip_S) <= size:
        return [clip_S]
    last = -(-len(clip_S) // size) - 1
    starts = [i * (len(clip_S) - size) // last for i in range(last + 1)]
    return [clip_S[start : start + size] for start in starts]


def whole(count: int) -> int:
    """The samples that the frames of so many samples see."""
    return (count - FIELD) // STEP * STEP + FIELD


def speech_windows(clip_S: Any) -> list[Any]:
    """Windows as long as whole frames of wav2vec2 see."""
    most = whole(WINDOW_SECONDS * SPEECH_RATE)
    return windows(clip_S[: whole(len(clip_S))] if len(clip_S) < most else clip_S, most)


def plain_wav2vec2(folder: Path) -> One:
    """The windows of one shot: mean over their frames, mean."""
    import transformers

    extractor = transformers.Wav2Vec2FeatureExtractor.from_pretrained(folder)
    model = transformers.Wav2Vec2Model.from_pretrained(folder).eval()

    def encode(clip_S: Any) -> Vectors:
        inputs = extractor(speech_windows(clip_S), sampling_rate=SPEECH_RATE, return_tensors="pt")
        return model(**inputs).last_hidden_state.mean(1).mean(0).numpy()

    return encode


def plain_clap(folder: Path) -> One:
    """The windows of one shot, mean."""
    import transformers

    extractor = transformers.ClapFeatureExtractor.from_pretrained(folder)
    model = transformers.ClapModel.from_pretrained(folder).eval()

    def encode(clip_S: Any) -> Vectors:
        parts = windows(clip_S, WINDOW_SECONDS * CLAP_RATE)
        inputs = extractor(parts, sampling_rate=CLAP_RATE, return_tensors="pt")
        return model.get_audio_features(**inputs).pooler_output.mean(0).numpy()

    return encode


def plain_bert(folder: Path) -> Any:
    """One text; given a list, the library's own batches."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    return lambda texts: model.encode(texts, show_progress_bar=False)


@dataclass(frozen=True)
class Part:
    """A network with its inputs.

    Args:
        label: What it is.
        modality: What it encodes.
        calls: Which of the inputs.
        make: Writes its checkpoint.
        plain: Loads it for the plain loop.
    """

    label: str
    modality: str
    calls: str
    make: Callable[[Path, Calls], None]
    plain: Callable[[Path], One]

    @property
    def rows(self) -> tuple[str, ...]:
        """What is measured."""
        return ("ours", "plain", *(("library",) if self.modality == "text" else ()), "bfloat16")


GROUP, LAYER = partial(make_wav2vec2, "group"), partial(make_wav2vec2, "layer")
PARTS = {
    "clip": Part("CLIP ViT-B/16", "video", "pictures", make_clip, plain_clip),
    "group": Part("wav2vec2-base", "audio", "speech", GROUP, plain_wav2vec2),
    "layer": Part("wav2vec2, layer norm", "audio", "speech", LAYER, plain_wav2vec2),
    "clap": Part("CLAP, HTSAT tiny", "audio", "sound", make_clap, plain_clap),
    "bert": Part("BERT base, sentences", "text", "texts", make_bert, plain_bert),
}
