"""Makes `tiny` and `hub_kit` importable here, and checkpoints that no test changes."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Checkpoints that no test changes."""
    import tiny

    root = tmp_path_factory.mktemp("made")
    # What lies beside the weights on the hub and is not to be downloaded.
    clip = tiny.make_clip(root / "clip")
    for name in ("model.fp16.safetensors", "pytorch_model.bin", "tf_model.h5", "model.onnx",
                 "flax_model.msgpack", "open_clip_pytorch_model.bin", "README.md"):  # fmt: skip
        (clip / name).write_bytes(b"another form of the same")
    (clip / "onnx").mkdir()
    (clip / "onnx" / "model.onnx").write_bytes(b"another form of the same")
    return {
        "clip": clip,
        "waves": tiny.make_wav2vec2_pretraining(root / "waves"),
        "bert": tiny.make_sentence_bert(root / "bert"),
    }


@pytest.fixture
def own_caches(tmp_path, monkeypatch):
    """Empty caches, and a hub's client that does not wait between its attempts."""
    from huggingface_hub import constants, file_download

    monkeypatch.setenv("MEDIAFM_CACHE", str(tmp_path / "mediafm-cache"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setattr(file_download.time, "sleep", lambda seconds: None)


@pytest.fixture
def nowhere(monkeypatch):
    """A hub that does not answer."""
    from hub_kit import reach

    reach(monkeypatch, "http://127.0.0.1:9")
