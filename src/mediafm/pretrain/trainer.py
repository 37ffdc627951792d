"""The training loop.

Shapes: S shots of a batch, F fused width.
"""

from __future__ import annotations

import dataclasses
import math
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mediafm.catalog.records import TitleFeatures
from mediafm.errors import CatalogError, ModelError
from mediafm.model import MediaFM, ModelConfig
from mediafm.model.device import find_precision
from mediafm.model.hub import TRAINING, read_json
from mediafm.model.start import adapt
from mediafm.pretrain.checkpoint import Position, Saver, load_checkpoint
from mediafm.pretrain.columns import AGAIN
from mediafm.pretrain.config import TrainConfig
from mediafm.pretrain.data import MOST_HELD_OUT, Chance, Plan, Split, sample
from mediafm.pretrain.evaluate import Scores, evaluate
from mediafm.pretrain.flops import attended, flops_per_shot
from mediafm.pretrain.loader import Batch, Loader, Reader
from mediafm.pretrain.objective import objective
from mediafm.pretrain.optim import optimizers, rate, set_rate
from mediafm.pretrain.processes import Processes
from mediafm.pretrain.run import CHECKPOINTS, LOG, Log, Stop, forget_checkpoints
from mediafm.pretrain.store import ShotStore
from mediafm.pretrain.verdict import Verdict, judge
from mediafm.progress import Progress, Task

_WATCHED = 24
"""Most validation titles scored while training; the verdict uses all."""
_SAMPLE = 8192
"""Shots whose principal directions the projections begin with."""
_STATISTICS = 262_144
"""Shots, from as many titles as possible, that means and deviations are taken over."""


class Trainer:
    """One run: its model, its data, where it is.

    Args:
        store: All titles.
        split: Which of them train.
        model_config: The network.
        config: Options.
        out: The run's folder.
        progress: Where to report.
        team: The processes of the run.
    """

    def __init__(
        self,
        store: ShotStore,
        split: Split,
        model_config: ModelConfig,
        config: TrainConfig,
        out: Path,
        progress: Progress,
        team: Processes,
    ):
        self.store, self.split, self.config = store, split, config
        self.out, self.progress, self.team = out, progress, team
        self.device, self.dtype = team.device, find_precision(config.precision, team.device)
        torch.manual_seed(config.seed)
        try:
            self.model = MediaFM(model_config).to(self.device)
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                raise
            raise ModelError(
                "the model does not fit in memory", do="choose a smaller one"
            ) from None
        self.model.fusion.fit(self._some(_STATISTICS))
        adapt(self.model, self._sample())
        if config.compile:
            self.model.compile_layers()
        lengths = [store.titles[i].shots for i in split.train]
        span = attended(lengths, config.longest)
        self.flops_per_shot = flops_per_shot(model_config, config.mask_ratio, span)
        self.plan = Plan(
            split.train,
            lengths,
            config.longest,
            config.batch_shots,
            config.seed,
        )
        self.optimizers = optimizers(self.model, config)
        self.position = Position()
        self.best: dict[str, Tensor] = {}
        self.saver = Saver(out / CHECKPOINTS, config.keep)

    def run(self) -> Verdict:
        """Trains, judges, saves.

        Returns:
            The verdict, which is also saved with the model.
        """
        folder = self.saver.folder
        self.position, self.best, passed = load_checkpoint(folder, self.model, self.optimizers)
        for line in passed:
            self.progress.say(line)
        self.team.share(self.model, self.position.step)
        begun = self.position.step > 0
        if begun:
            self.progress.say(f"{self.out}: continuing at step {self.position.step}")
        board = self.out if self.config.tensorboard else None
        with (
            Log(self.out / LOG, self.position.step or -1, board, write=self.team.first) as log,
            self.saver,
            Stop() as stop,
        ):
            if not begun:
                log.write("start", step=0, **self._start())
            with self.progress.task("pretrain", self.config.steps, "steps") as task:
                task.advance(self.position.step)
                self._steps(log, stop, task)
            self._checkpoint()  # the verdict and the saving can be interrupted too
            self.saver.wait()
            if stop.wanted is not None and self.team.world == 1:
                stop.leave()
            stop.done()
            if self.best:
                self.model.load_state_dict(self.best)
            self._check_weights()
            verdict = self._verdict() if self.team.first else judge(None)
            self.model.summary = {
                "verdict": verdict.to_dict(),
                "data": self._data(),
                "steps": self.position.step,
                "best_step": self.position.best_step if self.best else self.position.step,
                "settings": self.config.decisive(),
            }
            if self.config.compile:  # or the first use would compile for minutes, for the CPU
                trained, self.model = self.model, MediaFM(self.model.config)
                self.model.load_state_dict(trained.state_dict())
                self.model.summary = trained.summary
            self.model.to("cpu").eval()
            if self.team.first:
                self.model.save_pretrained(self.out)
                log.write("verdict", step=self.position.step, **verdict.to_dict())
        if self.team.first:
            forget_checkpoints(self.out)
        self.team.wait()
        if not self.team.first:
            self.model.summary = read_json(self.out / TRAINING)
            verdict = Verdict.from_dict(self.model.summary["verdict"])
        return verdict

    def _steps(self, log: Log, stop: Stop, task: Task) -> None:
        config, position = self.config, self.position
        note = self._validate(log, compare=True) if position.step == 0 else ""
        reader = Reader(self.store, self.model, config, self.device)
        place = {"epoch": position.epoch, "index": position.index}
        with Loader(
            reader, self.plan, rank=self.team.rank, world=self.team.world, **place
        ) as ahead:
            since, waited = time.perf_counter(), 0.0
            for epoch, index, parts in ahead:
                if position.step >= config.steps or position.stale >= config.patience:
                    break
                lr = rate(position.step, config)
                set_rate(self.optimizers, lr)
                try:
                    loss, norm, shots, stopping = self._step(parts, stop.wanted is not None)
                except torch.OutOfMemoryError:
                    most = max(map(len, parts))
                    raise ModelError(
                        f"{most} shots at once do not fit in the memory of {self.device}",
                        do=f"--set micro_shots={most // 2} and run the same command again",
                    ) from None
                position.step, position.epoch, position.index = position.step + 1, epoch, index + 1
                seconds = time.perf_counter() - since
                speed, waiting = shots / seconds, (ahead.waited - waited) / seconds
                log.write(
                    "step",
                    step=position.step,
                    epoch=epoch,
                    loss=round(loss, 6),
                    gradient=round(norm, 4),
                    **self._rates(lr),
                    shots=shots,
                    seconds=round(seconds, 4),
                    shots_per_s=round(speed, 1),
                    gflop_per_s=round(speed * self.flops_per_shot / 1e9, 3),
                    waiting=round(waiting, 4),
                    memory_gb=round(memory_gb(self.device), 3),
                )
                last = position.step == config.steps
                if position.step % config.eval_every == 0 or last:
                    note = self._validate(log)
                task.advance()
                task.note(f"loss {loss:.3f}{note}, {speed:,.0f} shots/s")
                if position.step % config.checkpoint_every == 0 and not last:
                    self._checkpoint()
                # Several processes have to agree; what one was told, all hear in the next step.
                if stopping or (self.team.world == 1 and stop.wanted is not None):
                    self.progress.say(
                        f"{self.out}: stopped at step {position.step}; "
                        "run the same command again to continue"
                    )
                    self._checkpoint()
                    self.saver.wait()
                    # torchrun kills the others as soon as one has left.
                    self.team.wait()
                    stop.leave()
                since, waited = time.perf_counter(), ahead.waited
        if self.best and position.best_step < position.step:
            early = "stopped early: " if position.step < config.steps else ""
            self.progress.say(
                f"{self.out}: {early}no validation after step {position.best_step} was better, "
                "its weights are kept"
            )

    def _step(self, parts: list[Batch], stop: bool) -> tuple[float, float, int, bool]:
        """One optimizer step; returns loss, gradient's norm, shots, and whether to stop."""
        # Dropout is drawn anew from here, so that a resumed run draws the same.
        place = (self.config.seed, self.position.step, self.team.rank)
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))
        model = self.model.train()
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        masked, count = torch.zeros((), device=self.device), 0
        for part in parts:
            with self._autocast():
                loss = objective(model, part.to(self.device))
            loss.total.backward()  # type: ignore[no-untyped-call]
            masked, count = masked + loss.masked, count + loss.count
        sums = [float(masked), float(count), float(sum(map(len, parts))), float(stop)]
        total, count_all, shots, stops = self.team.sum_gradients(model, sums)
        scale = 1 / max(count_all, 1)
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        if not gradients:
            return 0.0, 0.0, int(shots), stops > 0
        torch._foreach_mul_(gradients, scale)
        norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), self.config.clip))
        if not np.isfinite(norm):
            self._check_features(parts)
            raise self._diverged("gradient is", self.position.step + 1)
        for optimizer in self.optimizers:
            optimizer.step()
        return total * scale, norm, int(shots), stops > 0

    def _diverged(self, what: str, step: int) -> ModelError:
        return ModelError(
            f"the {what} not finite at step {step}",
            where=self.out,
            do="lower the learning rates, in another folder",
        )

    def _check_weights(self) -> None:
        if not all(bool(torch.isfinite(p).all()) for p in self.model.parameters()):
            raise self._diverged("weights are", self.position.step)

    def _check_features(self, parts: list[Batch]) -> None:
        """Values that are no numbers are sorted out when a store is made."""
        for part in parts:
            held = {f"{name} features": x_SD for name, (x_SD, _) in part.blocks.items()}
            for name, x in {**held, "metadata": part.m_WG}.items():
                if not bool(torch.isfinite(x).all()):
                    raise CatalogError(
                        f"the training cache is damaged: {name} hold no numbers", do=AGAIN
                    )

    def _rates(self, share: float) -> dict[str, float]:
        """Learning rates at a share of their peaks, by the names of their options."""
        muon, adam = self.config.rates(self.model.config.hidden)
        rates = {"muon_lr": muon} if self.config.optimizer == "muon" else {}
        return {k: float(f"{v * share:.4g}") for k, v in {**rates, "adam_lr": adam}.items()}

    def _validate(self, log: Log, compare: bool = False) -> str:
        if not self.split.val:
            return ""
        position, score = self.position, 0.0
        self._check_weights()
        if self.team.first:
            scores = self._scores(spread(self.split.val, _WATCHED), compare)
            score = scores.score if len(scores.title_S) else math.nan
            if len(scores.title_S) and math.isnan(score):
                raise self._diverged("predictions are", position.step)
            if not math.isnan(score):
                log.write("validate", step=position.step, **scores.to_log())
        (score,) = self.team.from_first([score])
        if math.isnan(score):  # no validation title has two shots of these modalities
            return ""
        position.stale += 1
        if score > position.best_score + 1e-4:
            position.best_step, position.best_score, position.stale = position.step, score, 0
            self.best = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        return f", validation {score:.3f}"

    def _masks(self, use: Chance) -> int:
        """Seed of the masks that score: those of the verdict did not choose the step to keep."""
        return int(np.random.SeedSequence([self.config.seed, use]).generate_state(1)[0])

    def _scores(self, titles: list[int], compare: bool = False) -> Scores:
        return evaluate(
            self.model,
            map(self._title, titles),
            mask_ratio=self.config.mask_ratio,
            seed=self._masks(Chance.WATCHING),
            repetitions=4 if len(titles) < _WATCHED else 2,
            compare=compare,
            dtype=self.dtype,
        )

    def _verdict(self) -> Verdict:
        if not self.split.val:
            return judge(None, note=self.split.note)
        titles = spread(self.split.val, MOST_HELD_OUT)
        masked = self.config.mask_ratio * sum(self.store.titles[i].shots for i in titles)
        scores = evaluate(
            self.model,
            map(self._title, titles),
            mask_ratio=self.config.mask_ratio,
            seed=self._masks(Chance.JUDGING),
            repetitions=min(16, max(4 if masked < 50_000 else 1, round(2000 / max(masked, 1)))),
        )
        return judge(scores, note=self.split.note, seed=self.config.seed)

    def _checkpoint(self) -> None:
        if self.team.first:
            self.saver.save(self.position, self.model, self.best, self.optimizers)

    def _autocast(self) -> AbstractContextManager[None]:
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)

    def _title(self, index: int, part: tuple[int, int] | None = None) -> TitleFeatures:
        return self.store.title(index, list(self.model.config.modalities), part)

    def _some(self, shots: int) -> Iterator[TitleFeatures]:
        """Runs of training shots drawn by the seed; each title brings its metadata once."""
        train, rng = self.split.train, np.random.default_rng([self.config.seed, Chance.STATISTICS])
        before = None
        for number, start, end in sample([self.store.titles[i].shots for i in train], shots, rng):
            part = self._title(train[number], (start, end))
            yield part if number != before else dataclasses.replace(part, metadata={})
            before = number

    def _sample(self) -> Tensor:
        return torch.cat([self.model.fusion(part) for part in self._some(_SAMPLE)])

    def _start(self) -> dict[str, Any]:
        return {
            "data": self._data(),
            "settings": self.config.decisive(),
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "device": str(self.device),
            "precision": str(self.dtype).removeprefix("torch."),
            "processes": self.team.world,
        }

    def _data(self) -> dict[str, Any]:
        train, val = ([self.store.titles[i] for i in s] for s in (self.split.train, self.split.val))
        return {
            "train_titles": len(train),
            "train_shots": sum(t.shots for t in train),
            "val_titles": len(val),
            "val_shots": sum(t.shots for t in val),
            "val_title_ids": [t.title_id for t in val],
            "note": self.split.note,
        }


def spread(titles: list[int], most: int) -> list[int]:
    """At most so many titles, evenly spread: neighbours by name are often of one series."""
    few = min(len(titles), most)
    return [titles[i * len(titles) // few] for i in range(few)]


def memory_gb(device: torch.device) -> float:
    """Most memory used so far: of the GPU, or resident memory of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
