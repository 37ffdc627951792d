"""`mediafm pretrain` as it is typed: options, a dry run, a real run that goes on."""

import dataclasses
import inspect
import json
import sys
from pathlib import Path

import pytest

from mediafm.catalog import Catalog
from mediafm.cli.main import main
from mediafm.cli.train import pretrain
from mediafm.pretrain import TrainConfig

sys.path.insert(0, str(Path(__file__).parents[1] / "pretrain"))
from store_kit import fill


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    """Eight titles of imported features."""
    catalog = Catalog.create(tmp_path_factory.mktemp("c") / "catalog")
    fill(catalog, [f"t{i}" for i in range(8)])
    return str(catalog.uri)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDIAFM_TRAINING_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_defaults_are_those_of_the_library():
    defaults = inspect.signature(pretrain).parameters
    for name in ("size", "steps", "seed", "device"):
        assert defaults[name].default == getattr(TrainConfig(), name)


def test_all_options_are_explained(capsys):
    assert main(["pretrain", "--options", "--json"]) == 0
    told = {o["name"]: o for o in json.loads(capsys.readouterr().out)}
    assert set(told) == {field.name for field in dataclasses.fields(TrainConfig)}
    assert all(len(option["meaning"]) > 10 for option in told.values())
    assert told["mask_ratio"]["default"] == "0.2"
    assert "seconds" in told["positions"]["meaning"]


FEW = ["--steps", "6", "--set", "batch_shots=64", "--set", "eval_every=3"]


def test_a_dry_run_says_the_cost_and_writes_nothing(catalog, cache, tmp_path, capsys):
    out = tmp_path / "model"
    assert main(["pretrain", "-c", catalog, "-o", str(out), "--dry-run", *FEW]) == 0
    shown = capsys.readouterr().out
    for words in ("80 million shots", "PFLOP", "training cache", "million parameters", "shots/s"):
        assert words in shown
    assert not out.exists()
    assert not cache.exists()
    assert main(["pretrain", "-c", catalog, "-o", str(out), "--dry-run", "--json", *FEW]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 6


def test_a_run_and_the_same_again(catalog, cache, tmp_path, capsys):
    out = tmp_path / "model"
    line = ["pretrain", "-c", catalog, "-o", str(out), "--size", "1x64", *FEW, "--json"]
    assert main(line) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["steps"] == 6
    assert json.loads((out / "config.json").read_text())["hidden"] == 64
    assert list(cache.glob("*/training-cache.json"))
    before = (out / "model.safetensors").read_bytes()
    assert main(line) == 0
    assert (out / "model.safetensors").read_bytes() == before


def test_any_option_can_be_set(catalog, tmp_path, capsys):
    settings = ["mask-span=2", "modalities=audio,video", "optimizer=adamw", "positions=seconds"]
    typed = [word for setting in settings for word in ("--set", setting)]
    out = tmp_path / "model"
    line = ["pretrain", "-c", catalog, "-o", str(out), *FEW, *typed, "--json"]
    assert main([*line, "--cache", str(tmp_path / "own")]) == 0
    assert (tmp_path / "own" / "training-cache.json").exists()
    run = json.loads((out / "run.json").read_text())
    assert run["settings"]["mask_span"] == 2
    assert run["settings"]["optimizer"] == "adamw"
    assert list(run["model"]["modalities"]) == ["audio", "video"]
    assert run["model"]["positions"] == "seconds"


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["--set", "colour=red"], "error: --set colour=red: there is no such option; choose size"),
        (["--set", "keep"], "error: --set keep: the value is missing; --set keep=VALUE"),
        (["--set", "keep=1", "--set", "keep=2"], "error: keep is said twice"),
        (["--steps", "400", "--set", "steps=7"], "error: steps is said twice"),
        (["--set", "mask_span=long"], "error: --set mask_span=long: input should be a valid num"),
        (["--set", "positions=up"], "error: --set positions=up: input should be 'learned'"),
        (["--set", "mask_ratio=2"], "error: mask_ratio is 2.0, must be below 1"),
        (["--size", "huge"], "error: there is no size 'huge'"),
        (["--set", "modalities=smell"], "error: there are no smell features; choose among video"),
        (["--device", "abacus"], "error: there is no device 'abacus'"),
    ],
)
def test_wrong_options_are_one_line(catalog, tmp_path, capsys, typed, message):
    out = tmp_path / "model"
    assert main(["pretrain", "-c", catalog, "-o", str(out), *typed]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith(message)
    assert not out.exists()


def test_under_torchrun_the_first_process_speaks(catalog, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("RANK", "3")  # without WORLD_SIZE it trains alone, but keeps silent
    out = tmp_path / "model"
    assert main(["pretrain", "-c", catalog, "-o", str(out), *FEW, "--json"]) == 0
    assert main(["pretrain", "-c", catalog, "-o", str(out), "--dry-run", *FEW]) == 0
    assert capsys.readouterr().out == ""
