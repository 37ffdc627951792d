"""Saving and loading: round trip, and every damage in one line."""

import json
import pickle

import numpy as np
import pytest
import torch
from shot_kit import DIMS, make_titles

from mediafm.errors import ModelError
from mediafm.model import MediaFM, Modality, ModelConfig


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = ModelConfig(
        {name: Modality(dim, f"print-{name}") for name, dim in DIMS.items()},
        {"synopsis": Modality(DIMS["text"])},
        hidden=32,
        layers=1,
        heads=2,
    )
    model = MediaFM(config).eval()
    model.fusion.fit(make_titles())
    model.summary = {
        "verdict": {"text": "Context helps.", "cosine": {"model": 0.5}, "margin": float("nan")},
        "data": {"train_titles": 7},
    }
    return model


def test_round_trip(model, tmp_path):
    model.save_pretrained(tmp_path / "m")
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "training.json",
    ]
    again = MediaFM.from_pretrained(tmp_path / "m")
    assert again.config == model.config
    assert again.fingerprint == model.fingerprint
    assert not again.training
    title = make_titles(1)[0]
    assert np.array_equal(again.contextual(title), model.contextual(title))
    assert again.summary["verdict"]["text"] == "Context helps."
    assert json.loads((tmp_path / "m/training.json").read_text())["verdict"]["margin"] is None


def test_the_card_says_what_the_model_is(model, tmp_path):
    model.save_pretrained(tmp_path)
    card = (tmp_path / "README.md").read_text()
    for words in ("library_name: mediafm", "Context helps.", "print-video", "synopsis", "| 24 |"):
        assert words in card


def test_fingerprint_follows_weights_and_statistics(model):
    before = model.fingerprint
    with torch.no_grad():
        model.mask_H[0] += 1
    changed = model.fingerprint
    model.fusion.mean_F[0] += 1
    assert len({before, changed, model.fingerprint}) == 3


def test_saving_again_replaces(model, tmp_path):
    model.save_pretrained(tmp_path)
    model.summary = {}
    model.save_pretrained(tmp_path)
    assert "never validated" in (tmp_path / "README.md").read_text()


def refused(folder, words):
    with pytest.raises(ModelError, match=words) as error:
        MediaFM.from_pretrained(folder)
    assert "\n" not in str(error.value)


def test_pickles_are_refused_unread(model, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was loaded",))

    model.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))
    refused(tmp_path, r"pytorch_model\.bin.*not loaded")
    (tmp_path / "config.json").unlink()
    refused(tmp_path, r"pytorch_model\.bin.*not loaded")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.json", b"{", "damaged"),
        ("config.json", b"[]", "not a JSON object"),
        ("config.json", b"{}", "at least one modality"),
        ("config.json", b'{"modalities": {"video": {"width": 3}}}', "damaged"),
        ("config.json", b'{"modalities": {"video": {"dim": "x"}}}', "damaged"),
        ("config.json", None, "no config.json"),
        ("model.safetensors", b"", "damaged"),
        ("model.safetensors", b"\xff" * 100, "damaged"),
        ("model.safetensors", None, "no model.safetensors"),
        ("training.json", b"\x00", "damaged"),
    ],
)
def test_damage_is_one_line(model, tmp_path, name, content, words):
    model.save_pretrained(tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    refused(tmp_path, words)


def test_truncated_weights_and_other_shapes_are_refused(model, tmp_path):
    model.save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    refused(tmp_path, "damaged")
    weights.write_bytes(whole)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "layers": 2}))
    refused(tmp_path, "do not fit")


def test_no_such_model(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    refused(tmp_path / "nothing/at/all", "no such model")
    (tmp_path / "file").write_text("x")
    refused(tmp_path / "file", "not a model folder")


def test_unwritable_folder(model, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ModelError, match="cannot be saved"):
        model.save_pretrained(tmp_path / "file")


def test_pushing_uploads_safetensors_and_card(model, monkeypatch):
    from huggingface_hub import hub_mixin

    seen = []

    class Api:
        def __init__(self, token=None):
            pass

        def create_repo(self, repo_id, **kwargs):
            return type("Repo", (), {"repo_id": repo_id})

        def upload_folder(self, folder_path, **kwargs):
            seen.extend(sorted(p.name for p in folder_path.iterdir()))
            return "https://example.org/commit"

    monkeypatch.setattr(hub_mixin, "HfApi", Api)
    assert model.push_to_hub("owner/model") == "https://example.org/commit"
    assert seen == ["README.md", "config.json", "model.safetensors", "training.json"]
