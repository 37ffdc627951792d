"""Seasons 1-4 of a sitcom as a measure of pretraining: data, split, baselines, probes.

The data is ``sitcom-shots.parquet``: shots with features and labels, no pictures. Season 5 is kept
for a last measurement and never read here. Variants of pretraining are compared on episodes that
are held out by name, the same ones whatever a run's seed; see ``objective.py``.

Shapes: N shots of one title, M masked shots among them, F fused width, D any width, S rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import torch
from torch import Tensor

from mediafm.catalog.records import TitleFeatures
from mediafm.model import Fusion, MediaFM, ModelConfig
from mediafm.model.fusion import unit
from mediafm.pretrain.data import draw_mask
from mediafm.pretrain.evaluate import Scores, baselines, evaluate

LAST_SEASON = 4
MODALITIES = ("text", "video", "audio")
FIRST, EVERY = 3, 7
"""One episode in seven validates, from the fourth on: 14 of 96, three or four of each season."""

REACHES = (1, 2, 4)
PENALTIES = (30.0, 100.0, 300.0, 1000.0)
DRAWS = 8
"""Masks per training title that the ridge is fitted on: with fewer it is weaker."""
_AT_ONCE = 8

STRENGTHS = {"location": (1e-4, 1e-3, 1e-2), "boundary": (1e-3, 1e-2, 1e-1)}
"""Inverse penalties ``C`` that the probe of a label chooses among."""
FOLDS = 3
AROUND = 4
"""Shots on either side that the mark ``fused + window`` averages."""

Array = npt.NDArray[Any]
Titles = Sequence[TitleFeatures]
Embed = Callable[[TitleFeatures], Array]
Labels = dict[str, Array]
"""``location``: the set of the scene, ``none`` among them, empty where the rater gave nothing.
``boundary``: whether a new story segment begins at the shot."""


def load(path: Path) -> tuple[list[TitleFeatures], dict[str, Labels]]:
    """Reads seasons 1-4 of ``sitcom-shots.parquet``.

    Returns:
        Titles in the order of their ids, the parts of an episode as one group; labels by title.
    """
    table = pq.read_table(path, filters=[("season", "<=", LAST_SEASON)])
    table = table.sort_by([("title_id", "ascending"), ("shot", "ascending")])
    features, present = {}, {}
    for modality in MODALITIES:
        column = table[modality].combine_chunks()
        present[modality] = np.asarray(column.is_valid())
        x_ND = np.asarray(column.values).astype(np.float16).reshape(len(table), -1)
        features[modality] = np.where(present[modality][:, None], x_ND, np.float16(0))
    times = np.stack([table["start"].to_numpy(), table["end"].to_numpy()], axis=1)
    location = np.asarray(table["location"].fill_null("").to_pylist(), np.str_)
    boundary = np.asarray(table["segment_boundary"].to_pylist(), np.bool_)
    ids, first = np.unique(np.asarray(table["title_id"].to_pylist()), return_index=True)
    titles, labels = [], {}
    bounds = itertools.pairwise([*first.tolist(), len(table)])
    for title_id, (start, end) in zip(ids.tolist(), bounds, strict=True):
        rows = slice(start, end)
        x, here = ({m: a[rows] for m, a in by.items()} for by in (features, present))
        titles.append(TitleFeatures(title_id, "file", title_id[:-1], times[rows], x, here))
        labels[title_id] = {"location": location[rows], "boundary": boundary[rows]}
    return titles, labels


def validation_episodes(titles: Titles) -> list[str]:
    """Groups that validate: the same ones always, evenly spread over the seasons."""
    return sorted({t.group for t in titles})[FIRST::EVERY]


def divide(titles: Titles, groups: Collection[str]) -> tuple[Titles, Titles]:
    """Titles outside ``groups``, and titles of them."""
    return [t for t in titles if t.group not in groups], [t for t in titles if t.group in groups]


def figures(scores: Scores, name: str) -> dict[str, float]:
    """Cosine, mean reciprocal rank and median rank in percent of one predictor, as the verdict."""
    return {
        "cosine": float(scores.cosine[name].mean()),
        "reciprocal_rank": float((1 / scores.rank[name]).mean()),
        "rank_percent": float(np.median(scores.share[name]) * 100),
    }


def describe(x_NF: Tensor, visible_N: Tensor, masked_N: Tensor, reach: int) -> Tensor:
    """What the ridge knows of masked shots: a column of ones, then blocks of fused vectors.

    The first block is the mean of the nearest visible shots, as the baseline ``neighbourhood``
    has it. Then a block for every place around: one before, one after, two before, and so on, so
    that the regression has weights of its own for each distance; zeros where the shot of that
    place is masked or there is none.

    Returns:
        ``x_MD`` with ``D = 1 + F + 2 * reach * F``. A smaller reach is a prefix.
    """
    if not bool(visible_N.any()):
        mean_MF = x_NF.new_zeros(int(masked_N.sum()), x_NF.shape[1])
    else:
        mean_MF = baselines(x_NF, visible_N, masked_N)["neighbourhood"]
    distances = torch.tensor([s * d for d in range(1, reach + 1) for s in (-1, 1)])
    place_MK = masked_N.nonzero() + distances
    inside_MK = (place_MK >= 0) & (place_MK < len(x_NF))
    place_MK = place_MK.clamp(0, len(x_NF) - 1)
    slots_MKF = x_NF[place_MK] * (inside_MK & visible_N[place_MK])[:, :, None]
    return torch.cat([x_NF.new_ones(len(mean_MF), 1), mean_MF, slots_MKF.flatten(1)], dim=1)


class Ridge:
    """Ridge regression on the visible neighbours, in the shape of a model.

    :func:`evaluate` takes it for one, so that masks, cosines and ranks are the model's own.

    Args:
        fusion: Fitted on the training titles.
        reach: Places on each side.
        weight_DF: See :func:`describe` for the rows.
    """

    def __init__(self, fusion: Fusion, reach: int, weight_DF: Tensor):
        blocks, width = dict(fusion.modalities), weight_DF.shape[1]
        self.fusion, self.config = fusion, ModelConfig(blocks, hidden=width, heads=1)
        self.reach, self.weight_DF = reach, weight_DF

    def hidden(self, x_NF: Tensor, _metadata: object, masked_N: Tensor, *_: object) -> Tensor:
        """Predictions at the masked shots, zeros elsewhere."""
        y_NF = torch.zeros_like(x_NF)
        visible_N = (x_NF != 0).any(dim=1) & ~masked_N
        y_NF[masked_N] = describe(x_NF, visible_N, masked_N, self.reach) @ self.weight_DF
        return y_NF

    def project(self, h_SH: Tensor) -> Tensor:
        """Predictions are in the fused space already."""
        return h_SH


def ridge(train: Titles, val: Titles, fusion: Fusion, mask_ratio: float, seed: int) -> Scores:
    """Fits the ridge on training titles and measures it, and what needs no fitting, on others.

    Reach and penalty are those with the highest cosine on training episodes that were held out;
    then it is fitted on all.

    Args:
        train: Titles of several groups.
        val: Titles to measure on.
        fusion: Fitted on the training titles.
        mask_ratio: Share of masked shots, in fitting and in measuring.
        seed: As in :func:`evaluate`: the same gives the same masks.

    Returns:
        Scores of the ridge, as ``model``, and of the baselines.
    """
    rng = np.random.default_rng([seed, 6])
    kept, held = divide(train, validation_episodes(train))
    moments = _moments(kept, fusion, mask_ratio, rng)
    x_SD, y_SF = _pairs(held, fusion, mask_ratio, rng, draws=2)
    found = {}
    for reach, penalty in itertools.product(REACHES, PENALTIES):
        weight_DF = _solve(*moments, reach, penalty)
        guess_SF = unit(x_SD[:, : len(weight_DF)] @ weight_DF)
        found[reach, penalty] = float((guess_SF * y_SF).sum(dim=1).mean())
    reach, penalty = max(found, key=found.__getitem__)
    rest = _moments(held, fusion, mask_ratio, rng)
    weight_DF = _solve(moments[0] + rest[0], moments[1] + rest[1], reach, penalty)
    model = cast(MediaFM, Ridge(fusion, reach, weight_DF))
    return evaluate(model, val, mask_ratio=mask_ratio, seed=seed)


def _pairs(
    titles: Titles, fusion: Fusion, ratio: float, rng: np.random.Generator, draws: int
) -> tuple[Tensor, Tensor]:
    """Descriptions and true vectors of shots that are masked at random."""
    x, y = [], []
    for x_NF in map(fusion, titles):
        usable_N = (x_NF != 0).any(dim=1)
        for _ in range(draws):
            masked_N = torch.from_numpy(draw_mask(usable_N.numpy(), ratio, rng))
            x.append(describe(x_NF, usable_N & ~masked_N, masked_N, max(REACHES)))
            y.append(x_NF[masked_N])
    return torch.cat(x), torch.cat(y)


def _moments(
    titles: Titles, fusion: Fusion, ratio: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """``X^T X`` and ``X^T Y``, all that the closed form needs: the rows would fill the memory."""
    width = sum(block.dim for block in fusion.modalities.values())
    size = 1 + (1 + 2 * max(REACHES)) * width
    total_DD, total_DF = torch.zeros(size, size), torch.zeros(size, width)
    for i in range(0, len(titles), _AT_ONCE):
        x_SD, y_SF = _pairs(titles[i : i + _AT_ONCE], fusion, ratio, rng, DRAWS)
        total_DD.addmm_(x_SD.T, x_SD)
        total_DF.addmm_(x_SD.T, y_SF)
    return total_DD, total_DF


def _solve(xx_DD: Tensor, xy_DF: Tensor, reach: int, penalty: float) -> Tensor:
    """``(X^T X + penalty I)^-1 X^T Y`` for a prefix of the columns, the intercept free."""
    size = 1 + (1 + 2 * reach) * xy_DF.shape[1]
    damp_D = torch.full((size,), penalty)
    damp_D[0] = 0
    lower_DD = torch.linalg.cholesky(xx_DD[:size, :size] + torch.diag(damp_D))
    return torch.cholesky_solve(xy_DF[:size], lower_DD)


def marks(fusion: Fusion) -> dict[str, Embed]:
    """What contextual embeddings are measured against: the fused features, alone and in context.

    The context is the mean over ``AROUND`` shots on either side, beside the features.
    """

    def fused(title: TitleFeatures) -> Array:
        x_NF: Array = fusion(title).numpy()
        return x_NF

    def window(title: TitleFeatures) -> Array:
        x_NF, n = fused(title), len(title)
        near_NN = np.abs(np.subtract.outer(np.arange(n), np.arange(n))) <= AROUND
        mean_NF = near_NN @ x_NF / near_NN.sum(axis=1, keepdims=True)
        return np.concatenate([x_NF, mean_NF], axis=1)

    return {"fused": fused, "fused + window": window}


def probes(
    embed: Embed, titles: Titles, labels: Mapping[str, Labels], val_groups: Collection[str]
) -> dict[str, float]:
    """Linear probes: fitted on the episodes that train, measured on those that validate.

    Multinomial logistic regression on standardised components. Its penalty is chosen by folds
    over the training episodes.

    Returns:
        ``location_ap``: average precision of each location against the rest, averaged over the
        locations that occur; ``boundary_ap``: average precision of segment boundaries.
    """
    groups = np.concatenate([np.full(len(t), t.group) for t in titles])
    e_SD = np.concatenate([embed(t) for t in titles]).astype(np.float32)
    val_S = np.isin(groups, list(val_groups))
    mean_D, std_D = e_SD[~val_S].mean(axis=0), e_SD[~val_S].std(axis=0)
    e_SD = (e_SD - mean_D) / np.where(std_D > 1e-6, std_D, 1)
    # An episode's fold is its place in the order, so that every fold has some of each season.
    fold_S = np.where(val_S, -1, np.unique(groups, return_inverse=True)[1] % FOLDS)
    found = {}
    for label, strengths in STRENGTHS.items():
        y_S = np.concatenate([labels[t.title_id][label] for t in titles])
        rated_S = y_S.astype(str) != ""
        found[f"{label}_ap"] = _probe(e_SD[rated_S], y_S[rated_S], fold_S[rated_S], strengths)
    return found


def _probe(x_SD: Array, y_S: Array, fold_S: Array, strengths: Sequence[float]) -> float:
    """Average precision on fold -1 of a probe fitted on the other folds."""

    def score(strength: float, fit_S: Array, on_S: Array) -> float:
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import average_precision_score

        probe = LogisticRegression(C=strength, tol=1e-3, max_iter=300)
        probe.fit(x_SD[fit_S], y_S[fit_S])
        p_SC, truth_S = probe.predict_proba(x_SD[on_S]), y_S[on_S]
        # Of two classes only the second is asked for: the first is its absence.
        asked = list(enumerate(probe.classes_))[1 if len(probe.classes_) == 2 else 0 :]
        present = [(c, name) for c, name in asked if (truth_S == name).any()]
        parts = [average_precision_score(truth_S == name, p_SC[:, c]) for c, name in present]
        return float(np.mean(parts))

    def by_folds(strength: float) -> float:
        folds = [(fold_S >= 0) & (fold_S != fold) for fold in range(FOLDS)]
        return sum(score(strength, fit_S, (fold_S >= 0) & ~fit_S) for fit_S in folds)

    return score(max(strengths, key=by_folds), fold_S >= 0, fold_S < 0)
