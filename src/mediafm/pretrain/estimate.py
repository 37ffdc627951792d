"""What a run would cost, before it is begun: parameters, arithmetic, memory, time, disk.

Arithmetic is counted; speed and memory are measured by some steps of the real loop on random shots
of this catalog's shape, in a temporary folder. Nothing of it stays.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mediafm.catalog.records import TitleFeatures
from mediafm.model import MediaFM, ModelConfig
from mediafm.pretrain.config import TrainConfig
from mediafm.pretrain.data import Plan, Split
from mediafm.pretrain.flops import attended, flops_per_shot
from mediafm.pretrain.processes import Processes
from mediafm.pretrain.run import LOG
from mediafm.pretrain.store import ShotStore
from mediafm.pretrain.trainer import Trainer
from mediafm.progress import Silent

ORIGINAL_SHOTS = 80_000_000
"""Shots that the original was trained on."""

_TRIAL_STEPS, _SETTLING = 8, 2
_TRIAL_SHOTS = 131_072
"""Shots in a batch beyond which a device takes it in parts and gets no faster."""
_TIMES = 24  # bytes of start, end and both presence columns of a shot, about


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would cost.

    Args:
        parameters: Trained numbers.
        flops_per_shot: Floating-point operations of one shot, forward and backward.
        shots_per_s: Median over some steps on this machine, with this catalog's batches.
        slowest_shots_per_s: Of these steps.
        fastest_shots_per_s: Of these steps.
        memory_gb: Most memory of the trial: of the GPU, or of this process.
        checkpoint_gb: Disk for the checkpoints that are kept.
        shots: Training shots of this catalog.
        titles: Training titles.
        steps: Most steps.
        batch_shots: Shots in a batch on average: a small catalog may not fill one.
        epochs: Passes over the training shots in these steps.
        seconds: Time of these steps at the measured speed, without validations.
        cache_gb: Disk for the training cache of this catalog.
        free_gb: Disk that it may take.
        original_cache_gb: The same for 80 million shots.
        original_epoch_s: One pass over 80 million shots, at the speed measured with full batches.
        original_epoch_pflop: Its arithmetic.
    """

    parameters: int
    flops_per_shot: float
    shots_per_s: float
    slowest_shots_per_s: float
    fastest_shots_per_s: float
    memory_gb: float
    checkpoint_gb: float
    shots: int
    titles: int
    steps: int
    batch_shots: float
    epochs: float
    seconds: float
    cache_gb: float
    free_gb: float
    original_cache_gb: float
    original_epoch_s: float
    original_epoch_pflop: float


def estimate(
    lengths: Sequence[int],
    model_config: ModelConfig,
    config: TrainConfig,
    team: Processes,
    stored: tuple[int, int],
    free_gb: float,
) -> Estimate:
    """Counts and measures.

    Args:
        lengths: Shots of every training title.
        model_config: The network.
        config: Options.
        team: Where it would run; the trial runs on this process alone.
        stored: Shots of the whole catalog, and the sum of its widths: what a cache holds.
        free_gb: Disk that the training cache may take.
    """
    shots = sum(lengths)
    plan = Plan(range(len(lengths)), lengths, config.longest, config.batch_shots, config.seed)
    batch = shots / len(plan.epoch(0))
    row = 2 * model_config.fused + _TIMES
    tried = replace(config, batch_shots=min(config.batch_shots, _TRIAL_SHOTS))
    filled = replace(tried, batch_shots=min(tried.batch_shots, shots))
    speeds, memory = _trial(lengths, model_config, filled, team)
    full = speeds
    if filled != tried:  # 80 million shots would fill a batch
        full, _ = _trial(lengths, model_config, tried, team)
    if team.device.type == "cpu":  # batches that are read ahead
        memory += (config.workers + 2) * max(0.0, batch - _TRIAL_SHOTS) * row / 1e9
    flops = flops_per_shot(model_config, config.mask_ratio, attended(lengths, config.longest))
    model = MediaFM(model_config)
    parameters = sum(p.numel() for p in model.parameters())
    done = config.steps * batch
    speed, at_best = (statistics.median(s) for s in (speeds, full))
    return Estimate(
        parameters=parameters,
        flops_per_shot=flops,
        shots_per_s=speed,
        slowest_shots_per_s=min(speeds),
        fastest_shots_per_s=max(speeds),
        memory_gb=memory,
        # Weights, the best weights, and the optimizers' one or two moments.
        checkpoint_gb=config.keep * parameters * 4 * 4 / 1e9,
        shots=shots,
        titles=len(lengths),
        steps=config.steps,
        batch_shots=batch,
        epochs=done / max(shots, 1),
        seconds=done / speed,
        cache_gb=stored[0] * (2 * stored[1] + _TIMES) / 1e9,
        free_gb=free_gb,
        original_cache_gb=ORIGINAL_SHOTS * row / 1e9,
        original_epoch_s=ORIGINAL_SHOTS / at_best,
        original_epoch_pflop=ORIGINAL_SHOTS * flops / 1e15,
    )


def _trial(
    lengths: Sequence[int], model_config: ModelConfig, config: TrainConfig, team: Processes
) -> tuple[list[float], float]:
    """Shots per second of all processes, and memory, in some real steps on random shots."""
    rng, room = np.random.default_rng(0), 2 * config.batch_shots
    titles: list[TitleFeatures] = []
    while room > 0:
        n = int(rng.choice(np.asarray(lengths)))
        titles.append(_noise(f"trial{len(titles):06}", n, model_config, rng))
        room -= n
    trial = replace(
        config, steps=_TRIAL_STEPS, eval_every=_TRIAL_STEPS, tensorboard=False, val_groups=()
    )
    alone = Processes(0, 1, team.device)
    with tempfile.TemporaryDirectory() as folder:
        split = Split(list(range(len(titles))), [])
        store = ShotStore.of_titles(titles)
        Trainer(store, split, model_config, trial, Path(folder), Silent(), alone).run()
        log = [json.loads(line) for line in (Path(folder) / LOG).read_text().splitlines()]
    steps = [line for line in log if line["event"] == "step"][_SETTLING:]
    return [team.world * s["shots_per_s"] for s in steps], steps[-1]["memory_gb"]


def _noise(
    title_id: str, shots: int, model_config: ModelConfig, rng: np.random.Generator
) -> TitleFeatures:
    edges = np.arange(shots + 1, dtype=np.int64) * 4_000_000
    blocks = model_config.modalities
    return TitleFeatures(
        title_id,
        title_id,
        title_id,
        np.stack([edges[:-1], edges[1:]], axis=1),
        {
            name: rng.standard_normal((shots, block.dim), np.float32).astype(np.float16)
            for name, block in blocks.items()
        },
        {name: np.ones(shots, np.bool_) for name in blocks},
    )
