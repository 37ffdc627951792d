"""What somebody changed, lost or put in the wrong place: one clear line, and nothing is lost."""

import errno
import json
import signal
from pathlib import Path

import pytest
import torch
from run_kit import TINY, Interrupting, Said, weights
from shot_kit import make_titles
from store_kit import Source, check_same

from mediafm.errors import CatalogError, ModelError
from mediafm.pretrain import ShotStore, TrainConfig, build, pretrain
from mediafm.pretrain.build import build_store
from mediafm.pretrain.cache import cached_store
from mediafm.pretrain.columns import MANIFEST
from mediafm.pretrain.run import CHECKPOINTS, LOG
from mediafm.progress import Silent


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The weights of a run that nothing happened to."""
    return weights(pretrain(make_titles(8), tmp_path_factory.mktemp("whole") / "run", TINY).out)


@pytest.mark.parametrize("damage", ["truncate", "no state", "flip", "bad json"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path, whole, damage):
    titles, out = make_titles(8), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        pretrain(titles, out, TINY, Interrupting(10, signal.SIGINT))
    older, newest = sorted((out / CHECKPOINTS).iterdir())
    assert (older.name, newest.name) == ("step-00000008", "step-00000010")
    tensors, state = newest / "state.safetensors", newest / "state.json"
    content = bytearray(tensors.read_bytes())
    if damage == "truncate":
        tensors.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[-100] ^= 1
        tensors.write_bytes(content)
    elif damage == "bad json":
        state.write_text("{")
    else:
        state.unlink()
    pretrain(titles, out, TINY)
    assert weights(out) == whole


def test_no_whole_checkpoint_starts_anew(tmp_path):
    titles, out = make_titles(8), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        pretrain(titles, out, TINY, Interrupting(3, signal.SIGINT))
    for place in (out / CHECKPOINTS).iterdir():
        (place / "state.safetensors").write_bytes(b"")
    assert pretrain(titles, out, TINY).steps == TINY.steps


@pytest.mark.parametrize(
    "change",
    [
        {"step": 9},
        {"step": -6},
        {"step": "8"},
        {"index": -1},
        {"best_score": None},
        {"tensors": None},
        {"digest": "0" * 16},
        {"digest": None},
    ],
    ids=str,
)
def test_a_changed_state_is_passed_over(tmp_path, whole, change):
    titles, out = make_titles(8), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        pretrain(titles, out, TINY, Interrupting(10, signal.SIGINT))
    newest = sorted((out / CHECKPOINTS).iterdir())[-1]
    state = json.loads((newest / "state.json").read_text())
    (newest / "state.json").write_text(json.dumps({**state, **change}))
    said = Said()
    pretrain(titles, out, TINY, said)
    assert any("passed over a damaged checkpoint" in line for line in said.lines)
    assert weights(out) == whole


def test_a_file_in_the_place_of_a_checkpoint_gives_way(tmp_path, whole):
    titles, out = make_titles(8), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        pretrain(titles, out, TINY, Interrupting(6, signal.SIGINT))
    (out / CHECKPOINTS / "step-00000008").write_text("x")
    pretrain(titles, out, TINY)
    assert weights(out) == whole


def test_odd_lines_of_a_log_do_not_stop_a_run(tmp_path, whole):
    titles, out = make_titles(8), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        pretrain(titles, out, TINY, Interrupting(6, signal.SIGINT))
    with (out / LOG).open("a") as file:
        file.write('{"step": "abc"}\n{"step": null}\n{"step": [1]}\n[]\n' + "[" * 100_000 + "\n")
    pretrain(titles, out, TINY)
    assert weights(out) == whole


@pytest.mark.parametrize("content", ["{}", '{"verdict": null}', '{"verdict": {"outcome": "x"}}'])
def test_a_finished_run_with_a_torn_summary_is_one_line(tmp_path, content):
    pretrain(make_titles(8), tmp_path / "out", TINY)
    (tmp_path / "out/training.json").write_text(content)
    with pytest.raises(ModelError, match=r"training\.json: is damaged; remove the folder"):
        pretrain(make_titles(8), tmp_path / "out", TINY)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"muon_lr": 1e8, "adam_lr": 1e8, "eval_every": 1}, "not finite at step [1-4]"),
        (
            {"steps": 1, "adam_lr": 1e30, "weight_decay": 1e30, "val_fraction": 0.0},
            "not finite at step 1",
        ),
    ],
)
def test_a_run_that_diverges_is_one_line_and_leaves_no_model(tmp_path, options, words):
    config = TrainConfig(**{"size": "1x32", "steps": 12, "batch_shots": 128, **options})
    with pytest.raises(ModelError, match=f"{words}.*lower the learning rates"):
        pretrain(make_titles(8), tmp_path / "out", config)
    assert not (tmp_path / "out/model.safetensors").exists()


@pytest.mark.parametrize("option", ["muon_lr", "adam_lr", "clip", "weight_decay"])
def test_endless_numbers_are_refused(option):
    with pytest.raises(ModelError, match=f"{option} is inf, must be at most"):
        TrainConfig(**{option: float("inf")})


def test_a_build_that_lost_a_file_begins_anew(tmp_path, monkeypatch):
    titles = make_titles(6)
    monkeypatch.setattr(build, "_SAFE", 1)
    with pytest.raises(KeyboardInterrupt):
        build_store(Source(titles, fail_after=3), tmp_path / "c", Silent())
    (tmp_path / "c.building/features-video.f16").unlink()
    with build_store(Source(titles), tmp_path / "c", Silent()) as store:
        check_same(store, titles)


@pytest.mark.parametrize("journal", ["[]", "null", "{", '{"key": "x"}'])
def test_a_journal_that_is_none_is_never_overwritten(tmp_path, journal):
    building = tmp_path / "c.building"
    building.mkdir()
    (building / "journal.json").write_text(journal)
    with pytest.raises(
        CatalogError, match=r"c\.building: is not empty and holds no training cache"
    ):
        build_store(Source(make_titles(3)), tmp_path / "c", Silent())
    assert (building / "journal.json").read_text() == journal


def test_a_changed_journal_begins_anew(tmp_path, monkeypatch):
    titles, source = make_titles(6), Source(make_titles(6))
    monkeypatch.setattr(build, "_SAFE", 1)
    with pytest.raises(KeyboardInterrupt):
        build_store(Source(titles, fail_after=3), tmp_path / "c", Silent())
    journal = tmp_path / "c.building/journal.json"
    journal.write_text(json.dumps({**json.loads(journal.read_text()), "done": 6}))
    with build_store(source, tmp_path / "c", Silent()) as store:
        check_same(store, titles)
    assert len(source.given) == 6


@pytest.mark.parametrize("change", [{"counts": {}}, {"widths": {}}, {"shots": 3}, {"digest": None}])
def test_a_changed_manifest_is_noticed(tmp_path, change):
    titles, folder = make_titles(3), tmp_path / "c"
    build_store(Source(titles), folder, Silent()).close()
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, **change}))
    with pytest.raises(CatalogError, match="is damaged; delete the folder"):
        ShotStore.open(folder)
    with cached_store(Source(titles), folder, Silent()) as store:
        check_same(store, titles)


@pytest.mark.parametrize("name", ["titles.jsonl", "times.i64", "features-x.f16"])
def test_a_users_file_with_a_name_of_ours_is_left_alone(tmp_path, name):
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / name).write_text("mine")
    with pytest.raises(CatalogError, match="holds no training cache"):
        cached_store(Source(make_titles(2)), tmp_path / "c", Silent())
    assert (tmp_path / "c" / name).read_text() == "mine"


def test_a_value_that_is_none_in_a_cache_is_named(tmp_path):
    folder = tmp_path / "c"
    build_store(Source(make_titles(8)), folder, Silent()).close()
    with (folder / "features-video.f16").open("r+b") as file:
        file.write(b"\xff\x7f" * 2000)
    with pytest.raises(CatalogError, match=r"training cache is damaged.*video.*delete the folder"):
        pretrain(ShotStore.open(folder), tmp_path / "out", TINY)


def test_the_current_folder_and_the_root_as_a_cache(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in (Path(), Path("/"), tmp_path):
        with pytest.raises(CatalogError, match=r"cannot be a training cache.*name a folder in it"):
            cached_store(Source(make_titles(2)), place, Silent())
    assert not list(tmp_path.iterdir())
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    cached_store(Source(make_titles(2)), Path("link"), Silent()).close()
    assert (tmp_path / "real" / MANIFEST).exists()
    assert (tmp_path / "link").is_symlink()


def test_a_disk_that_is_full_at_the_first_journal(tmp_path, monkeypatch):
    titles = make_titles(3)

    def full(*_):
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patch, pytest.raises(CatalogError, match="same command goes on"):
        patch.setattr(build, "write_manifest", full)
        build_store(Source(titles), tmp_path / "c", Silent())
    with build_store(Source(titles), tmp_path / "c", Silent()) as store:
        check_same(store, titles)


def test_modalities_whose_names_look_like_our_files(tmp_path):
    titles = make_titles(3, dims={"video": 4, "video.here": 3, "a/b": 2, "a/b.f16": 2})
    with build_store(Source(titles), tmp_path / "c", Silent()) as store:
        check_same(store, titles)
    check_same(ShotStore.of_titles(titles), titles)


def test_vectors_that_say_nothing_are_counted_before_the_refusal(tmp_path):
    titles, said = make_titles(4), Said()
    for title in titles:
        for x_ND in title.features.values():
            x_ND[:] = 0
    with pytest.raises(CatalogError, match=r"no shot has usable features \("):
        pretrain(titles, tmp_path / "out", TINY, said)
    assert any("zeros only" in line for line in said.lines)


def test_what_is_no_title_is_told_in_one_line(tmp_path):
    with pytest.raises(TypeError, match=r"must be TitleFeatures, see TitleFeatures\.of, not dict"):
        pretrain([{"video": torch.zeros(3, 4)}], tmp_path / "out", TINY)
