"""Checkpoints in folders: finding, telling apart and loading them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from hub_kit import error, find  # noqa: E402

from mediafm.encoders.hf import checkpoint as checkpoints  # noqa: E402
from mediafm.encoders.hf.hub import (  # noqa: E402
    brief,
    load_model,
    load_tokenizer,
    quiet,
    weights_present,
)
from mediafm.encoders.spec import parse_spec  # noqa: E402
from mediafm.errors import EncoderError  # noqa: E402
from mediafm.fingerprint import file_fingerprint  # noqa: E402

pytestmark = pytest.mark.usefixtures("own_caches")


# Folders


def test_a_folder(made, nowhere):
    found = find(f"hf:{made['clip']}?dtype=float16")
    assert found.folder == made["clip"]
    assert str(found.spec) == f"hf:{made['clip']}?dtype=float16"
    assert found.config["projection_dim"] == 24
    assert found.model_type == "clip"
    assert [file.name for file in found.weights] == ["model.safetensors"]
    assert weights_present(found.spec)


def test_folders_are_made_absolute(made, tmp_path, monkeypatch):
    shutil.copytree(made["bert"], tmp_path / "here" / "bert")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "here"))
    for text in ("hf:bert", "hf:./bert", "hf:../here/bert", "hf:~/bert", "hf:bert/"):
        assert str(find(text).spec) == f"hf:{tmp_path}/here/bert"


def test_a_folder_may_have_an_at_sign(made, tmp_path):
    folder = tmp_path / "bert@v2"
    shutil.copytree(made["bert"], folder)
    found = find(f"hf:{folder}")
    assert found.folder == folder
    assert find(str(found.spec)).folder == folder


def test_a_folder_has_no_revision(made):
    assert error(f"hf:{made['clip']}@main") == (
        f"{made['clip']}: is a folder, which has no revision 'main'; leave @main out"
    )


@pytest.mark.parametrize("text", ["./no/such", "/no/such", "~/no-such", "../nothing"])
def test_no_such_folder(text):
    line = error(f"hf:{text}")
    assert (
        "there is no such folder; check the path; a name on the hub is written owner/model" in line
    )
    assert not weights_present(parse_spec(f"hf:{text}"))


def test_a_folder_without_config(tmp_path):
    assert error(f"hf:{tmp_path}") == (
        f"hf:{tmp_path}: has no config.json; choose a checkpoint in the format of transformers"
    )


@pytest.mark.parametrize("text", ["{", "", "\x00", "ÿ"])
def test_a_damaged_config(tmp_path, text):
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    line = error(f"hf:{tmp_path}")
    assert line.startswith(f"{tmp_path}/config.json: is damaged (")
    assert line.endswith("; download the checkpoint again")


@pytest.mark.parametrize("config", [{}, [], {"model_type": 3}, None, {"model_type": None}])
def test_a_config_that_does_not_say_what_it_is(tmp_path, config):
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert "does not say what kind of network it is (model_type)" in error(f"hf:{tmp_path}")


def test_another_family_is_refused(made):
    text = f"hf:{made['bert']}"
    assert error(text, {"clip": "CLIP", "clip_vision_model": "CLIP"}) == (
        f"{text}: is a bert checkpoint, not a CLIP one; choose one of those for pictures"
    )
    assert "not a clip or siglip one" in error(text, ("clip", "siglip"))
    assert "not a A, B or C one" in error(text, {"a": "A", "b": "B", "c": "C"})


def test_a_folder_without_weights(made, tmp_path):
    folder = tmp_path / "bert"
    shutil.copytree(made["bert"], folder)
    (folder / "model.safetensors").unlink()
    (folder / "model.onnx").write_bytes(b"")
    assert error(f"hf:{folder}") == (
        f"{folder}: has no weights (model.safetensors or pytorch_model.bin), or not all parts of"
        " them; download the checkpoint again"
    )
    assert not weights_present(parse_spec(f"hf:{folder}"))


def sharded(folder):
    with quiet():
        model = transformers.BertModel.from_pretrained(folder)
        (folder / "model.safetensors").unlink()
        model.save_pretrained(folder, max_shard_size="20KB")
    return sorted(folder.glob("model-*.safetensors"))


def test_weights_in_parts(made, tmp_path):
    folder = tmp_path / "bert"
    shutil.copytree(made["bert"], folder)
    parts = sharded(folder)
    found = find(f"hf:{folder}")
    assert len(parts) > 2
    assert list(found.weights) == parts
    with quiet():
        whole = transformers.BertModel.from_pretrained(made["bert"]).state_dict()
    for name, weight in load_model(transformers.BertModel, found).state_dict().items():
        torch.testing.assert_close(weight, whole[name])
    parts[1].unlink()
    assert "or not all parts of them" in error(f"hf:{folder}")
    assert not weights_present(parse_spec(f"hf:{folder}"))


def test_weights_of_further_layers_count(made, tmp_path):
    folder = tmp_path / "bert"
    shutil.copytree(made["bert"], folder)
    before = find(f"hf:{folder}")
    (folder / "3_Dense").mkdir()
    (folder / "3_Dense" / "pytorch_model.bin").write_bytes(b"1")
    after = find(f"hf:{folder}")
    names = [file.relative_to(folder).as_posix() for file in after.weights]
    assert names == ["3_Dense/pytorch_model.bin", "model.safetensors"]
    assert before.digest != after.digest


# Digests


def test_the_digest_is_over_the_content_and_read_once(made, tmp_path, monkeypatch):
    folder = tmp_path / "clip"
    shutil.copytree(made["clip"], folder)
    weights = folder / "model.safetensors"
    digest = find(f"hf:{folder}").digest
    assert digest == file_fingerprint(weights) == find(f"hf:{made['clip']}").digest
    reads = []
    monkeypatch.setattr(
        checkpoints, "file_fingerprint", lambda *f: reads.append(f) or file_fingerprint(*f)
    )
    assert find(f"hf:{folder}").digest == digest
    assert not reads
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    changed = find(f"hf:{folder}").digest
    assert changed != digest
    assert len(reads) == 1


@pytest.mark.parametrize("damage", [b"", b"0123", b"x" * 16, b"\xff" * 16, b"0123456789abcdef\n"])
def test_a_damaged_stamp_is_made_anew(made, tmp_path, damage):
    digest = find(f"hf:{made['clip']}").digest
    (stamp,) = (tmp_path / "mediafm-cache" / "weights").iterdir()
    stamp.write_bytes(damage)
    assert find(f"hf:{made['clip']}").digest == digest
    assert stamp.read_text() == digest


def test_without_a_cache_the_digest_is_the_same(made, tmp_path, monkeypatch):
    digest = find(f"hf:{made['clip']}").digest
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MEDIAFM_CACHE", str(tmp_path / "file"))
    assert find(f"hf:{made['clip']}").digest == digest


def test_weights_that_vanish(made, tmp_path):
    folder = tmp_path / "bert"
    shutil.copytree(made["bert"], folder)
    found = find(f"hf:{folder}")
    (folder / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match="weights cannot be read"):
        _ = found.digest


# Loading


@pytest.fixture
def bert(made, tmp_path):
    folder = tmp_path / "bert"
    shutil.copytree(made["bert"], folder)
    return folder


def load(folder, **options):
    return load_model(transformers.BertModel, find(f"hf:{folder}"), **options)


def test_a_network_is_frozen_and_in_its_precision(bert):
    model = load(bert, dtype="bfloat16")
    assert not model.training
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert not any(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize("size", [0, 5, 8, 500, -1, -2000])
def test_truncated_weights(bert, size):
    path = bert / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(EncoderError, match="the network cannot be loaded") as caught:
        load(bert)
    assert str(caught.value).startswith(f"{bert}: ")
    assert "download it again" in str(caught.value)


@pytest.mark.parametrize("size", [0, 5, 500, -1, -2000])
def test_truncated_pickled_weights(made, tmp_path, size):
    folder = tmp_path / "waves"
    shutil.copytree(made["waves"], folder)
    path = folder / "pytorch_model.bin"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(EncoderError, match="the network cannot be loaded"):
        load_model(transformers.Wav2Vec2Model, find(f"hf:{folder}"))


def test_pickles_that_run_code_are_refused(made, tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "was-here",))

    folder = tmp_path / "waves"
    shutil.copytree(made["waves"], folder)
    torch.save({"weight": Evil()}, folder / "pytorch_model.bin")
    with pytest.raises(EncoderError, match="the network cannot be loaded"):
        load_model(transformers.Wav2Vec2Model, find(f"hf:{folder}"))
    assert not (tmp_path / "was-here").exists()


def without(folder, *names):
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    kept = {name: weight for name, weight in state.items() if not name.startswith(names)}
    assert len(kept) < len(state)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def test_missing_weights_are_refused(bert):
    without(bert, "encoder.layer.1.output")
    with pytest.raises(EncoderError) as caught:
        load(bert)
    assert str(caught.value) == (
        f"{bert}: lacks weights of the network that its config.json describes "
        "(encoder.layer.1.output.LayerNorm.bias and 3 more); "
        "choose the original checkpoint, or save the whole network"
    )


def test_weights_that_nobody_needs_may_be_missing(bert):
    without(bert, "pooler.")
    with pytest.raises(EncoderError, match=r"\(pooler\.dense\.bias and 1 more\)"):
        load(bert)
    assert load(bert, needless=r"^pooler\.")


def test_what_only_training_needs_may_be_missing(made, tmp_path):
    folder = tmp_path / "waves"
    shutil.copytree(made["waves"], folder)
    state = torch.load(folder / "pytorch_model.bin", weights_only=True)
    del state["wav2vec2.masked_spec_embed"]
    torch.save(state, folder / "pytorch_model.bin")
    assert load_model(transformers.Wav2Vec2Model, find(f"hf:{folder}"))


def test_weights_of_another_size_are_refused(bert):
    config = json.loads((bert / "config.json").read_text())
    (bert / "config.json").write_text(json.dumps({**config, "intermediate_size": 40}))
    with pytest.raises(EncoderError, match=r"its weights do not fit its config\.json \(encoder"):
        load(bert)


def test_a_config_that_makes_no_sense(bert):
    config = json.loads((bert / "config.json").read_text())
    (bert / "config.json").write_text(json.dumps({**config, "num_attention_heads": 7}))
    with pytest.raises(EncoderError, match="the network cannot be loaded"):
        load(bert)


def test_code_in_a_checkpoint_is_not_run(bert, tmp_path):
    marker = tmp_path / "was-here"
    (bert / "own.py").write_text(f"open({str(marker)!r}, 'w')\n")
    config = json.loads((bert / "config.json").read_text())
    auto = {"AutoConfig": "own.Config", "AutoModel": "own.Model", "AutoTokenizer": "own.Tokenizer"}
    (bert / "config.json").write_text(json.dumps({**config, "auto_map": auto}))
    load(bert)
    load_tokenizer(find(f"hf:{bert}"))
    assert not marker.exists()


def test_a_tokenizer_is_not_made_up(bert):
    assert len(load_tokenizer(find(f"hf:{bert}"))) > 100
    (bert / "tokenizer.json").unlink()
    with pytest.raises(EncoderError, match=r"has no tokenizer \(tokenizer\.json\)"):
        load_tokenizer(find(f"hf:{bert}"))


def test_a_tokenizer_without_words_is_refused(made, tmp_path):
    folder = tmp_path / "clip"
    shutil.copytree(made["clip"], folder)
    for name in ("tokenizer.json", "vocab.json", "merges.txt"):
        (folder / name).unlink(missing_ok=True)
    (folder / "vocab.txt").write_text("")  # no file of CLIP's
    with pytest.raises(EncoderError, match=r"tokenizer (knows no word|cannot be loaded)"):
        load_tokenizer(find(f"hf:{folder}"))


def test_loading_says_nothing_and_leaves_the_settings(made, capfd):
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    load_model(transformers.Wav2Vec2Model, find(f"hf:{made['waves']}"))  # has unused weights
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == (level, bars)


def test_brief_errors():
    assert brief(ValueError("\n  one\ntwo")) == "one"
    assert brief(ValueError()) == "ValueError"
    assert len(brief(ValueError("x" * 1000))) == 200
