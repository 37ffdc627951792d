"""Fusion and network: shapes, packing, no attention across titles, long titles."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from shot_kit import DIMS, make_titles

from mediafm.errors import ModelError
from mediafm.model import Fusion, MediaFM, Modality, ModelConfig
from mediafm.model.fusion import unit


def small_model(*, rotary=True, metadata=True, **options):
    torch.manual_seed(0)
    config = ModelConfig(
        {name: Modality(dim) for name, dim in DIMS.items()},
        {"synopsis": Modality(DIMS["text"])} if metadata else {},
        **{"hidden": 32, "layers": 2, "heads": 4, "max_shots": 16, "overlap": 8, **options},
        rotary=rotary,
    )
    model = MediaFM(config).eval()
    with torch.no_grad():  # away from the special values of the start
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.fusion.fit(make_titles())
    return model


def test_presets_have_the_original_widths():
    blocks = {name: Modality(768) for name in ("video", "audio", "text")}
    config = ModelConfig.preset("netflix", blocks)
    assert (config.fused, config.hidden, config.layers, config.heads) == (2304, 768, 3, 12)
    assert config.max_shots == 512
    with pytest.raises(ModelError, match="no preset 'huge'"):
        ModelConfig.preset("huge", blocks)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden": 30},
        {"overlap": 512},
        {"dropout": 1.0},
        {"modalities": {}},
        {"modalities": {"video": Modality(0)}},
        {"modalities": {"video": Modality(4, treatment="odd")}},
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


def test_fusion_by_hand():
    config = ModelConfig(
        {"a": Modality(2, treatment="raw"), "b": Modality(2, treatment="centred")}, hidden=8
    )
    title = make_titles(1, 5, dims={"a": 2, "b": 2})[0]
    a = np.array([[3, 4], [0, 2], [1, 0]], np.float16)
    b = np.array([[2, 1], [0, 1], [0, 0]], np.float16)
    title = dataclasses.replace(
        title,
        times_N2=title.times_N2[:3],
        features={"a": a, "b": b},
        present={"a": np.array([True, True, False]), "b": np.array([True, True, False])},
    )
    fusion = Fusion(config)
    assert fusion.fit([title]) == 3
    assert fusion.shots_M.tolist() == [2, 2]
    assert fusion.mean_F.tolist() == [1.5, 3, 1, 1]
    x = fusion(title)
    # b minus (1, 1) is (1, 0) and (-1, 0); a stays raw; then unit norm of all four.
    assert torch.allclose(x[0], unit(torch.tensor([3.0, 4, 1, 0])))
    assert torch.allclose(x[1], unit(torch.tensor([0.0, 2, -1, 0])))
    assert x[2].tolist() == [0, 0, 0, 0]


def test_a_title_without_a_modality_and_with_nan_stays_finite():
    model = small_model()
    title = make_titles(1)[0]
    broken = title.features["video"].copy()
    broken[3, 0] = np.nan
    without = dataclasses.replace(
        title,
        features={"video": broken, "text": title.features["text"]},
        present={"video": title.present["video"], "text": title.present["text"]},
        metadata={},
    )
    e = model.contextual(without)
    assert e.shape == (len(title), 32)
    assert np.allclose(np.linalg.norm(e, axis=1), 1, atol=1e-5)


def test_other_widths_are_refused_in_one_line():
    title = make_titles(1, dims={**DIMS, "video": 5})[0]
    with pytest.raises(ModelError, match=r"title00: video features have shape") as error:
        small_model().contextual(title)
    assert "\n" not in str(error.value)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 16), min_size=1, max_size=6),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_packed_equals_one_by_one(lengths, rotary, seed):
    model = small_model(rotary=rotary)
    generator = torch.Generator().manual_seed(seed)
    x = unit(torch.randn(sum(lengths), model.config.fused, generator=generator))
    masked = torch.rand(sum(lengths), generator=generator) < 0.3
    metadata = [
        None if i % 2 else unit(torch.randn(DIMS["text"], generator=generator))
        for i in range(len(lengths))
    ]
    with torch.inference_mode():
        packed = model(x, lengths, metadata, masked)
        alone = [
            model(a, [len(a)], [m], b)
            for a, b, m in zip(x.split(lengths), masked.split(lengths), metadata, strict=True)
        ]
    assert torch.allclose(packed, torch.cat(alone), atol=1e-5)


def test_attention_never_crosses_titles_but_spans_each():
    model = small_model()
    x = unit(torch.randn(12, model.config.fused)).requires_grad_()
    lengths = [5, 7]
    h = model(x, lengths, [None, None])
    (gradient,) = torch.autograd.grad(h[:5].sum(dim=1)[0], x)
    seen = gradient.abs().sum(dim=1) > 0
    assert seen.tolist() == [True] * 5 + [False] * 7


def test_masked_shots_are_not_seen():
    model = small_model()
    x = unit(torch.randn(6, model.config.fused))
    masked = torch.tensor([False, True, False, False, True, False])
    other = torch.where(masked[:, None], torch.randn_like(x), x)
    with torch.inference_mode():
        assert torch.equal(model(x, [6], [None], masked), model(other, [6], [None], masked))


@pytest.mark.parametrize("rotary", [True, False])
def test_order_and_metadata_matter(rotary):
    model = small_model(rotary=rotary)
    x, m = unit(torch.randn(6, model.config.fused)), unit(torch.randn(DIMS["text"]))
    with torch.inference_mode():
        straight, turned = model(x, [6], [None]), model(x.flip(0), [6], [None]).flip(0)
        told = model(x, [6], [m])
    assert not torch.allclose(straight, turned, atol=1e-3)
    assert not torch.allclose(straight, told, atol=1e-3)


def test_a_new_model_predicts_a_masked_shot_by_its_neighbours():
    config = ModelConfig({"video": Modality(16)}, hidden=64, heads=4, layers=2)
    torch.manual_seed(0)
    model = MediaFM(config).eval()
    x = unit(torch.randn(80, 16).cumsum(dim=0))  # a walk: near shots are alike
    x = unit(x - x.mean(dim=0))
    model.adapt(x)
    masked = torch.arange(80) % 5 == 2
    with torch.inference_mode():
        y = unit(model.project(model(x, [80], [None], masked)))[masked]
    cosine = (y * x[masked]).sum(dim=1).mean()
    mean = (unit(x[~masked].mean(dim=0)) * x[masked]).sum(dim=1).mean()
    assert cosine > max(0.6, mean + 0.3)


def test_long_titles_go_through_in_windows():
    model = small_model()
    title = make_titles(1, 60)[0]
    e = model.contextual(title)
    assert e.shape == (len(title), 32)
    x, m = model.fusion(title), model.fusion.metadata(title)
    with torch.inference_mode():
        first = unit(model(x[:16], [16], [m]))
    assert np.allclose(e[:10], first[:10].numpy(), atol=1e-5)
    assert np.allclose(unit(model.hidden(x, m)).numpy(), e, atol=1e-5)


def test_a_batch_of_titles_equals_each_alone():
    model = small_model()
    titles = [*make_titles(3, 20), dataclasses.replace(make_titles(1)[0], **empty())]
    for title, e in zip(titles, model.contextual_batch(titles), strict=True):
        assert e.shape == (len(title), 32)
        assert np.allclose(e, model.contextual(title), atol=1e-5)
    assert model.contextual_batch([]) == []


def empty():
    return {
        "times_N2": np.zeros((0, 2), np.int64),
        "features": {m: np.zeros((0, d), np.float16) for m, d in DIMS.items()},
        "present": {m: np.zeros(0, np.bool_) for m in DIMS},
    }


def test_metadata_can_be_withheld():
    model = small_model()
    title = make_titles(1, 10)[0]
    told, untold = model.contextual(title), model.contextual(title, use_metadata=False)
    assert not np.allclose(told, untold, atol=1e-4)
    bare = dataclasses.replace(title, metadata={})
    assert np.allclose(untold, model.contextual(bare), atol=1e-6)


def test_embedding_leaves_the_mode_of_the_model():
    model = small_model(dropout=0.5).train()
    title = make_titles(1, 10)[0]
    assert np.array_equal(model.contextual(title), model.contextual(title))
    assert model.training
