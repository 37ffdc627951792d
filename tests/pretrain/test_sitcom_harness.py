"""The figures by which variants of pretraining are compared, where the answer is known."""

import numpy as np
import pytest

import sitcom
from mediafm.catalog.records import TitleFeatures
from mediafm.model import Fusion, Modality, ModelConfig
from mediafm.pretrain.evaluate import MODEL


def make_titles(rng, series, episodes=16, shots=40):
    titles = []
    for i in range(episodes):
        x_ND = series(rng, shots).astype(np.float16)
        titles.append(
            TitleFeatures(
                f"s01e{i:02}a",
                "file",
                f"s01e{i:02}",
                np.stack([np.arange(shots), np.arange(1, shots + 1)], axis=1),
                {"video": x_ND},
                {"video": np.ones(shots, np.bool_)},
            )
        )
    return titles


def turning(rng, shots):
    """Each component pair turns at a speed of its own: neighbours determine a shot exactly."""
    phase = rng.uniform(0, 2 * np.pi, 4) + np.outer(np.arange(shots), [0.3, 0.7, 1.1, 1.5])
    return np.concatenate([np.cos(phase), np.sin(phase)], axis=1)


def noise(rng, shots):
    return rng.standard_normal((shots, 8))


def fitted(titles):
    fusion = Fusion(ModelConfig({"video": Modality(8, treatment="unit")}))
    fusion.fit(titles)
    return fusion


def scores_of(series, monkeypatch):
    monkeypatch.setattr(sitcom, "PENALTIES", (0.01, 100.0))
    titles = make_titles(np.random.default_rng(0), series)
    train, val = sitcom.divide(titles, sitcom.validation_episodes(titles))
    return sitcom.ridge(train, val, fitted(train), 0.2, 5)


def test_the_ridge_finds_what_neighbours_determine(monkeypatch):
    scores = scores_of(turning, monkeypatch)
    assert scores.cosine[MODEL].mean() > 0.9
    assert scores.cosine[MODEL].mean() > scores.cosine["interpolation"].mean() + 0.1


def test_the_ridge_finds_nothing_in_noise(monkeypatch):
    scores = scores_of(noise, monkeypatch)
    assert abs(scores.cosine[MODEL].mean()) < 0.2
    assert abs(np.median(scores.share[MODEL]) - 0.5) < 0.15


def test_the_ridge_does_not_see_masked_shots():
    titles = make_titles(np.random.default_rng(0), noise, episodes=1)
    x_NF = fitted(titles)(titles[0])
    masked_N = x_NF[:, 0] > 0
    before = sitcom.describe(x_NF, ~masked_N, masked_N, 4)
    after = sitcom.describe(x_NF.masked_fill(masked_N[:, None], 9), ~masked_N, masked_N, 4)
    assert before.equal(after)
    assert before[:, : 1 + 3 * 8].equal(sitcom.describe(x_NF, ~masked_N, masked_N, 1))


def test_validation_episodes_are_spread_and_do_not_depend_on_the_order():
    titles = make_titles(np.random.default_rng(0), noise, shots=2)
    assert sitcom.validation_episodes(titles) == ["s01e03", "s01e10"]
    assert sitcom.validation_episodes(titles[::-1]) == ["s01e03", "s01e10"]


def test_probes_find_what_is_linear_and_nothing_else():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    titles = make_titles(rng, noise)
    chance = {t.title_id: rng.random(len(t)) < 0.3 for t in titles}
    labels = {
        t.title_id: {
            "location": np.where(t.features["video"][:, 0] > 0, "room", "street"),
            "boundary": chance[t.title_id],
        }
        for t in titles
    }
    for of in labels.values():
        of["location"][:2] = ["", "roof"]  # one shot that nobody rated, one rare place
    held = sitcom.validation_episodes(titles)
    found = sitcom.probes(lambda t: t.features["video"], titles, labels, held)
    # Two of three places are separable, the third is not.
    assert 0.6 < found["location_ap"] < 0.8
    assert found["boundary_ap"] < 0.5
