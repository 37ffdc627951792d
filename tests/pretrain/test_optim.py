"""Parameter groups, the optimizers, the schedule."""

import dataclasses
import itertools

import pytest
import torch
from shot_kit import DIMS

from mediafm.errors import ModelError
from mediafm.model import MediaFM, Modality, ModelConfig
from mediafm.pretrain import TrainConfig
from mediafm.pretrain.config import WIDTH
from mediafm.pretrain.optim import optimizers, parameter_groups, rate, set_rate


def model_of(metadata=True, **options):
    blocks = {m: Modality(d) for m, d in DIMS.items()}
    fields = {"synopsis": Modality(16)} if metadata else {}
    return MediaFM(ModelConfig(blocks, fields, **{"hidden": 32, "heads": 2, **options}))


VARIANTS = [
    dict(zip(("fusion", "positions", "absent", "metadata"), values, strict=True))
    for values in itertools.product(
        ("early", "late"),
        ("learned", "rotary", "both", "seconds"),
        ("zeros", "learned"),
        (True, False),
    )
]


@pytest.mark.parametrize("options", VARIANTS, ids=lambda o: "-".join(map(str, o.values())))
def test_every_parameter_is_in_exactly_one_group(options):
    model = model_of(**options)
    names = {id(p): n for n, p in model.named_parameters()}
    found = {g: [names[id(p)] for p in ps] for g, ps in parameter_groups(model).items()}
    assert sorted(n for group in found.values() for n in group) == sorted(names.values())
    towers = ["fused"] if options["fusion"] == "early" else list(DIMS)
    layers = ("q", "k", "v", "o", "up", "down")
    assert set(found["hidden"]) == {
        f"towers.{t}.blocks.{i}.{layer}.weight" for t in towers for i in (0, 1) for layer in layers
    }
    projections = {"output.weight", *(f"towers.{t}.input.weight" for t in towers)}
    projections |= {"metadata.weight"} if options["metadata"] else set()
    assert set(found["decay"]) == projections
    tokens = {"cls_H", "mask_H", "no_metadata_H"}
    tokens |= {"positions"} if options["positions"] in ("learned", "both") else set()
    tokens |= {"absent_MH"} if options["absent"] == "learned" else set()
    assert tokens <= set(found["plain"])
    assert all(n in tokens or "norm" in n or n.endswith("bias") for n in found["plain"])


def held(made):
    return [id(p) for o in made for g in o.param_groups for p in g["params"]]


def test_muon_takes_the_hidden_matrices_and_adamw_the_rest():
    model = model_of()
    muon, adam = optimizers(model, TrainConfig(weight_decay=0.3))
    assert isinstance(muon, torch.optim.Muon)
    assert isinstance(adam, torch.optim.AdamW)
    assert sorted(held([muon, adam])) == sorted(id(p) for p in model.parameters())
    assert held([muon]) == [id(p) for p in parameter_groups(model)["hidden"]]
    assert [g["weight_decay"] for g in muon.param_groups] == [0.3]
    assert [g["weight_decay"] for g in adam.param_groups] == [0.3, 0]


def test_adamw_alone_takes_everything_and_decays_the_same():
    model = model_of()
    (adam,) = optimizers(model, TrainConfig(optimizer="adamw", weight_decay=0.3))
    assert isinstance(adam, torch.optim.AdamW)
    assert sorted(held([adam])) == sorted(id(p) for p in model.parameters())
    decayed, plain = adam.param_groups
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.3, 0)
    groups = parameter_groups(model)
    assert {id(p) for p in plain["params"]} == {id(p) for p in groups["plain"]}


def test_there_is_no_other_optimizer():
    with pytest.raises(ModelError, match=r"no optimizer 'lion'.*muon or adamw"):
        TrainConfig(optimizer="lion")


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_rates_fall_with_the_root_of_the_width(optimizer):
    config = TrainConfig(optimizer=optimizer, muon_lr=0.02, adam_lr=0.004)
    assert config.rates(WIDTH) == (0.02, 0.004)
    assert config.rates(4 * WIDTH) == pytest.approx((0.01, 0.002))
    made = optimizers(model_of(hidden=WIDTH // 4), config)
    peaks = [g["peak"] for o in made for g in o.param_groups]
    muon = [0.04] if optimizer == "muon" else []
    assert peaks == pytest.approx([*muon, 0.008, 0.008])
    assert [g["lr"] for o in made for g in o.param_groups] == peaks


def test_the_rate_rises_then_falls():
    config = TrainConfig(steps=100, warmup=0.1)
    rates = [rate(s, config) for s in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == rates[10] == 1
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))
    assert rates[-1] == pytest.approx(0.05, abs=0.01)
    assert rate(0, dataclasses.replace(config, steps=1)) == 1
    made = optimizers(model_of(), config)
    for share in (0.5, 0.1):
        set_rate(made, share)
        for group in (g for o in made for g in o.param_groups):
            assert group["lr"] == share * group["peak"]


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_a_step_moves_every_parameter(optimizer):
    torch.manual_seed(0)
    model = model_of(fusion="late", absent="learned")
    made = optimizers(model, TrainConfig(optimizer=optimizer))
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.randn_like(p)
    for one in made:
        one.step()
    for name, parameter in model.named_parameters():
        assert not torch.equal(parameter, before[name]), name
        assert torch.isfinite(parameter).all()
