"""Checkpoints: written behind the training, whole, few, and enough to go on bit for bit."""

import dataclasses
import json
import shutil
import signal
import threading

import pytest
import torch
from run_kit import QUICK, TINY, Interrupting, losses, weights
from safetensors.torch import load_file
from shot_kit import DIMS, make_titles

from mediafm.errors import ModelError
from mediafm.model import MediaFM, Modality, ModelConfig
from mediafm.pretrain import checkpoint, pretrain
from mediafm.pretrain.checkpoint import Position, Saver, load_checkpoint
from mediafm.pretrain.optim import optimizers
from mediafm.pretrain.run import CHECKPOINTS


def network(seed=0):
    torch.manual_seed(seed)
    blocks = {m: Modality(d) for m, d in DIMS.items()}
    model = MediaFM(ModelConfig(blocks, hidden=32, layers=1, heads=2))
    made = optimizers(model, QUICK)
    for p in model.parameters():
        p.grad = torch.randn_like(p)
    for optimizer in made:
        optimizer.step()
    return model, made


def state_of(model, made):
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    for i, optimizer in enumerate(made):
        for p, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{i}.{p}.{k}": v for k, v in state.items()}
    return {k: v.clone() for k, v in tensors.items()}


def equal(one, two):
    return one.keys() == two.keys() and all(torch.equal(v, two[k]) for k, v in one.items())


@pytest.fixture
def held_back(monkeypatch):
    """Writing waits until it is let go."""
    go, write = threading.Event(), checkpoint._write

    def later(*args):
        assert go.wait(30)
        write(*args)

    monkeypatch.setattr(checkpoint, "_write", later)
    yield go
    go.set()


def test_what_was_there_is_written_though_training_goes_on(tmp_path, held_back):
    model, made = network()
    best = {k: v + 1 for k, v in model.state_dict().items()}
    position = Position(7, 2, 3, 5, 0.25, 1)
    before, best_before = state_of(model, made), {k: v.clone() for k, v in best.items()}
    with Saver(tmp_path / "c", keep=2) as saver:
        saver.save(position, model, best, made)
        assert not list(tmp_path.glob("c/step-*")), "save does not wait for the disk"
        for optimizer in made:
            optimizer.step()
        with torch.no_grad():
            for tensor in (*model.state_dict().values(), *best.values()):
                tensor.zero_()
        position.step = 99
        held_back.set()
    other, others = network(seed=1)
    found, kept, passed = load_checkpoint(tmp_path / "c", other, others)
    assert found == Position(7, 2, 3, 5, 0.25, 1)
    assert equal(state_of(other, others), before)
    assert equal(kept, best_before)
    assert not passed


def test_the_newest_are_kept_and_nothing_is_pickled(tmp_path):
    model, made = network()
    with Saver(tmp_path / "c", keep=2) as saver:
        for step in (1, 2, 3, 9, 10):
            saver.save(Position(step), model, {}, made)
    assert sorted(p.name for p in (tmp_path / "c").iterdir()) == ["step-00000009", "step-00000010"]
    files = sorted(p for p in tmp_path.rglob("*") if p.is_file())
    assert {p.name for p in files} == {"state.json", "state.safetensors"}
    for path in files:
        if path.suffix == ".json":
            assert json.loads(path.read_text())["step"] in (9, 10)
        else:
            assert load_file(path)


def test_leftovers_of_a_killed_process_go(tmp_path):
    model, made = network()
    with Saver(tmp_path, keep=1) as saver:
        saver.save(Position(3), model, {}, made)
    (tmp_path / ".step-00000004.123").mkdir()
    (tmp_path / ".step-00000004.123" / "state.safetensors").write_bytes(b"half")
    position, *_ = load_checkpoint(tmp_path, model, made)
    assert position.step == 3
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000003"]
    position, best, passed = load_checkpoint(tmp_path / "nowhere", model, made)
    assert (position, best, passed) == (Position(), {}, [])


def test_a_failure_is_told_by_the_next_call_and_once(tmp_path):
    model, made = network()
    (tmp_path / "c").write_text("a file where the folder should be")
    saver = Saver(tmp_path / "c", keep=1)
    saver.save(Position(1), model, {}, made)
    with pytest.raises(ModelError, match=r"c: the checkpoint cannot be written.*same command"):
        saver.save(Position(2), model, {}, made)
    saver.wait()
    saver.save(Position(3), model, {}, made)
    with pytest.raises(ModelError, match="cannot be written"), saver:
        pass
    with pytest.raises(ZeroDivisionError), Saver(tmp_path / "c", keep=1) as other:
        other.save(Position(4), model, {}, made)
        raise ZeroDivisionError  # says more than what follows from it
    assert not [t for t in threading.enumerate() if t.name.startswith("mediafm-checkpoint")]


@pytest.fixture
def small_disk(make_disk):
    return make_disk("16m")


def test_a_full_disk_is_told_and_the_run_goes_on(tmp_path, small_disk):
    titles, out = make_titles(8), small_disk / "out"
    whole = pretrain(titles, tmp_path / "whole", TINY)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(14_500_000))
    with pytest.raises(ModelError, match=r"cannot be written \(no space left.*make room") as error:
        pretrain(titles, out, TINY)
    assert "\n" not in str(error.value)
    assert not list(out.rglob("*.safetensors"))
    filler.unlink()
    again = pretrain(titles, out, TINY)
    assert weights(out) == weights(whole.out)
    assert again.verdict == whole.verdict
    assert losses(out) == losses(whole.out)


ALL = dataclasses.replace(
    TINY,
    optimizer="adamw",
    mask_span=3.0,
    hide_ratio=0.2,
    modality_dropout=0.3,
    fusion="late",
    absent="learned",
    micro_shots=30,
    window=16,
)


@pytest.mark.parametrize("config", [TINY, ALL], ids=["plain", "all"])
def test_resuming_with_other_readers_is_bit_identical(tmp_path, config):
    titles = make_titles(8)
    one, three = (dataclasses.replace(config, workers=n) for n in (1, 3))
    whole = pretrain(titles, tmp_path / "whole", one)
    for after, workers in ((5, three), (9, one)):
        with pytest.raises(KeyboardInterrupt):
            pretrain(titles, tmp_path / "parts", workers, Interrupting(after, signal.SIGINT))
        places = [p.name for p in (tmp_path / "parts" / CHECKPOINTS).iterdir()]
        assert max(places) == f"step-{after:08d}"
        torch.manual_seed(999)  # whatever happened in between
    parts = pretrain(titles, tmp_path / "parts", three)
    assert weights(parts.out) == weights(whole.out)
    assert parts.verdict == whole.verdict
    assert losses(parts.out) == losses(whole.out)
    assert [step for step, _ in losses(parts.out)] == list(range(1, 13))


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    titles = make_titles(8)
    for name, size in (("a", "1x32"), ("b", "1x64")):
        with pytest.raises(KeyboardInterrupt):
            config = dataclasses.replace(QUICK, size=size)
            pretrain(titles, tmp_path / name, config, Interrupting(3, signal.SIGINT))
    (place,) = (tmp_path / "a" / CHECKPOINTS).iterdir()
    shutil.copytree(place, tmp_path / "b" / CHECKPOINTS / "step-00000099")
    with pytest.raises(ModelError, match="99: is a checkpoint of another model") as error:
        pretrain(titles, tmp_path / "b", dataclasses.replace(QUICK, size="1x64"))
    assert "\n" not in str(error.value)
    shutil.rmtree(tmp_path / "b" / CHECKPOINTS / "step-00000099")
    config = dataclasses.replace(QUICK, size="1x64")
    assert pretrain(titles, tmp_path / "b", config).steps == QUICK.steps


def test_two_do_not_train_in_one_folder(tmp_path):
    out = tmp_path / "out"

    class Meddling(Interrupting):
        """While one trains, another tries."""

        def advance(self, amount=1.0):
            if self.left == 5:
                with pytest.raises(ModelError, match="another process trains in this folder"):
                    pretrain(make_titles(8), out, QUICK)
            super().advance(amount)

    with pytest.raises(KeyboardInterrupt):
        pretrain(make_titles(8), out, QUICK, Meddling(7, signal.SIGINT))
    assert pretrain(make_titles(8), out, QUICK).steps == QUICK.steps


def test_a_damaged_checkpoint_does_not_outlive_good_ones(tmp_path):
    """It is the newest by name, but its steps are done again."""
    titles, out = make_titles(8), tmp_path / "out"
    config = dataclasses.replace(QUICK, keep=1, checkpoint_every=3)
    with pytest.raises(KeyboardInterrupt):
        pretrain(titles, out, config, Interrupting(8, signal.SIGINT))
    (place,) = (out / CHECKPOINTS).iterdir()
    (place / "state.safetensors").write_bytes(b"")
    with pytest.raises(KeyboardInterrupt):
        pretrain(titles, out, config, Interrupting(5, signal.SIGINT))
    assert [p.name for p in (out / CHECKPOINTS).iterdir()] == ["step-00000005"]
    assert pretrain(titles, out, config).steps == QUICK.steps
