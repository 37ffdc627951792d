"""Masked Shot Modeling: predict masked shots from the rest of the title.

Shapes: S shots of a batch, F fused width, H hidden width.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from mediafm.catalog.records import EncoderRecord, TitleFeatures
from mediafm.errors import CatalogError, ModelError
from mediafm.fingerprint import fingerprint
from mediafm.model import MediaFM, Modality, ModelConfig
from mediafm.model.fusion import unit
from mediafm.model.hub import TRAINING, WEIGHTS
from mediafm.pretrain.checkpoint import Position, load_checkpoint, save_checkpoint
from mediafm.pretrain.config import TrainConfig
from mediafm.pretrain.data import MIN_WINDOW, ShotDataset, Split, split_titles
from mediafm.pretrain.evaluate import evaluate
from mediafm.pretrain.optim import optimizers, rate, set_rate
from mediafm.pretrain.run import CHECKPOINTS, LOG, Log, Stop, claim_folder, forget_checkpoints
from mediafm.pretrain.verdict import Verdict, judge
from mediafm.progress import Progress, Silent, Task

MIN_SHOTS = 20
"""Training shots below which every number would be an accident."""
_WATCHED = 24
"""Most validation titles scored while training; the verdict uses all."""
_SAMPLE = 8192
_ORDER = ("video", "audio", "text")


class FeatureSource(Protocol):
    """What training needs of a catalog; ``mediafm.catalog.Catalog`` is one."""

    def encoders(self) -> dict[str, EncoderRecord]:
        """Modality to the encoder that made its features."""

    def metadata_encoder(self) -> EncoderRecord | None:
        """The encoder that made the metadata vectors."""

    def title_features(self) -> Iterator[TitleFeatures]:
        """Features of all titles."""


@dataclass(frozen=True, slots=True)
class PretrainResult:
    """What a run leaves behind.

    Args:
        model: The trained model with the best validation score, also saved in the folder.
        verdict: Whether context helps.
        out: The model's folder.
        log: The run's log, JSON lines.
        steps: Steps done.
        fresh: False if the run had been finished before and nothing was done.
    """

    model: MediaFM
    verdict: Verdict
    out: Path
    log: Path
    steps: int
    fresh: bool = True


def pretrain(
    source: FeatureSource | Iterable[TitleFeatures],
    out: Path,
    config: TrainConfig | None = None,
    progress: Progress | None = None,
) -> PretrainResult:
    """Trains a model; the same call on an interrupted run continues it, bit for bit.

    Ctrl-C and SIGTERM write a checkpoint first.

    Args:
        source: A catalog, or features of titles.
        out: Folder for the model, the log and the checkpoints.
        config: Options.
        progress: Where to report.

    Returns:
        The model and its verdict.

    Raises:
        CatalogError: There are no features, or too few.
        ModelError: The folder holds something else, or training went out of bounds.
        KeyboardInterrupt: After Ctrl-C.
        SystemExit: After SIGTERM.
    """
    config, progress = config or TrainConfig(), progress or Silent()
    encoders: Mapping[str, EncoderRecord] = {}
    if isinstance(source, Iterable):
        titles = list(source)
    else:
        encoders, titles = known_encoders(source), list(source.title_features())
    titles = sorted((t for t in titles if len(t) >= MIN_WINDOW), key=lambda t: t.title_id)
    model_config = configure(titles, encoders, config)
    split = split_titles(titles, config.val_fraction, config.seed, config.split)
    shots = sum(len(titles[i]) for i in split.train)
    if shots < MIN_SHOTS:
        raise CatalogError(
            f"{len(split.train)} training titles hold {shots} shots, at least {MIN_SHOTS} needed",
            do="ingest more titles",
        )
    data = [(t.title_id, t.ingest_id, len(t)) for t in titles]
    identity = {
        "settings": config.decisive(),
        "model": model_config.to_dict(),
        "data": {"titles": len(titles), "fingerprint": fingerprint(data)},
    }
    out = Path(out)
    begun = claim_folder(out, identity)
    if begun and (out / TRAINING).exists() and (out / WEIGHTS).exists():
        model = MediaFM.from_pretrained(out)
        verdict = Verdict.from_dict(model.summary["verdict"])
        progress.say(f"{out}: this run is finished. {verdict.text}")
        steps = int(model.summary.get("steps", 0))
        return PretrainResult(model, verdict, out, out / LOG, steps, fresh=False)
    return _Training(titles, split, model_config, config, out, progress).run()


def known_encoders(source: FeatureSource) -> dict[str, EncoderRecord]:
    """The encoders of a catalog, that of the title metadata under ``metadata``."""
    made = source.metadata_encoder()
    return {**source.encoders(), **({"metadata": made} if made else {})}


def configure(
    titles: list[TitleFeatures], encoders: Mapping[str, EncoderRecord], config: TrainConfig
) -> ModelConfig:
    """Chooses blocks and widths from what is there.

    Args:
        titles: Features.
        encoders: See :func:`known_encoders`; empty where unknown.
        config: Options.

    Raises:
        CatalogError: There are no features, not of the modality asked for, or of mixed widths.
    """
    widths: dict[str, int] = {}
    fields: dict[str, int] = {}
    for title in titles:
        for name, x_ND in title.features.items():
            if title.present[name].any() and widths.setdefault(name, x_ND.shape[1]) != len(x_ND.T):
                raise CatalogError(
                    f"{name} features are {x_ND.shape[1]} wide, others {widths[name]}",
                    where=title.title_id,
                    do="ingest all titles with the same encoders",
                )
        for name in config.metadata:
            if name in title.metadata:
                fields.setdefault(name, len(title.metadata[name]))
    if not widths:
        raise CatalogError("there are no features to train on", do="run mediafm ingest first")
    order = sorted(widths, key=lambda m: (_ORDER.index(m) if m in _ORDER else len(_ORDER), m))
    chosen = config.modalities or tuple(order)
    if missing := [name for name in chosen if name not in widths]:
        raise CatalogError(
            f"there are no {missing[0]} features", do=f"choose among {', '.join(order)}"
        )

    def block(name: str, dim: int) -> Modality:
        known = encoders.get(name)
        return Modality(dim, known.fingerprint if known else "", config.treatment)

    made = encoders["metadata"].fingerprint if "metadata" in encoders else ""
    return ModelConfig.preset(
        config.preset,
        {name: block(name, widths[name]) for name in chosen},
        {name: Modality(dim, made, config.treatment) for name, dim in fields.items()},
    )


class _Training:
    def __init__(
        self,
        titles: list[TitleFeatures],
        split: Split,
        model_config: ModelConfig,
        config: TrainConfig,
        out: Path,
        progress: Progress,
    ):
        self.config, self.out, self.progress, self.split = config, out, progress, split
        self.device = _device(config.device)
        torch.manual_seed(config.seed)
        self.model = MediaFM(model_config)
        self.train = [titles[i] for i in split.train]
        self.val = [titles[i] for i in split.val]
        self.model.fusion.fit(self.train)
        self.model.to(self.device)
        self.dataset = ShotDataset(
            self.train,
            self.model.fusion,
            max_shots=model_config.max_shots,
            batch_shots=config.batch_shots,
            seed=config.seed,
        )
        self.model.adapt(self.dataset.sample(_SAMPLE))
        self.optimizers = optimizers(self.model, config)
        self.position = Position()
        self.best: dict[str, Tensor] = {}

    def run(self) -> PretrainResult:
        checkpoints = self.out / CHECKPOINTS
        if found := load_checkpoint(checkpoints, self.model, self.optimizers):
            self.position, self.best, passed = found
            for line in passed:
                self.progress.say(line)
            self.progress.say(f"{self.out}: continuing at step {self.position.step}")
        log_path = self.out / LOG
        with Log(log_path, self.position.step) as log, Stop() as stop:
            if not found:
                log.write("start", step=0, data=self._data(), settings=self.config.decisive())
            with self.progress.task("pretrain", self.config.steps, "steps") as task:
                task.advance(self.position.step)
                self._steps(log, stop, task)
            if self.best:
                self.model.load_state_dict(self.best)
            verdict = self._verdict()
            summary = {
                "verdict": verdict.to_dict(),
                "data": self._data(),
                "steps": self.position.step,
                "best_step": self.position.best_step if self.best else self.position.step,
                "settings": self.config.decisive(),
            }
            self.model.summary = summary
            self.model.to("cpu").eval()
            self.model.save_pretrained(self.out)
            log.write("verdict", step=self.position.step, **verdict.to_dict())
        forget_checkpoints(self.out)
        return PretrainResult(self.model, verdict, self.out, log_path, self.position.step)

    def _steps(self, log: Log, stop: Stop, task: Task) -> None:
        config, position, shots, since = self.config, self.position, 0, time.monotonic()
        stream = self.dataset.batches(position.epoch, position.index)
        note = self._validate(log) if self.val and position.step == 0 else ""
        while position.step < config.steps and position.stale < config.patience:
            epoch, index, pieces = next(stream)
            share = rate(position.step, config)
            set_rate(self.optimizers, share)
            batch = self.dataset.batch(
                pieces, epoch, index, config.mask_ratio, config.metadata_dropout
            )
            loss = self._step(batch)
            position.step, position.epoch, position.index = position.step + 1, epoch, index + 1
            shots += len(batch.x_SF)
            speed = shots / max(time.monotonic() - since, 1e-9)
            log.write(
                "step",
                step=position.step,
                epoch=epoch,
                loss=round(loss, 6),
                lr_muon=share * config.muon_lr,
                lr_adam=share * config.adam_lr,
                shots_per_s=round(speed, 1),
            )
            last = position.step == config.steps
            if self.val and (position.step % config.eval_every == 0 or last):
                note = self._validate(log)
            task.advance()
            task.note(f"loss {loss:.3f}{note}")
            if position.step % config.checkpoint_every == 0 and not last:
                self._checkpoint()
            if stop.wanted is not None:
                self.progress.say(
                    f"{self.out}: stopped at step {position.step}; "
                    "run the same command again to continue"
                )
                stop.leave(self._checkpoint)

    def _step(self, batch: Any) -> float:
        model = self.model.train()
        if not bool(batch.masked_S.any()):
            return 0.0
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            h_SH = model(batch.x_SF, batch.lengths, batch.metadata, batch.masked_S)
            y_SF = model.project(h_SH[batch.masked_S])
        # Cosine distance, averaged over the masked shots of the whole batch.
        loss = 1 - (unit(y_SF.float()) * batch.x_SF[batch.masked_S]).sum(dim=1).mean()
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), self.config.clip)
        if not bool(torch.isfinite(norm)):
            raise ModelError(
                f"the gradient is not finite at step {self.position.step + 1}",
                where=self.out,
                do="lower the learning rates",
            )
        for optimizer in self.optimizers:
            optimizer.step()
        return float(loss.detach())

    def _validate(self, log: Log) -> str:
        position, config = self.position, self.config
        scores = evaluate(
            self.model,
            self.val[:_WATCHED],
            mask_ratio=config.mask_ratio,
            seed=config.seed + 11,
            repetitions=4 if len(self.val) < _WATCHED else 2,
            full=False,
        )
        position.stale += 1
        if scores.score > position.best_score + 1e-4:
            position.best_step, position.best_score, position.stale = position.step, scores.score, 0
            self.best = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        log.write("validate", step=position.step, cosine=scores.score, best=position.best_score)
        return f", validation {scores.score:.3f}"

    def _verdict(self) -> Verdict:
        if not self.val:
            return judge(None, note=self.split.note)
        # Other masks than those that chose the step to keep.
        masked = self.config.mask_ratio * sum(map(len, self.val))
        scores = evaluate(
            self.model,
            self.val,
            mask_ratio=self.config.mask_ratio,
            seed=self.config.seed + 12,
            repetitions=min(16, max(4, round(2000 / max(masked, 1)))),
        )
        return judge(scores, note=self.split.note, seed=self.config.seed)

    def _checkpoint(self) -> None:
        place = self.out / CHECKPOINTS
        save_checkpoint(place, self.position, self.model, self.best, self.optimizers)

    def _data(self) -> dict[str, Any]:
        return {
            "train_titles": len(self.train),
            "train_shots": sum(map(len, self.train)),
            "val_titles": len(self.val),
            "val_shots": sum(map(len, self.val)),
            "val_title_ids": [t.title_id for t in self.val],
            "note": self.split.note,
        }


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"there is no device '{name}' ({reason})", do="use 'cpu'") from None
