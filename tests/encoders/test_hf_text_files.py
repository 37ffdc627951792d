"""What is known of a text encoder by the files of its checkpoint, and which are refused."""

from __future__ import annotations

import importlib.util
import json
import shutil

import numpy as np
import pytest

pytest.importorskip("sentence_transformers")

import safetensors.torch
import sentence_kit as kit
import tiny
import torch
from sentence_kit import EXACT, TEXTS

from mediafm.encoders.hf import text as hf_text
from mediafm.encoders.hf.text import open_text
from mediafm.encoders.spec import parse_spec
from mediafm.errors import EncoderError, MissingExtraError, TitleDataError

pytestmark = pytest.mark.usefixtures("module_cache")


# What is known without weights


@pytest.mark.parametrize(
    ("name", "dim", "pooling", "normalised"),
    [
        ("mean", 32, "mean", "yes"),
        ("max", 32, "max", "no"),
        ("several", 96, "cls + max + mean", "yes"),
        ("dense", 20, "mean", "yes"),
        ("plain", 32, "the library's default", "no"),
        ("t5", 32, "the library's default", "no"),
    ],
)
def test_info_without_weights(folder, monkeypatch, name, dim, pooling, normalised):
    monkeypatch.setattr(hf_text, "_load", None)
    info = kit.opened(folder(name)).info
    assert info.dim == dim
    assert info.settings["pooling"] == pooling
    assert info.settings["normalised"] == normalised
    assert info.identity == "hf"
    assert info.name == f"hf:{folder(name)}"


def test_fingerprints(folder, tmp_path):
    def info(path, options=""):
        return kit.opened(path, options).info

    first = info(folder("mean"))
    copied = shutil.copytree(folder("mean"), tmp_path / "copied")
    assert info(copied).fingerprint == first.fingerprint
    assert info(copied, "?dtype=bfloat16").fingerprint != first.fingerprint
    kit.edit(copied / "sentence_bert_config.json", max_seq_length=16)
    assert info(copied).fingerprint != first.fingerprint
    assert info(copied).settings["length"] == "16 tokens"


def test_the_weights_of_further_layers_count(folder, tmp_path):
    copied = shutil.copytree(folder("dense"), tmp_path / "copied")
    before = kit.opened(copied).info
    file = copied / "2_Dense" / "model.safetensors"
    weights = safetensors.torch.load_file(file)
    safetensors.torch.save_file({name: w + 1 for name, w in weights.items()}, file)
    assert kit.opened(copied).info.fingerprint != before.fingerprint


# What is refused


def refused(text, match):
    with pytest.raises(EncoderError, match=match) as caught:
        open_text(parse_spec(text), "text").load(["cpu"]).encode(["a"])
    return str(caught.value)


def test_another_kind_of_checkpoint(tmp_path):
    folder = tiny.make_wav2vec2(tmp_path / "sound")
    refused(f"hf:{folder}", "is a wav2vec2 checkpoint, not a .*BERT.* for text")


@pytest.mark.parametrize("kind", ["CrossEncoder", "SparseEncoder"])
def test_another_kind_of_model(tmp_path, kind):
    folder = tiny.make_sentence_bert(tmp_path / "sb")
    kit.edit(folder / "config_sentence_transformers.json", model_type=kind)
    refused(f"hf:{folder}", f"is a {kind}.*choose a SentenceTransformer")


@pytest.mark.parametrize(
    "part", ["modeling_evil.Pooling", "os.system", "sentence_transformers.models.LSTM"]
)
def test_code_and_unknown_parts_are_refused(tmp_path, part):
    folder = tiny.make_sentence_bert(tmp_path / "sb")
    listed = json.loads((folder / "modules.json").read_text())
    listed[1]["type"] = part
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "modeling_evil.py").write_text("raise SystemExit('ran')")
    refused(f"hf:{folder}", f"not supported, {part}")


def test_code_for_the_network_is_not_run(tmp_path):
    folder = tiny.make_sentence_bert(tmp_path / "sb")
    kit.edit(folder / "config.json", auto_map={"AutoModel": "modeling_evil.Evil"})
    (folder / "modeling_evil.py").write_text("raise SystemExit('ran')")
    assert kit.opened(folder).load(["cpu"]).encode(["a"]).shape == (1, 32)


def test_missing_weights_are_no_random_numbers(tmp_path):
    folder = tiny.make_sentence_bert(tmp_path / "sb")
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    safetensors.torch.save_file(weights, folder / "model.safetensors", {"format": "pt"})
    refused(f"hf:{folder}", "lacks weights of the network")


def test_a_pooler_is_not_needed(tmp_path, folder, load):
    folder = shutil.copytree(folder("mean"), tmp_path / "sb")
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    rest = {name: w for name, w in weights.items() if "pooler" not in name}
    assert len(rest) < len(weights)
    safetensors.torch.save_file(rest, folder / "model.safetensors", {"format": "pt"})
    rows = kit.opened(folder).load(["cpu"]).encode(TEXTS)
    np.testing.assert_allclose(rows, load("mean").encode(TEXTS), **EXACT)


def test_no_tokenizer(tmp_path):
    folder = tiny.make_sentence_bert(tmp_path / "sb")
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)
    refused(f"hf:{folder}", "has no tokenizer")


def test_damaged_files(tmp_path):
    folder = tiny.make_sentence_bert(tmp_path / "sb")
    (folder / "modules.json").write_text("[{}]")
    refused(f"hf:{folder}", r"modules\.json: is damaged")
    (folder / "modules.json").write_text("[{")
    refused(f"hf:{folder}", r"modules\.json: cannot be read")


def test_numbers_that_are_not_finite(tmp_path):
    folder = tiny.make_sentence_bert(tmp_path / "sb")
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    weights["embeddings.LayerNorm.bias"] += torch.inf
    safetensors.torch.save_file(weights, folder / "model.safetensors", {"format": "pt"})
    encoder = kit.opened(folder, "?dtype=float16").load(["cpu"])
    with pytest.raises(EncoderError, match=r"not finite in float16.*bfloat16"):
        encoder.encode(["a", "b"])
    # One text alone may be at fault, which is its title's failure and no other's.
    with pytest.raises(TitleDataError, match=r"not finite in float16.*bfloat16"):
        encoder.encode(["a"])


def test_wrong_options(folder):
    refused(f"hf:{folder('mean')}?dtypes=float16", "did you mean 'dtype'")
    refused(f"hf:{folder('mean')}?dtype=int8", "no precision 'int8'")


def test_the_extra_is_named(folder, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name: None if name == "sentence_transformers" else real(name),
    )
    with pytest.raises(MissingExtraError, match=r"sentence-transformers.*mediafm\[hf\]"):
        kit.opened(folder("mean"))
