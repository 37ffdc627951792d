"""Parameter groups and the schedule."""

import itertools

import pytest
import torch
from shot_kit import DIMS

from mediafm.model import MediaFM, Modality, ModelConfig
from mediafm.pretrain import TrainConfig
from mediafm.pretrain.optim import optimizers, parameter_groups, rate, set_rate


@pytest.fixture
def model():
    blocks = {m: Modality(d) for m, d in DIMS.items()}
    return MediaFM(ModelConfig(blocks, {"synopsis": Modality(16)}, hidden=32, heads=2))


def test_every_parameter_is_in_exactly_one_group(model):
    groups = parameter_groups(model)
    names = {id(p): n for n, p in model.named_parameters()}
    found = {g: {names[id(p)] for p in ps} for g, ps in groups.items()}
    assert len(found["muon"]) == 2 * 6
    assert all(n.startswith("blocks.") and n.endswith("weight") for n in found["muon"])
    assert found["decay"] == {"input.weight", "output.weight", "metadata.weight"}
    assert {"cls_H", "mask_H", "no_metadata_H", "positions", "norm.weight"} <= found["plain"]
    assert sum(map(len, found.values())) == len(names)


def test_optimizers_hold_every_parameter_once(model):
    muon, adam = optimizers(model, TrainConfig())
    assert isinstance(muon, torch.optim.Muon)
    assert isinstance(adam, torch.optim.AdamW)
    held = [id(p) for o in (muon, adam) for g in o.param_groups for p in g["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())
    assert [g["weight_decay"] for g in adam.param_groups][1] == 0


def test_the_rate_rises_then_falls(model):
    config = TrainConfig(steps=100, warmup=0.1)
    rates = [rate(s, config) for s in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == rates[10] == 1
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))
    assert rates[-1] == pytest.approx(0.05, abs=0.01)
    pair = optimizers(model, config)
    set_rate(pair, 0.5)
    assert pair[0].param_groups[0]["lr"] == 0.5 * config.muon_lr
    assert {g["lr"] for g in pair[1].param_groups} == {0.5 * config.adam_lr}
