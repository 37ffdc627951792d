"""Fusion and network: shapes, packing, no attention across titles, long titles."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from model_kit import small_model
from shot_kit import DIMS

from mediafm.errors import ModelError
from mediafm.model import MediaFM, Modality, ModelConfig, Packing
from mediafm.model.attention import HEAD, attend
from mediafm.model.fusion import unit
from mediafm.model.start import adapt


def test_sizes():
    blocks = {name: Modality(768) for name in ("video", "audio", "text")}
    config = ModelConfig.of_size("netflix", blocks)
    assert (config.fused, config.hidden, config.layers, config.heads) == (2304, 768, 3, 12)
    assert (config.max_shots, config.positions) == (512, "learned")
    assert ModelConfig.of_size("2", blocks) == ModelConfig.of_size("small", blocks)
    assert ModelConfig.of_size(8, blocks) == ModelConfig.of_size("large", blocks)
    assert ModelConfig.of_size("5", blocks).hidden == 640
    wide = ModelConfig.of_size("4x256", blocks)
    assert (wide.layers, wide.hidden, wide.heads) == (4, 256, 4)
    for size in ("huge", "0", "-1", "2.5", "65", "4x", "x4", ""):
        with pytest.raises(ModelError, match=f"no size '{size}'.*small, netflix, large"):
            ModelConfig.of_size(size, blocks)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden": 30},
        {"overlap": 512},
        {"dropout": 1.0},
        {"modalities": {}},
        {"modalities": {"video": Modality(0)}},
        {"modalities": {"video": Modality(4, treatment="odd")}},
        {"positions": "somewhere"},
        {"absent": "ghosts"},
        {"fusion": "cold"},
    ],
)
def test_impossible_configurations_are_refused(change):
    with pytest.raises(ModelError):
        ModelConfig(**{"modalities": {"video": Modality(4)}, **change})


def test_configuration_survives_json():
    config = ModelConfig({"video": Modality(4, "abc", "raw")}, {"synopsis": Modality(3)})
    assert ModelConfig.from_dict(config.to_dict()) == config
    with pytest.raises(ModelError, match="unknown setting 'colour'"):
        ModelConfig.from_dict({**config.to_dict(), "colour": 1})


def draw(lengths, model, seed):
    """Random windows with masks, metadata here and there, and times."""
    generator = torch.Generator().manual_seed(seed)
    total = sum(lengths)
    x = unit(torch.randn(total, model.config.fused, generator=generator))
    for start, end in model.config.spans.values():
        x[torch.rand(total, generator=generator) < 0.2, start:end] = 0
    masked = torch.rand(total, generator=generator) < 0.3
    m = unit(torch.randn(len(lengths), model.config.global_dim, generator=generator))
    m[torch.rand(len(lengths), generator=generator) < 0.5] = 0
    seconds = 9 * torch.rand(total, generator=generator, dtype=torch.float64).cumsum(0)
    return unit(x), m, masked, seconds


VARIANTS = [
    {},
    {"positions": "learned"},
    {"positions": "rotary"},
    {"positions": "seconds"},
    {"absent": "learned"},
    {"fusion": "late", "absent": "learned"},
]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 16), min_size=1, max_size=9),
    st.sampled_from(VARIANTS),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_packed_equals_one_by_one(lengths, variant, ordered, seed):
    model = small_model(**variant)
    lengths = sorted(lengths) if ordered else lengths
    x, m, masked, seconds = draw(lengths, model, seed)
    with torch.inference_mode():
        packed = model(x, Packing.of(lengths), m, masked, seconds)
        cut = [a.split(lengths) for a in (x, masked, seconds)]
        alone = [
            model(x_, Packing.of([len(x_)]), m_[None], masked_, seconds_)
            for x_, masked_, seconds_, m_ in zip(*cut, m, strict=True)
        ]
    assert torch.allclose(packed, torch.cat(alone), atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=12), st.integers(0, 2**31))
def test_packed_attention_equals_padded_attention(shots, seed):
    """The plain way: everything padded to the longest, keys masked; forward and backward."""
    generator = torch.Generator().manual_seed(seed)
    pack = Packing.of(shots)
    three = [torch.randn(len(pack.place_T), 2, 8, generator=generator) for _ in range(3)]
    results = []
    for way in (attend, padded):
        q, k, v = (x.clone().requires_grad_() for x in three)
        out = way(q, k, v, pack)
        loss = (out * torch.arange(out.numel()).view_as(out).cos()).sum()
        results.append([out.detach(), *torch.autograd.grad(loss, (q, k, v))])
    for ours, reference in zip(*results, strict=True):
        assert torch.allclose(ours, reference, atol=1e-5)


def padded(q, k, v, pack):
    longest, out = max(pack.lengths), []
    rooms = [
        torch.stack([F.pad(x, (0, 0, 0, 0, 0, longest - len(x))) for x in y.split(pack.lengths)])
        for y in (q, k, v)
    ]
    scores = torch.einsum("wqak,wtak->waqt", rooms[0], rooms[1]) / q.shape[-1] ** 0.5
    keys = torch.arange(longest) < torch.tensor(pack.lengths)[:, None]
    weights = scores.masked_fill(~keys[:, None, None], -torch.inf).softmax(-1)
    whole = torch.einsum("waqt,wtak->wqak", weights, rooms[2])
    for rows, n in zip(whole, pack.lengths, strict=True):
        out.append(rows[:n])
    return torch.cat(out)


@given(st.lists(st.integers(1, 600), min_size=1, max_size=40))
def test_packing_covers_every_token_once(shots):
    pack = Packing.of(shots)
    assert sum(pack.groups) == len(shots)
    assert len(pack.place_T) == sum(shots) + HEAD * len(shots) == pack.cu_seqlens[-1]
    heads = torch.cat([pack.head_W, pack.head_W + 1])
    assert sorted([*pack.shot_S.tolist(), *heads.tolist()]) == list(range(len(pack.place_T)))
    assert pack.place_T[pack.head_W].tolist() == [0] * len(shots)


def test_windows_of_one_length_share_a_call():
    assert Packing.of([200] * 4).groups == (4,)
    assert Packing.of([512, 512, 300, 20, 19, 18, 18]).groups == (1, 1, 1, 4)


def test_attention_never_crosses_titles_but_spans_each():
    model = small_model()
    x = unit(torch.randn(12, model.config.fused)).requires_grad_()
    h = model(x, Packing.of([5, 7]), torch.zeros(2, DIMS["text"]))
    (gradient,) = torch.autograd.grad(h[:5].sum(dim=1)[0], x)
    seen = gradient.abs().sum(dim=1) > 0
    assert seen.tolist() == [True] * 5 + [False] * 7


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_masked_shots_are_not_seen(variant):
    model = small_model(**variant)
    x, m, _, seconds = draw([6], model, 1)
    masked = torch.tensor([False, True, False, False, True, False])
    other = torch.where(masked[:, None], torch.randn_like(x), x)
    with torch.inference_mode():
        seen = [model(y, Packing.of([6]), m, masked, seconds) for y in (x, other)]
    assert torch.equal(*seen)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_order_and_metadata_matter(variant):
    model = small_model(**variant)
    x, m = unit(torch.randn(6, model.config.fused)), unit(torch.randn(1, DIMS["text"]))
    pack, none, seconds = Packing.of([6]), torch.zeros(1, DIMS["text"]), 4.0 * torch.arange(6)
    with torch.inference_mode():
        straight = model(x, pack, none, None, seconds)
        turned = model(x.flip(0), pack, none, None, seconds).flip(0)
        told = model(x, pack, m, None, seconds)
    assert not torch.allclose(straight, turned, atol=1e-3)
    assert not torch.allclose(straight, told, atol=1e-3)


def test_time_counts_where_positions_are_in_seconds():
    model = small_model(positions="seconds")
    x, m, _, seconds = draw([6], model, 2)
    stretched = seconds.clone()
    stretched[3:] += 60
    with torch.inference_mode():
        first = model(x, Packing.of([6]), m, None, seconds)
        later = model(x, Packing.of([6]), m, None, stretched)
        moved = model(x, Packing.of([6]), m, None, seconds + 3600)
    assert not torch.allclose(first, later, atol=1e-3)
    assert torch.allclose(first, moved, atol=1e-4)  # a title may begin anywhere


def test_a_learned_absent_vector_differs_from_zeros():
    model = small_model(absent="learned")
    assert model.absent_MH.shape == (3, 32)
    x = unit(torch.randn(6, model.config.fused))
    x[2, slice(*model.config.spans["audio"])] = 0
    with torch.inference_mode():
        before = model(x, Packing.of([6]), torch.zeros(1, DIMS["text"]))
        model.absent_MH[1] += torch.randn(32)
        after = model(x, Packing.of([6]), torch.zeros(1, DIMS["text"]))
        model.absent_MH[0] += torch.randn(32)
        other = model(x, Packing.of([6]), torch.zeros(1, DIMS["text"]))
    assert not torch.allclose(before, after, atol=1e-3)
    assert torch.equal(after, other)  # no shot lacks video


def test_late_fusion_has_an_encoder_per_modality():
    model = small_model(fusion="late", metadata=False)
    x, m, _, _ = draw([6], model, 3)
    x.requires_grad_()
    assert list(model.towers) == list(DIMS)
    hidden = model(x, Packing.of([6]), m)
    assert hidden.shape == (6, 32)
    (gradient,) = torch.autograd.grad(hidden[0, 0], x)
    assert all(gradient[:, a:b].any() for a, b in model.config.spans.values())


def test_a_new_model_predicts_a_masked_shot_by_its_neighbours():
    config = ModelConfig({"video": Modality(16)}, hidden=64, heads=4, layers=2)
    torch.manual_seed(0)
    model = MediaFM(config).eval()
    x = unit(torch.randn(80, 16).cumsum(dim=0))  # a walk: near shots are alike
    x = unit(x - x.mean(dim=0))
    adapt(model, x)
    masked = torch.arange(80) % 5 == 2
    with torch.inference_mode():
        h = model(x, Packing.of([80]), torch.zeros(1, 0), masked)
        y = unit(model.project(h))[masked]
    cosine = (y * x[masked]).sum(dim=1).mean()
    mean = (unit(x[~masked].mean(dim=0)) * x[masked]).sum(dim=1).mean()
    assert cosine > max(0.6, mean + 0.3)
