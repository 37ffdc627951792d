"""Makes `tiny` and the kits importable here; checkpoints, caches and servers that tests share."""

import functools
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


@pytest.fixture(scope="module")
def module_cache(tmp_path_factory):
    """An empty cache of digests, one for all tests of a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDIAFM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def folder(request, module_cache, tmp_path_factory):
    """Makes the checkpoint of a name in the kit that the module imports as `kit`, once."""

    @functools.cache
    def make(name):
        return request.module.kit.MAKERS[name](tmp_path_factory.mktemp("checkpoints") / name)

    return make


@pytest.fixture(scope="module")
def load(request, folder):
    """Loads the encoder of such a checkpoint, once for the same options and devices."""

    @functools.cache
    def one(name, options="", devices=("cpu",)):
        return request.module.kit.opened(folder(name), options).load(devices)

    return one


@pytest.fixture
def environment(monkeypatch):
    """No keys, proxies and tokenizers of the machine that the tests run on."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "TIKTOKEN_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("DATA_GYM_CACHE_DIR", "/nonexistent")


@pytest.fixture
def server():
    """A server of embeddings on this machine."""
    from embedding_server import EmbeddingServer

    server = EmbeddingServer()
    yield server
    server.stop()
