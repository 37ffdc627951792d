"""Speech checkpoints as they lie on the hub: pickled, with names of weights from before torch 2."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

pytest.importorskip("transformers")

import tiny
import torch
from safetensors.torch import load_file, save_file

from mediafm.encoders.hf.audio import open_audio
from mediafm.encoders.spec import parse_spec
from mediafm.errors import EncoderError

# weight_norm wrote these until torch 2.0: facebook/wav2vec2-base and microsoft/wavlm-base-plus have
# them.
OLDER = {
    "parametrizations.weight.original0": "weight_g",
    "parametrizations.weight.original1": "weight_v",
}
POSITIONS = "encoder.pos_conv_embed.conv."


def older(name):
    for new, old in OLDER.items():
        name = name.replace(new, old)
    return name


@pytest.fixture(params=["wav2vec2-base", "wavlm-base-plus", "hubert-base"])
def pair(request, tmp_path, monkeypatch):
    """One network twice: as the libraries of today write it, and as it was published."""
    monkeypatch.setenv("MEDIAFM_CACHE", str(tmp_path / "cache"))
    today, published = tmp_path / "today", tmp_path / "published"
    over = {"num_conv_pos_embedding_groups": 2}
    if request.param == "wav2vec2-base":
        tiny.make_wav2vec2_pretraining(today, **over)
        state = torch.load(today / "pytorch_model.bin", weights_only=True)
        (today / "pytorch_model.bin").unlink()
        save_file(state, today / "model.safetensors", metadata={"format": "pt"})
        prefix = "wav2vec2."
        # The heads of pretraining lie beside the network.
        heads = {"quantizer", "project_q", "project_hid"}
        assert heads == {name.split(".")[0] for name in state} - {"wav2vec2"}
    else:
        make = tiny.make_wavlm if request.param == "wavlm-base-plus" else tiny.make_hubert
        make(today, **over)
        state = load_file(today / "model.safetensors")
        prefix = ""
    shutil.copytree(today, published)
    (published / "model.safetensors").unlink()
    state = {older(name): weight for name, weight in state.items()}
    names = {name for name in state if POSITIONS in name}
    assert names == {f"{prefix}{POSITIONS}{end}" for end in ("bias", "weight_g", "weight_v")}
    torch.save(state, published / "pytorch_model.bin")
    return today, published


def load(folder):
    return open_audio(parse_spec(f"hf:{folder}"), "audio").load(("cpu",))


def clips():
    rng = np.random.default_rng(7)
    return [rng.standard_normal(count).astype(np.float32) for count in (16_000, 24_123)]


def test_the_published_file_gives_the_same_vectors(pair):
    today, published = pair
    expected_ND = load(today).encode_clips(clips())
    np.testing.assert_array_equal(load(published).encode_clips(clips()), expected_ND)
    # The format of torch.save before 1.6.
    file = published / "pytorch_model.bin"
    state = torch.load(file, weights_only=True)
    torch.save(state, file, _use_new_zipfile_serialization=False)
    np.testing.assert_array_equal(load(published).encode_clips(clips()), expected_ND)


def test_the_convolution_of_positions_counts(pair):
    today, published = pair
    file = published / "pytorch_model.bin"
    state = torch.load(file, weights_only=True)
    for end in ("weight_g", "weight_v"):
        (name,) = (name for name in state if name.endswith(POSITIONS + end))
        changed = {**state, name: state[name].flip(0, 2)}
        torch.save(changed, file)
        assert (
            np.abs(load(published).encode_clips(clips()) - load(today).encode_clips(clips())).max()
            > 1e-4
        )
        torch.save({key: weight for key, weight in state.items() if key != name}, file)
        with pytest.raises(EncoderError, match=r"lacks weights of the network.*pos_conv_embed"):
            load(published)
