"""Several processes under torchrun do what one does: the same losses, weights, stops."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from run_kit import TINY, events, losses
from safetensors.torch import load_file
from shot_kit import make_titles

from mediafm.pretrain import pretrain
from mediafm.pretrain.processes import processes
from mediafm.pretrain.run import CHECKPOINTS

STILL = dataclasses.replace(TINY, dropout=0.0, steps=8, precision="fp32")
CASES = {
    "plain": STILL,
    "adamw": dataclasses.replace(STILL, optimizer="adamw"),
    "all": dataclasses.replace(
        STILL,
        fusion="late",
        absent="learned",
        optimizer="adamw",
        mask_span=2.0,
        hide_ratio=0.2,
        modality_dropout=0.2,
        micro_shots=20,
    ),
    # A batch is one window, so that one of two processes has nothing to do.
    "uneven": dataclasses.replace(STILL, batch_shots=1),
}
LONG = dataclasses.replace(TINY, steps=40, checkpoint_every=7, patience=1000)

SCRIPT = """
import json, os, sys, time
from pathlib import Path
sys.path.insert(0, {kit!r})
import torch; torch.set_num_threads(1)
from shot_kit import make_titles
from mediafm.pretrain import TrainConfig, checkpoint, pretrain
from mediafm.pretrain.trainer import Trainer
from mediafm.progress import Silent

rank = int(os.environ["RANK"])
jobs, slow = json.loads(Path(sys.argv[1]).read_text()), float(sys.argv[2])
def slowly(function, seconds):
    def wrapped(*args):
        time.sleep(seconds)
        return function(*args)
    return wrapped
checkpoint._write = slowly(checkpoint._write, slow)
Trainer._step = slowly(Trainer._step, min(slow, 0.1))
Path(sys.argv[1] + f".{{rank}}").write_text(str(os.getpid()))
for out, options in jobs:
    result = pretrain(make_titles(8), Path(out), TrainConfig(**options), Silent())
    os.write(1, f"{{rank}} {{result.steps}}\\n".encode())
"""


def launch(folder, jobs, slow=0.0):
    """Starts two processes that do some runs one after the other."""
    (folder / "train.py").write_text(SCRIPT.format(kit=str(Path(__file__).parent)))
    content = [(str(out), dataclasses.asdict(config)) for out, config in jobs]
    (folder / "jobs.json").write_text(json.dumps(content))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.Popen(
        [*command, "train.py", "jobs.json", str(slow)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    try:
        return process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            process.terminate()  # it ends its children
            process.communicate()


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Every case by one process and by two; ``long`` by two."""
    folder = tmp_path_factory.mktemp("pairs")
    jobs = [(folder / name, config) for name, config in CASES.items()]
    process = launch(folder, [*jobs, (folder / "long", LONG)])
    for name, config in CASES.items():
        pretrain(make_titles(8), folder / f"{name} alone", config)
    output, errors = finish(process)
    assert process.returncode == 0, errors
    said = [f"{rank} {steps}" for rank in (0, 1) for steps in (8, 8, 8, 8, 40)]
    assert sorted(output.splitlines()) == sorted(said)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_two_processes_train_as_one(pairs, name):
    one, two = pairs / f"{name} alone", pairs / name
    assert len(losses(one)) == 8
    # Muon orthogonalises in bfloat16, where a sum in another order may round to another number.
    near = 1e-5 if CASES[name].optimizer == "adamw" else 5e-5
    assert losses(two) == [(step, pytest.approx(loss, abs=near)) for step, loss in losses(one)]
    for kind in ("shots", "epoch", "adam_lr"):
        assert [e[kind] for e in events(two, "step")] == [e[kind] for e in events(one, "step")]
    whole, shared = (load_file(out / "model.safetensors") for out in (one, two))
    assert whole.keys() == shared.keys()
    for key, tensor in whole.items():
        assert (tensor.double() - shared[key].double()).abs().max() < 1e-4, key
    scores = [[e["cosine"] for e in events(out, "validate")] for out in (one, two)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)


def test_one_process_writes_for_all(pairs):
    (start,) = events(pairs / "plain", "start")
    assert start["processes"] == 2
    assert [e["step"] for e in events(pairs / "plain", "step")] == list(range(1, 9))
    assert len(events(pairs / "plain", "verdict")) == 1
    assert not (pairs / "plain" / CHECKPOINTS).exists()


def wait_for(log, words, process):
    for _ in range(3000):
        if log.exists() and words in log.read_text():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    pytest.fail(f"{words} is not in {log}")


@pytest.mark.slow
def test_a_signal_to_one_process_stops_all_and_the_run_goes_on(pairs, tmp_path):
    out = tmp_path / "out"
    log, places = out / "log.jsonl", out / CHECKPOINTS
    # The one that writes is told, and writing takes a while: did the other leave meanwhile,
    # torchrun would send a second signal, which acts at once.
    process = launch(tmp_path, [(out, LONG)], slow=1.5)
    try:
        wait_for(log, '"step": 2,', process)
        os.kill(int((tmp_path / "jobs.json.0").read_text()), signal.SIGTERM)
    finally:
        _, errors = finish(process)
    assert process.returncode != 0
    assert "Error:" not in errors.replace("ChildFailedError:", "")
    first = max(step for step, _ in losses(out))
    assert max(p.name for p in places.iterdir()) == f"step-{first:08d}"
    # torchrun itself is told, and tells all of them.
    process = launch(tmp_path, [(out, LONG)], slow=0.5)
    try:
        wait_for(log, f'"step": {first + 2},', process)
        process.terminate()
    finally:
        finish(process)
    assert process.returncode != 0
    second = max(step for step, _ in losses(out))
    assert first + 2 <= second < LONG.steps
    assert max(p.name for p in places.iterdir()) == f"step-{second:08d}"
    process = launch(tmp_path, [(out, LONG)])
    _, errors = finish(process)
    assert process.returncode == 0, errors
    assert losses(out) == losses(pairs / "long")
    weights = [(o / "model.safetensors").read_bytes() for o in (out, pairs / "long")]
    assert weights[0] == weights[1]
    assert not places.exists()


def test_alone_without_torchrun(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    with processes("cpu") as team:
        assert (team.rank, team.world, team.first) == (0, 1, True)
        assert team.sum_gradients(None, [1.0, 2.0]) == [1.0, 2.0]
        assert team.from_first([0.1]) == [0.1]
        team.wait()
