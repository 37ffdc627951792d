"""Checkpoints from a hub on this machine, and all that can go wrong on the way."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from hub_kit import COMMIT, Hub, error, find, reach, running  # noqa: E402
from huggingface_hub import constants, file_download, hf_hub_download, snapshot_download  # noqa: E402

from mediafm.encoders.hf.hub import load_model, weights_present  # noqa: E402
from mediafm.encoders.spec import parse_spec  # noqa: E402

pytestmark = pytest.mark.usefixtures("own_caches")


@pytest.fixture
def hub(made, monkeypatch):
    hub = Hub({f"them/{name}": folder for name, folder in made.items()})
    with running(hub):
        reach(monkeypatch, hub.url)
        yield hub


def test_a_download_takes_what_is_needed_and_happens_once(hub, made, monkeypatch):
    spec = parse_spec("hf:them/clip")
    assert not weights_present(spec)
    found = find("hf:them/clip")
    names = {"config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"}
    assert sorted(hub.downloads()) == sorted([*names, "model.safetensors"])
    # The weights come last: a folder that has them has everything.
    assert hub.downloads()[-1] == "model.safetensors"
    assert str(found.spec) == f"hf:them/clip@{COMMIT}"
    assert found.digest == find(f"hf:{made['clip']}").digest
    hub.asked.clear()
    for text in ("hf:them/clip", str(found.spec), "hf:them/clip@main"):
        assert find(text) == found
        assert weights_present(parse_spec(text))
    assert not hub.asked
    reach(monkeypatch, "http://127.0.0.1:9")
    assert find("hf:them/clip") == found
    assert not weights_present(parse_spec("hf:them/clip@v2"))
    assert not weights_present(parse_spec("hf:them/other"))


def test_the_default_branch_stays_where_it_was(hub):
    first = find("hf:them/bert")
    later = "f" * 40
    hub.revisions |= {"main": later, later: later}
    assert find("hf:them/bert") == first
    assert find(f"hf:them/bert@{later}").folder.name == later
    assert find(str(first.spec)) == first


def test_pickled_weights_where_there_are_no_others(hub):
    found = find("hf:them/waves")
    assert [file.name for file in found.weights] == ["pytorch_model.bin"]
    assert sorted(hub.downloads()) == [
        "config.json",
        "preprocessor_config.json",
        "pytorch_model.bin",
    ]
    model = load_model(transformers.Wav2Vec2Model, found)
    assert not model.training
    assert not any(weight.requires_grad for weight in model.parameters())


def test_modules_of_sentence_transformers_come_along(hub):
    found = find("hf:them/bert")
    assert (found.folder / "1_Pooling" / "config.json").is_file()
    assert (found.folder / "modules.json").is_file()


@pytest.mark.parametrize("revision", ["v1", COMMIT[:7], COMMIT])
def test_revisions(hub, revision):
    assert str(find(f"hf:them/bert@{revision}").spec) == f"hf:them/bert@{COMMIT}"


def test_another_family_is_refused_before_its_weights_come(hub):
    assert "is a bert checkpoint, not a CLIP one" in error("hf:them/bert", {"clip": "CLIP"})
    assert "model.safetensors" not in hub.downloads()


def test_no_such_model(hub):
    assert error("hf:them/klip") == (
        "hf:them/klip: there is no such folder, and the hub has no such model; "
        "check the name, or set HF_TOKEN if the model is private"
    )


def test_a_gated_model(hub):
    hub.refusals["them/clip"] = (403, "GatedRepo")
    assert error("hf:them/clip") == (
        "hf:them/clip: the hub gives it only to those who have accepted its terms; "
        f"accept them at {hub.url}/them/clip and set HF_TOKEN to a token of yours"
    )


def test_a_token_that_ran_out(hub):
    hub.refusals["them/clip"] = (401, "")
    assert error("hf:them/clip") == (
        "hf:them/clip: the hub refuses it (401); "
        "check HF_TOKEN: it may have run out, or not allow this model"
    )


def test_no_such_revision(hub):
    assert error("hf:them/clip@v9") == (
        "hf:them/clip@v9: the hub has no revision 'v9' of it; "
        f"choose one from {hub.url}/them/clip/commits/main"
    )


@pytest.mark.parametrize("name", ["a/b/c", "so me/thing", "--", "x/..", "new:folder"])
def test_what_can_be_no_name(hub, name):
    assert "it is no name on the hub either; write hf:OWNER/MODEL" in error(f"hf:{name}")
    assert not weights_present(parse_spec(f"hf:{name}"))


def test_a_hub_in_trouble(hub):
    hub.refusals["them/clip"] = (503, "")
    line = error("hf:them/clip")
    assert "the hub cannot be reached" in line
    assert "503" in line


def test_a_hub_that_does_not_answer(nowhere):
    line = error("hf:them/clip@v1")
    assert line.startswith("hf:them/clip@v1: it is not (whole) in the cache and the hub cannot be")
    assert "http://127.0.0.1:9" in line
    assert "run `hf download them/clip --revision v1 --local-dir FOLDER`" in line
    assert line.endswith("copy the folder here and write hf:FOLDER")


def test_offline_mode(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "(HF_HUB_OFFLINE is set)" in error("hf:them/clip")
    assert not hub.asked
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    found = find("hf:them/clip")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert find("hf:them/clip") == found


def test_a_cut_connection_is_taken_up_again(hub, made):
    hub.cut_after, hub.cuts = 1000, 3
    found = find("hf:them/clip")
    assert found.digest == find(f"hf:{made['clip']}").digest


def test_a_connection_that_stays_cut(hub, made):
    hub.cut_after = 0
    line = error("hf:them/clip")
    assert "the hub cannot be reached" in line
    assert not weights_present(parse_spec("hf:them/clip"))
    hub.cut_after = None
    hub.asked.clear()
    assert find("hf:them/clip").digest == find(f"hf:{made['clip']}").digest
    assert hub.downloads() == ["model.safetensors"]


def test_a_cache_that_another_program_filled(hub, monkeypatch):
    """It may lack files, which are fetched; without a network it has to do."""
    for name in ("config.json", "model.safetensors"):
        hf_hub_download("them/clip", name)
    hub.asked.clear()
    hub.refusals["them/clip"] = (503, "")
    assert not (find("hf:them/clip").folder / "tokenizer.json").exists()
    assert weights_present(parse_spec("hf:them/clip"))
    hub.refusals.clear()
    assert (find("hf:them/clip").folder / "tokenizer.json").exists()
    assert "model.safetensors" not in hub.downloads()


def test_a_cache_that_was_filled_whole(hub, monkeypatch):
    snapshot_download("them/clip")
    reach(monkeypatch, "http://127.0.0.1:9")
    assert find("hf:them/clip").model_type == "clip"


def test_a_folder_that_the_advised_command_makes(hub, tmp_path, monkeypatch):
    snapshot_download("them/waves", local_dir=tmp_path / "waves")
    reach(monkeypatch, "http://127.0.0.1:9")
    assert find(f"hf:{tmp_path}/waves").model_type == "wav2vec2"


def test_a_full_disk(hub, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(file_download, "http_get", full)
    line = error("hf:them/clip")
    assert "the download cannot be written (no space left on the disk); make room or set" in line


def test_the_variables_of_the_hub_are_heard(hub, tmp_path):
    code = (
        "from mediafm.encoders.hf.hub import find_checkpoint\n"
        "from mediafm.encoders.spec import parse_spec\n"
        "spec = parse_spec('hf:them/bert')\n"
        "print(find_checkpoint(spec, families=('bert',), purpose='text').spec)\n"
    )
    env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path / "elsewhere")}
    for offline in ("0", "1"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={**env, "HF_HUB_OFFLINE": offline},
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout == f"hf:them/bert@{COMMIT}\n"
    assert (tmp_path / "elsewhere" / "models--them--bert").is_dir()
