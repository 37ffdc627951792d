"""What a run would cost: counted arithmetic against torch's own counter, and nothing written."""

import dataclasses

import numpy as np
import pytest
import torch
from run_kit import TINY
from shot_kit import DIMS, make_titles
from store_kit import Source
from torch.utils.flop_counter import FlopCounterMode

from mediafm.errors import CatalogError, ModelError
from mediafm.model import MediaFM, Modality, ModelConfig
from mediafm.pretrain import ShotStore, TrainConfig, estimate_run
from mediafm.pretrain.data import Piece
from mediafm.pretrain.estimate import ORIGINAL_SHOTS
from mediafm.pretrain.flops import attended, flops_per_shot
from mediafm.pretrain.loader import Reader
from mediafm.pretrain.objective import objective


@pytest.mark.parametrize("fusion", ["early", "late"])
def test_arithmetic_is_what_torch_counts(fusion):
    blocks = {name: Modality(dim) for name, dim in DIMS.items()}
    config = ModelConfig(blocks, hidden=64, layers=3, heads=2, dropout=0.0, fusion=fusion)
    model = MediaFM(config)
    store = ShotStore.of_titles(make_titles(1, 126))
    shots = len(store) // 128 * 128 or len(store)
    options = dataclasses.replace(TrainConfig(), metadata=())
    reader = Reader(store, model, options, torch.device("cpu"))
    batch = reader.batch([Piece(0, 0, shots)], 0)
    with FlopCounterMode(display=False) as counter:
        objective(model, batch).total.backward()
    span, rows = batch.pack.lengths[0], len(batch.pack.place_T)
    expected = flops_per_shot(config, batch.masked / shots, span) * shots
    # Rows are rounded up to a multiple, and windows to another: padding is not counted as work.
    assert 1 <= counter.get_total_flops() / expected < 1.05 * (rows / shots) ** 2


def test_attention_is_averaged_over_shots():
    assert attended([10], 512) == 10
    assert attended([10, 30], 512) == (10 * 10 + 30 * 30) / 40
    assert attended([30], 20) == (20 * 20 + 10 * 10) / 30


def test_the_original_needs_what_the_paper_arithmetic_says():
    blocks = {name: Modality(768) for name in ("video", "audio", "text")}
    config = ModelConfig.of_size("netflix", blocks)
    assert flops_per_shot(config, 0.2, 512) == pytest.approx(160e6, rel=0.1)


def test_an_estimate_writes_nothing_and_fits_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDIAFM_TRAINING_CACHE", str(tmp_path / "cache"))
    source = Source(make_titles(10))
    cost = estimate_run(source, dataclasses.replace(TINY, steps=50, val_fraction=0.0))
    assert not (tmp_path / "cache").exists()
    assert not source.given
    assert (cost.titles, cost.steps) == (10, 50)
    assert cost.shots == sum(t.shots for t in source.titles())
    assert cost.batch_shots <= TINY.batch_shots
    assert cost.epochs == pytest.approx(50 * cost.batch_shots / cost.shots)
    assert cost.seconds == pytest.approx(50 * cost.batch_shots / cost.shots_per_s)
    assert cost.original_epoch_s == pytest.approx(ORIGINAL_SHOTS / cost.shots_per_s)
    assert cost.slowest_shots_per_s <= cost.shots_per_s <= cost.fastest_shots_per_s
    assert 0 < cost.free_gb < np.inf
    widths = sum(DIMS.values())
    assert cost.cache_gb == pytest.approx(cost.shots * 2 * widths / 1e9, rel=0.5)
    assert cost.memory_gb > 0
    assert np.isfinite(cost.shots_per_s)


def test_a_catalog_that_fills_no_batch_passes_once_a_step():
    wide = dataclasses.replace(TINY, steps=30, val_fraction=0.0, batch_shots=4096)
    cost = estimate_run(Source(make_titles(4)), wide)
    assert cost.shots < 4096
    assert cost.batch_shots == cost.shots
    assert cost.epochs == 30


def test_nothing_to_train_on_is_one_line():
    with pytest.raises(CatalogError, match="no titles to train on"):
        estimate_run(Source([]), TINY)
    with pytest.raises(ModelError, match="no size 'huge'"):
        estimate_run(Source(make_titles(3)), dataclasses.replace(TINY, size="huge"))
