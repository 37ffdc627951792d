"""Features of several encoders fused into one vector per shot."""

import dataclasses

import numpy as np
import pytest
import torch
from model_kit import small_model
from shot_kit import DIMS, make_titles

from mediafm.errors import ModelError
from mediafm.model import Fusion, Modality, ModelConfig
from mediafm.model.fusion import unit


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


def test_treatments():
    title = make_titles(1, 40)[0]
    made = {}
    for treatment in ("raw", "unit", "centred", "standardised"):
        config = ModelConfig({"video": Modality(DIMS["video"], treatment=treatment)}, hidden=8)
        fusion = Fusion(config)
        fusion.fit([title])
        made[treatment] = fusion(title).numpy()
    x = title.features["video"].astype(np.float64)
    standard = (x - x.mean(axis=0)) / x.std(axis=0)
    for treatment, expected in {
        "raw": x,
        "unit": x,
        "centred": x - x.mean(axis=0),
        "standardised": standard,
    }.items():
        norms = np.linalg.norm(expected, axis=1, keepdims=True)
        assert np.allclose(made[treatment], expected / norms, atol=1e-4)


def test_a_component_that_never_changes_does_not_blow_up():
    title = make_titles(1, 40)[0]
    title.features["video"][:, 3] = 7
    fusion = Fusion(
        ModelConfig({"video": Modality(DIMS["video"], treatment="standardised")}, hidden=8)
    )
    fusion.fit([title])
    assert np.abs(fusion(title).numpy()[:, 3]).max() < 1e-3


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
