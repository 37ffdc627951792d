"""The objective by hand, hidden modalities, parts of a batch, and packing against padding."""

import copy
import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from shot_kit import DIMS, make_titles

from mediafm.model import MediaFM, Modality, ModelConfig, Packing
from mediafm.pretrain import ShotStore, TrainConfig
from mediafm.pretrain.data import Piece
from mediafm.pretrain.loader import Batch, Reader
from mediafm.pretrain.objective import distance, objective

TITLES = make_titles(6)
PIECES = [Piece(0, 0, 16), Piece(1, 3, 15), Piece(2, 0, 12), Piece(3, 5, 9), Piece(5, 0, 2)]
ALL = TrainConfig(mask_span=2.0, hide_ratio=0.2, modality_dropout=0.3, metadata_dropout=0.4)
PLAIN = TrainConfig(metadata_dropout=0.4)


def model_of(treatment="centred", **options):
    torch.manual_seed(0)
    blocks = {m: Modality(d, treatment=treatment) for m, d in DIMS.items()}
    shape = {"hidden": 32, "layers": 2, "heads": 4, "max_shots": 16, "overlap": 8}
    shape |= {"dropout": 0.0, "positions": "both"}
    config = ModelConfig(blocks, {"synopsis": Modality(DIMS["text"])}, **{**shape, **options})
    model = MediaFM(config)
    with torch.no_grad():  # away from the special values of the start
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.fusion.fit(TITLES)
    return model


def batch_of(model, config=ALL, pieces=PIECES, titles=TITLES, epoch=0):
    store = ShotStore.of_titles(titles)
    return Reader(store, model, config, torch.device("cpu")).batch(pieces, epoch)


def gradients(model, batches):
    model.zero_grad(set_to_none=True)
    losses = []
    for batch in batches:
        loss = objective(model, batch)
        loss.total.backward()
        losses.append(dataclasses.replace(loss, total=loss.total.detach()))
    zero = torch.zeros(())
    found = {n: zero if p.grad is None else p.grad.clone() for n, p in model.named_parameters()}
    return losses, found


# ---- by hand


class Echo:
    """Fuses to what it is given and predicts what it is told; keeps what it was shown."""

    def __init__(self, x_SF, y_SF, spans):
        self.fusion = SimpleNamespace(fuse=lambda blocks: x_SF)
        self.config, self.y_SF, self.seen_SF = SimpleNamespace(spans=spans), y_SF, None

    def __call__(self, x_SF, pack, m_WG, masked_S, seconds_S):
        self.seen_SF = x_SF
        return self.y_SF

    def project(self, h_SH):
        return h_SH


def test_cosine_distances_by_hand():
    y = torch.tensor([[3.0, 0], [0, 5], [-2, 0], [1, 1], [0, 0]])
    x = torch.tensor([[1.0, 0], [1, 0], [1, 0], [1, 0], [1, 0]])
    assert torch.allclose(distance(y, x), torch.tensor([0, 1, 2, 1 - 0.5**0.5, 1]))


def by_hand(asked, hidden=None):
    """Two modalities of width 2 and 1; shots 1 and 3 are masked."""
    s = 0.5**0.5
    x = torch.tensor([[0.6, 0, 0.8], [1, 0, 0], [0, s, s], [0, 0, 1]])
    y = torch.tensor([[0.0, 2, 4], [0, 3, 0], [0.5, 0, -1], [0, 0, 7]])
    masked = torch.tensor([False, True, False, True])
    model = Echo(x, y, {"a": (0, 2), "b": (2, 3)})
    batch = Batch(
        blocks={},
        pack=Packing.of([4]),
        m_WG=torch.zeros(1, 0),
        seconds_S=torch.zeros(4),
        masked_S=masked,
        masked_P=torch.tensor([1, 3, 1, 1]),  # rounded up
        masked=2,
        hidden_SM=None if hidden is None else torch.tensor(hidden),
        asked_Q2=torch.tensor(asked, dtype=torch.int64).reshape(-1, 2),
    )
    return model, objective(model, batch)


def test_the_loss_by_hand():
    model, loss = by_hand([])
    assert loss.count == 2
    assert float(loss.masked) == pytest.approx(1 + 0)  # across, and exact
    assert float(loss.total) == pytest.approx(1)
    assert torch.equal(model.seen_SF, model.fusion.fuse({})), "masking is the network's affair"


def test_asked_modalities_are_added_by_hand():
    hidden = [[True, False], [False, False], [False, True], [False, False]]
    model, loss = by_hand([[0, 0], [2, 1]], hidden)
    # Shot 0, a: (0, 2) against (1, 0) is 1. Shot 2, b: -1 against 1 is 2.
    assert loss.count == 2
    assert float(loss.masked) == pytest.approx(1)
    assert float(loss.total) == pytest.approx(1 + 1 + 2)
    seen = torch.tensor([[0, 0, 1.0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    assert torch.allclose(model.seen_SF, seen), "hidden as if absent, and unit norm again"
    _, dropped = by_hand([], hidden)
    assert float(dropped.total) == pytest.approx(1), "hidden but not asked for"


# ---- hidden modalities


@pytest.mark.parametrize("treatment", ["raw", "unit", "centred", "standardised"])
@pytest.mark.parametrize("options", [{}, {"absent": "learned"}, {"fusion": "late"}])
def test_what_is_hidden_is_not_seen(treatment, options):
    model = model_of(treatment, **options)
    batch = batch_of(model)
    assert batch.hidden_SM.any()
    dropped_only = dataclasses.replace(batch, asked_Q2=torch.zeros(0, 2, dtype=torch.int64))
    other_blocks = {}
    for j, (name, (x_SD, present_S)) in enumerate(batch.blocks.items()):
        noise_SD = torch.randn_like(x_SD.float()).half() * 9
        other_blocks[name] = (
            torch.where(batch.hidden_SM[:, j, None], noise_SD, x_SD),
            present_S,
        )
    (one,), grads = gradients(model, [dropped_only])
    (two,), others = gradients(model, [dataclasses.replace(dropped_only, blocks=other_blocks)])
    assert float(one.total) == pytest.approx(float(two.total), abs=1e-5)
    for name, gradient in grads.items():
        assert torch.allclose(gradient, others[name], atol=1e-5), name
    # It is the target of what is asked for, so the loss does change there.
    (asked,), _ = gradients(model, [batch])
    (changed,), _ = gradients(model, [dataclasses.replace(batch, blocks=other_blocks)])
    assert abs(float(asked.total) - float(changed.total)) > 1e-3


def test_a_hidden_modality_looks_like_an_absent_one():
    model = model_of(absent="learned")
    batch = dataclasses.replace(batch_of(model), asked_Q2=torch.zeros(0, 2, dtype=torch.int64))
    absent = {
        name: (x_SD.masked_fill(batch.hidden_SM[:, j, None], 0), p & ~batch.hidden_SM[:, j])
        for j, (name, (x_SD, p)) in enumerate(batch.blocks.items())
    }
    bare = dataclasses.replace(batch, blocks=absent, hidden_SM=None)
    with torch.no_grad():
        one, two = objective(model, batch), objective(model, bare)
    assert float(one.total) == pytest.approx(float(two.total), abs=1e-4)


def test_asking_trains_the_prediction_of_hidden_blocks():
    model = model_of()
    batch = batch_of(model, dataclasses.replace(PLAIN, hide_ratio=0.5))
    loss = objective(model, batch)
    asked = float(loss.total.detach() - loss.masked)
    assert 0 < asked < 2 * len(batch.asked_Q2)
    _, grads = gradients(model, [batch])
    nothing_masked = dataclasses.replace(
        batch,
        masked_S=torch.zeros_like(batch.masked_S),
        masked_P=torch.zeros(0, dtype=torch.int64),
        masked=0,
    )
    (loss,), alone = gradients(model, [nothing_masked])
    assert loss.count == 0
    assert float(loss.masked) == 0
    assert alone["output.weight"].abs().max() > 0
    assert not torch.equal(alone["output.weight"], grads["output.weight"])


# ---- parts and packing


@pytest.mark.parametrize("options", [{}, {"fusion": "late", "absent": "learned"}])
def test_parts_of_a_batch_add_up(options):
    model = model_of(**options).train()
    (whole,), grads = gradients(model, [batch_of(model)])
    cuts = [PIECES[:1], PIECES[1:3], PIECES[3:]]
    parts, others = gradients(model, [batch_of(model, pieces=part) for part in cuts])
    assert sum(p.count for p in parts) == whole.count
    assert sum(float(p.masked) for p in parts) == pytest.approx(float(whole.masked), abs=1e-5)
    assert sum(float(p.total) for p in parts) == pytest.approx(float(whole.total), abs=1e-5)
    for name, gradient in grads.items():
        scale = max(1.0, float(gradient.abs().max()))
        assert torch.allclose(gradient / scale, others[name] / scale, atol=1e-6), name


def fused_by_hand(model, batch):
    """Centred blocks, concatenated, unit norm: one shot after the other."""
    rows = []
    for s in range(len(batch)):
        row = np.zeros(model.config.fused)
        for name, (start, end) in model.config.spans.items():
            x_SD, present_S = batch.blocks[name]
            if present_S[s]:
                x_D = x_SD[s].double().numpy() - model.fusion.mean_F[start:end].double().numpy()
                row[start:end] = x_D / np.linalg.norm(x_D)
        rows.append(row / max(np.linalg.norm(row), 1e-12))
    return torch.tensor(np.array(rows))


def padded_loss(model, batch):
    """The same model and objective in float64, padded, as a textbook writes it."""
    model = copy.deepcopy(model).double()
    h, heads = model.config.hidden, model.config.heads
    shots, masked_S = [n - 2 for n in batch.pack.lengths], batch.masked_S[: len(batch)]
    w, longest = len(shots), max(batch.pack.lengths)
    tower = model.towers["fused"]
    x_SF = fused_by_hand(model, batch)
    e_WSH = [
        torch.where(m[:, None], model.mask_H, x @ tower.input.weight.T * h**0.5 + tower.input.bias)
        for x, m in zip(x_SF.split(shots), masked_S.split(shots), strict=True)
    ]
    x_WLH = torch.zeros(w, longest, h, dtype=torch.float64)
    real_WL = torch.zeros(w, longest, dtype=torch.bool)
    for i, e_NH in enumerate(e_WSH):
        m_G = batch.m_WG[i].double()
        g_H = model.metadata(m_G * h**0.5) if m_G.any() else model.no_metadata_H
        tokens = torch.cat([torch.stack([model.cls_H, g_H]), e_NH])
        x_WLH[i, : len(tokens)] = tokens + model.positions[: len(tokens)]
        real_WL[i, : len(tokens)] = True
    angle_LK2 = torch.arange(longest)[:, None] * model.angles_K2
    turn = torch.polar(torch.ones_like(angle_LK2), angle_LK2)

    def split(y_WLH):
        return y_WLH.view(w, longest, heads, h // heads).transpose(1, 2)

    def turned(y_WALK):
        a, b = y_WALK.chunk(2, dim=-1)
        z = torch.complex(a, b) * turn
        return torch.cat([z.real, z.imag], dim=-1)

    for block in tower.blocks:
        y = block.norm1(x_WLH)
        q, k, v = turned(split(block.q(y))), turned(split(block.k(y))), split(block.v(y))
        logits = q @ k.transpose(-1, -2) / (h // heads) ** 0.5
        weights = logits.masked_fill(~real_WL[:, None, None], -torch.inf).softmax(dim=-1)
        x_WLH = x_WLH + block.o((weights @ v).transpose(1, 2).reshape(w, longest, h))
        x_WLH = x_WLH + block.down(F.gelu(block.up(block.norm2(x_WLH))))
    y_WLF = model.output(model.norm(x_WLH))
    y_SF = torch.cat([y_WLF[i, 2 : 2 + n] for i, n in enumerate(shots)])
    similar_S = F.cosine_similarity(y_SF, x_SF, dim=1)
    return float((1 - similar_S)[masked_S].sum())


@torch.no_grad()
def test_packed_equals_padded_and_window_by_window():
    model = model_of().train()
    batch = batch_of(model, PLAIN)
    assert len(set(batch.pack.lengths)) > 2
    assert len(set((batch.m_WG != 0).any(dim=1).tolist())) == 2, "with and without metadata"
    packed = objective(model, batch)
    assert packed.count == int(batch.masked_S.sum()) >= 5
    assert float(packed.total) == pytest.approx(padded_loss(model, batch), abs=1e-5)
    alone = [objective(model, batch_of(model, PLAIN, [piece])) for piece in PIECES]
    assert float(packed.total) == pytest.approx(sum(float(a.total) for a in alone), abs=1e-5)
