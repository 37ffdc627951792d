"""Small runs, and what they left: for tests of training, checkpoints and processes."""

from __future__ import annotations

import dataclasses
import json
import os

from mediafm.pretrain import TrainConfig
from mediafm.progress import Silent

QUICK = TrainConfig(steps=12, batch_shots=64, eval_every=4, checkpoint_every=4, val_fraction=0.2)
TINY = dataclasses.replace(QUICK, size="1")


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def events(folder, kind):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == kind]


def losses(folder):
    return [(line["step"], line["loss"]) for line in events(folder, "step")]


class Said(Silent):
    """Progress that keeps what is said."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


class Interrupting(Silent):
    """Progress that sends a signal to this process after some steps."""

    def __init__(self, after, number):
        self.left, self.number = after, number

    def task(self, *args):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *args):
        pass

    def note(self, text):
        pass

    def advance(self, amount=1.0):
        self.left -= amount
        if self.left == 0:
            os.kill(os.getpid(), self.number)
