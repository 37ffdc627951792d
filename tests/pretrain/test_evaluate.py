"""Baselines by hand, ranks, and the verdict."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from shot_kit import DIMS, make_titles

from mediafm.model import MediaFM, Modality, ModelConfig
from mediafm.model.fusion import unit
from mediafm.pretrain.evaluate import MODEL, Scores, _rank, baselines, effective_rank, evaluate
from mediafm.pretrain.verdict import Verdict, judge


def test_baselines_by_hand():
    x = unit(torch.tensor([[1.0, 0], [0, 1], [1, 1], [0, 0], [-1, 0], [0, -1]]))
    masked = torch.tensor([True, False, True, False, False, True])
    visible = torch.tensor([False, True, False, False, True, False])
    made = baselines(x, visible, masked)
    # Visible are shots 1 = (0, 1) and 4 = (-1, 0); shot 3 has no modality at all.
    assert torch.allclose(made["nearest"], torch.tensor([[0.0, 1], [0, 1], [-1, 0]]))
    mean = unit(torch.tensor([-1.0, 1]))
    assert torch.allclose(made["title mean"], mean.expand(3, 2))
    between = unit(2 / 3 * x[1] + 1 / 3 * x[4])
    assert torch.allclose(made["interpolation"], torch.stack([x[1], between, x[4]]))
    assert torch.allclose(made["neighbourhood"], mean.expand(3, 2))


def test_nearest_prefers_the_earlier_of_two_and_eight_make_a_neighbourhood():
    x = unit(torch.randn(30, 4))
    masked = torch.zeros(30, dtype=torch.bool)
    masked[15] = True
    made = baselines(x, ~masked, masked)
    assert torch.equal(made["nearest"][0], x[14])
    around = [11, 12, 13, 14, 16, 17, 18, 19]
    assert torch.allclose(made["neighbourhood"][0], unit(x[around].mean(0)), atol=1e-6)


def test_ranks_count_better_shots_and_share_ties():
    x = torch.eye(4)
    y = torch.tensor([[0.5, 0.4, 0.3, 0.2], [0.5, 0.5, 0.1, 0.0]])
    true = torch.tensor([0.3, 0.5])  # shot 2 of the first, shot 0 of the second
    assert _rank(y, x, true).tolist() == [3, 1.5]


def scores(model, other, titles):
    n = len(model)
    title_S = np.repeat(np.arange(titles), n // titles)
    values = {MODEL: np.array(model), "nearest": np.array(other), "title mean": np.zeros(n)}
    ranks = {k: np.full(n, 2.0) for k in values}
    return Scores(title_S, np.arange(n), values, ranks, {k: v / 10 for k, v in ranks.items()})


def test_verdict_by_hand():
    verdict = judge(scores([0.5, 0.6, 0.7, 0.6] * 2, [0.4, 0.5, 0.6, 0.5] * 2, titles=4))
    assert verdict.outcome == "context wins"
    assert verdict.best_baseline == "nearest"
    assert verdict.margin == pytest.approx(0.1)
    assert verdict.interval == pytest.approx((0.1, 0.1))
    assert verdict.resampled == "titles"
    assert verdict.reciprocal_rank[MODEL] == 0.5
    assert verdict.median_rank_percent[MODEL] == 20
    assert "+0.100 ± 0.000" in verdict.text
    assert Verdict.from_dict(json.loads(json.dumps(verdict.to_dict()))) == verdict


def test_no_gain_says_what_to_use_instead():
    rng = np.random.default_rng(0)
    verdict = judge(scores(rng.normal(size=40), rng.normal(size=40), titles=4))
    assert verdict.outcome == "no gain"
    assert "--features fused" in verdict.text
    assert "more titles" in verdict.text


def test_modalities_in_which_the_model_loses_are_named():
    found = scores([0.5, 0.6, 0.7, 0.6] * 2, [0.4, 0.5, 0.6, 0.5] * 2, titles=4)
    found.modality = {
        "video": {MODEL: 0.2, "title mean": 0.236, "nearest": 0.1},
        "audio": {MODEL: 0.4, "title mean": 0.3, "nearest": 0.1},
    }
    text = judge(found).text
    assert "closer in video (title mean: 0.236 against 0.200)." in text
    assert "audio" not in text


def test_few_titles_are_resampled_by_shot_and_said_so():
    verdict = judge(scores([0.5] * 8, [0.4] * 8, titles=2))
    assert verdict.resampled == "shots"
    assert "says little about other titles" in verdict.text


def test_without_validation_there_is_no_verdict():
    verdict = judge(None, note="no validation: there is only one title")
    assert verdict.outcome == "unknown"
    assert "only one title" in verdict.text
    assert verdict.margin is None


@pytest.fixture
def model():
    torch.manual_seed(0)
    blocks = {m: Modality(d) for m, d in DIMS.items()}
    model = MediaFM(ModelConfig(blocks, hidden=32, layers=1, heads=2))
    model.fusion.fit(make_titles())
    return model


def test_evaluation_is_reproducible_and_complete(model):
    titles = make_titles(3)
    model.train()
    one = evaluate(model, titles, mask_ratio=0.2, seed=1)
    two = evaluate(model, titles, mask_ratio=0.2, seed=1)
    assert model.training
    assert one.score == two.score
    assert one.score != evaluate(model, titles, mask_ratio=0.2, seed=2).score
    names = {MODEL, "no context", "nearest", "title mean", "interpolation", "neighbourhood"}
    assert set(one.cosine) == set(one.rank) == set(one.share) == names
    assert set(one.modality) == set(DIMS)
    assert all(set(by) == names for by in one.modality.values())
    for values in one.rank.values():
        assert (values >= 1).all()
    assert (one.rank["nearest"] >= 1.5).all()
    masked = 4 * sum(round(0.2 * len(t)) for t in titles)
    assert len(one.title_S) == len(one.shot_S) == masked
    assert {len(v) for by in (one.cosine, one.rank, one.share) for v in by.values()} == {masked}


def test_the_model_alone_is_measured_the_same(model):
    titles = make_titles(3)
    whole = evaluate(model, titles, mask_ratio=0.2, seed=1)
    alone = evaluate(model, titles, mask_ratio=0.2, seed=1, compare=False)
    assert set(alone.cosine) == set(alone.rank) == set(alone.share) == {MODEL}
    assert np.array_equal(alone.cosine[MODEL], whole.cosine[MODEL])
    assert np.array_equal(alone.rank[MODEL], whole.rank[MODEL])
    assert np.array_equal(alone.shot_S, whole.shot_S)
    assert alone.effective_rank == whole.effective_rank
    for modality, by in alone.modality.items():
        assert by == {MODEL: whole.modality[modality][MODEL]}


def test_more_repetitions_are_more_masks(model):
    titles = make_titles(2)
    few, more = (
        evaluate(model, titles, mask_ratio=0.2, seed=1, repetitions=n, compare=False)
        for n in (1, 3)
    )
    assert len(more.title_S) == 3 * len(few.title_S)
    assert set(few.title_S) == set(more.title_S) == {0, 1}


def by_svd(e_NH):
    singular = np.linalg.svd(e_NH, compute_uv=False)
    share = singular / singular.sum()
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))


def rank_of(e_NH):
    return effective_rank(torch.from_numpy(e_NH.T @ e_NH))


def test_effective_rank_of_known_cases():
    rng = np.random.default_rng(0)
    assert rank_of(np.eye(12)) == pytest.approx(12)
    assert rank_of(np.tile(np.eye(12)[:5], (7, 1))) == pytest.approx(5, rel=1e-3)
    one = rng.normal(size=(1, 12))
    assert rank_of(np.repeat(one, 30, axis=0)) == pytest.approx(1, abs=1e-3)
    assert np.isnan(effective_rank(torch.zeros(12, 12)))


@pytest.mark.parametrize("shape", [(50, 12), (300, 32), (5, 20)])
def test_effective_rank_equals_a_decomposition(shape):
    rng = np.random.default_rng(1)
    e_NH = rng.normal(size=shape) * np.geomspace(1, 0.01, shape[1])
    e_NH /= np.linalg.norm(e_NH, axis=1, keepdims=True)
    assert rank_of(e_NH) == pytest.approx(by_svd(e_NH), rel=1e-4)


def test_effective_rank_is_of_the_visible_shots(model):
    titles = make_titles(2)
    found = evaluate(model, titles, mask_ratio=0.2, seed=1, repetitions=1, compare=False)
    embeddings = []
    for i, title in enumerate(titles):
        x_NF, masked_N = model.fusion(title), torch.zeros(len(title), dtype=torch.bool)
        masked_N[found.shot_S[found.title_S == i]] = True
        h_NH = model.hidden(x_NF, model.fusion.metadata(title.metadata), masked_N)
        embeddings.append(unit(h_NH)[~masked_N].double().numpy())
    assert found.effective_rank == pytest.approx(by_svd(np.concatenate(embeddings)), rel=1e-3)


def test_titles_with_nothing_to_mask_are_left_out(model):
    title = make_titles(1, 5)[0]
    bare = {m: np.zeros_like(p) for m, p in title.present.items()}
    nothing = dataclasses.replace(title, present=bare)
    found = evaluate(model, [nothing], mask_ratio=0.2, seed=0)
    assert len(found.title_S) == 0
    assert judge(found).outcome == "unknown"
    # The masks of the others stay as they are.
    titles = make_titles(2)
    beside = evaluate(model, [nothing, titles[1]], mask_ratio=0.2, seed=0)
    assert set(beside.title_S) == {1}
    both = evaluate(model, titles, mask_ratio=0.2, seed=0)
    assert np.array_equal(beside.shot_S, both.shot_S[both.title_S == 1])


def test_ranks_do_not_depend_on_the_precision_of_the_network():
    torch.manual_seed(0)
    titles = make_titles(3, 40)
    model = MediaFM(ModelConfig({m: Modality(d) for m, d in DIMS.items()}, hidden=32))
    model.fusion.fit(titles)
    exact, half = (
        evaluate(model, titles, mask_ratio=0.2, seed=1, repetitions=2, dtype=dtype)
        for dtype in (torch.float32, torch.bfloat16)
    )
    for name in ("nearest", "interpolation", "neighbourhood", "title mean"):
        assert np.array_equal(exact.rank[name], half.rank[name])
        assert np.array_equal(exact.cosine[name], half.cosine[name])
    assert np.abs(exact.cosine["model"] - half.cosine["model"]).mean() < 0.02


@given(st.lists(st.sampled_from("vmx"), min_size=2, max_size=60), st.integers(0, 99))
def test_neighbours_are_those_of_a_full_search(kinds, seed):
    """v visible, m masked, x without any modality."""
    visible, masked = (torch.tensor([kind == k for kind in kinds]) for k in "vm")
    if not visible.any() or not masked.any():
        return
    x = unit(torch.randn(len(kinds), 4, generator=torch.Generator().manual_seed(seed)))
    made = baselines(x, visible, masked)
    seen = visible.nonzero()[:, 0].tolist()
    for row, at in enumerate(masked.nonzero()[:, 0].tolist()):
        near = sorted(seen, key=lambda i, at=at: (abs(i - at), i))[:8]
        assert torch.equal(made["nearest"][row], x[near[0]])
        assert torch.allclose(made["neighbourhood"][row], unit(x[near].mean(dim=0)), atol=1e-5)
