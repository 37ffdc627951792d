"""Masked Shot Modeling: predict masked shots from the rest of the title.

What a run is made of; :mod:`mediafm.pretrain.trainer` has the loop.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mediafm.catalog.records import EncoderRecord, TitleFeatures
from mediafm.errors import CatalogError, ModelError
from mediafm.model import MediaFM, Modality, ModelConfig
from mediafm.model.device import find_device
from mediafm.model.hub import TRAINING, WEIGHTS
from mediafm.pretrain.build import FeatureSource, known_encoders
from mediafm.pretrain.cache import cached_store, room
from mediafm.pretrain.config import TrainConfig
from mediafm.pretrain.data import MIN_WINDOW, Split, split_titles
from mediafm.pretrain.estimate import Estimate, estimate
from mediafm.pretrain.processes import Processes, processes
from mediafm.pretrain.run import LOG, claim_folder, only_one
from mediafm.pretrain.store import ShotStore
from mediafm.pretrain.trainer import Trainer
from mediafm.pretrain.verdict import Verdict
from mediafm.progress import Progress, Silent

MIN_SHOTS = 20
"""Training shots below which every number would be an accident."""
_ORDER = ("video", "audio", "text")


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
    source: FeatureSource | ShotStore | Iterable[TitleFeatures] | str | Path,
    out: str | Path,
    config: TrainConfig | None = None,
    progress: Progress | None = None,
    *,
    cache: Path | None = None,
) -> PretrainResult:
    """Trains a model; the same call on an interrupted run continues it.

    On one CPU process the result is bit for bit that of an uninterrupted run.

    Ctrl-C and SIGTERM write a checkpoint first. Under ``torchrun`` every process makes this call,
    and each takes its share of every batch.

    Args:
        source: A catalog or its folder or URI, its training cache, or features of titles.
        out: Folder for the model, the log and the checkpoints.
        config: Options.
        progress: Where to report.
        cache: Where the training cache of a catalog lies; in the user's cache folder by default.

    Returns:
        The model and its verdict.

    Raises:
        CatalogError: There are no features, or too few.
        ModelError: The folder holds something else, or training went out of bounds.
        KeyboardInterrupt: After Ctrl-C.
        SystemExit: After SIGTERM.
    """
    config, out = config or TrainConfig(), Path(out)
    with processes(config.device) as team:
        progress = progress if progress is not None and team.first else Silent()
        if isinstance(source, str | Path):
            from mediafm.catalog import Catalog  # Lance, which a training cache needs not

            source = Catalog.open(source)
        if isinstance(source, ShotStore):
            store = source
        elif isinstance(source, Iterable):
            store = ShotStore.of_titles(source)
        else:
            store = cached_store(source, cache, progress)
        try:
            return _pretrain(store, out, config, progress, team)
        finally:
            if store is not source:
                store.close()


def _pretrain(
    store: ShotStore, out: Path, config: TrainConfig, progress: Progress, team: Processes
) -> PretrainResult:
    for name, count in store.useless.items():
        progress.say(
            f"{count} {name} vectors hold values that are no numbers, or zeros only: "
            "taken as absent (mediafm reencode makes them anew where they come from a film)"
        )
    model_config = configure(store, config, progress)
    split = split_store(store, config)
    shots = sum(store.titles[i].shots for i in split.train)
    if shots < MIN_SHOTS:
        raise CatalogError(
            f"{len(split.train)} training titles hold {shots} shots, at least {MIN_SHOTS} needed",
            do="ingest more titles",
        )
    if team.first:
        claim_folder(
            out,
            {
                "settings": config.decisive(),
                "model": model_config.to_dict(),
                "data": {"titles": len(store.titles), "fingerprint": store.fingerprint},
            },
        )
    team.wait()
    if (out / TRAINING).exists() and (out / WEIGHTS).exists():
        model = MediaFM.from_pretrained(out)
        try:
            verdict = Verdict.from_dict(model.summary["verdict"])
            steps = int(model.summary["steps"])
        except (KeyError, TypeError, ValueError):
            raise ModelError(
                "is damaged", where=out / TRAINING, do="remove the folder, or name another"
            ) from None
        progress.say(f"{out}: this run is finished. {verdict.text}")
        return PretrainResult(model, verdict, out, out / LOG, steps, fresh=False)
    with only_one(out) if team.first else nullcontext():
        trainer = Trainer(store, split, model_config, config, out, progress, team)
        verdict = trainer.run()
    return PretrainResult(trainer.model, verdict, out, out / LOG, trainer.position.step)


def split_store(store: ShotStore, config: TrainConfig) -> Split:
    """Which titles of a store train and which validate, by their numbers in the store."""
    long_enough = [i for i, title in enumerate(store.titles) if title.shots >= MIN_WINDOW]
    titles = [store.titles[i] for i in long_enough]
    split = split_titles(
        titles, config.val_fraction, config.split_seed, config.split, config.val_groups
    )
    return Split(
        [long_enough[i] for i in split.train], [long_enough[i] for i in split.val], split.note
    )


class Holding(Protocol):
    """What features there are; a :class:`ShotStore` says it."""

    @property
    def widths(self) -> dict[str, int]:
        """Modality to width."""

    @property
    def counts(self) -> dict[str, int]:
        """Modality to the number of shots that have it."""

    @property
    def fields(self) -> dict[str, int]:
        """Metadata field to width."""

    @property
    def encoders(self) -> dict[str, EncoderRecord]:
        """Modality, or ``metadata``, to what made the vectors, where known."""


@dataclass(frozen=True, slots=True)
class _Held:
    widths: dict[str, int]
    counts: dict[str, int]
    fields: dict[str, int]
    encoders: dict[str, EncoderRecord]


def estimate_run(
    source: FeatureSource, config: TrainConfig | None = None, *, cache: Path | None = None
) -> Estimate:
    """What :func:`pretrain` would cost on a catalog; nothing is built or written.

    Args:
        source: The catalog.
        config: Options.
        cache: Where the training cache would lie.

    Raises:
        CatalogError: There are no features.
        ModelError: An option does not fit.
    """
    config, encoders = config or TrainConfig(), known_encoders(source)
    widths = {name: e.dim for name, e in encoders.items() if name != "metadata"}
    made = encoders.get("metadata")
    fields = dict.fromkeys(config.metadata, made.dim) if made else {}
    titles = [title for title in source.titles() if title.shots >= MIN_WINDOW]
    held = _Held(widths, dict.fromkeys(widths, 1), fields, encoders)
    model_config = configure(held, config)
    split = split_titles(
        titles, config.val_fraction, config.split_seed, config.split, config.val_groups
    )
    if not split.train:
        raise CatalogError("there are no titles to train on", do="run mediafm ingest first")
    # Without a group of processes: the first one asks, the others are not needed.
    team = Processes(0, int(os.environ.get("WORLD_SIZE", "1")), find_device(config.device))
    stored = sum(title.shots for title in source.titles()), sum(widths.values())
    lengths = [titles[i].shots for i in split.train]
    return estimate(lengths, model_config, config, team, stored, room(source, cache) / 1e9)


def configure(held: Holding, config: TrainConfig, progress: Progress | None = None) -> ModelConfig:
    """Chooses blocks and widths from what is there.

    Args:
        held: The features.
        config: Options.
        progress: Where to say what is left out.

    Raises:
        CatalogError: There are no features, or not of the modality asked for.
    """
    found = sorted(
        (name for name in held.widths if held.counts[name]),
        key=lambda m: (_ORDER.index(m) if m in _ORDER else len(_ORDER), m),
    )
    if not found and held.widths:
        names = ", ".join(held.widths)
        raise CatalogError(f"no shot has usable features ({names})", do="encode the titles again")
    if not found:
        raise CatalogError("there are no features to train on", do="run mediafm ingest first")
    chosen = config.modalities or tuple(found)
    if missing := [name for name in chosen if name not in found]:
        none = "no shot has" if missing[0] in held.widths else "there are no"
        raise CatalogError(f"{none} {missing[0]} features", do=f"choose among {', '.join(found)}")
    empty = [name for name in held.widths if name not in found]
    if empty and not config.modalities and progress is not None:
        progress.say(f"no shot has {', '.join(empty)} features: the model goes without")
    made = held.encoders

    def blocks(widths: Mapping[str, int], encoder: str = "") -> dict[str, Modality]:
        known = {name: made.get(encoder or name) for name in widths}
        return {
            name: Modality(dim, record.fingerprint if record else "", config.treatment)
            for (name, dim), record in zip(widths.items(), known.values(), strict=True)
        }

    options = {"positions": config.positions} if config.positions else {}
    made_config = ModelConfig.of_size(
        config.size,
        blocks({name: held.widths[name] for name in chosen}),
        blocks({f: held.fields[f] for f in config.metadata if f in held.fields}, "metadata"),
        max_shots=config.max_shots,
        overlap=config.max_shots // 2,
        absent=config.absent,
        fusion=config.fusion,
        dropout=config.dropout,
        **options,
    )
    absolute = made_config.positions in ("learned", "both")
    if absolute and config.longest < config.max_shots:
        raise ModelError(
            f"places beyond a window of {config.longest} shots would never be learned",
            do=f"set max_shots to {config.longest} too, or use relative positions",
        )
    return made_config
