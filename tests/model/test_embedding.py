"""Titles embedded in context."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from model_kit import small_model
from shot_kit import DIMS, make_titles

from mediafm.model import Packing
from mediafm.model.attention import TOKENS
from mediafm.model.fusion import unit


def test_long_titles_go_through_in_windows():
    model = small_model()
    title = make_titles(1, 60)[0]
    e = model.contextual(title)
    assert e.shape == (len(title), 32)
    x, m = model.fusion(title), model.fusion.metadata(title.metadata)
    with torch.inference_mode():
        first = unit(model(x[:16], Packing.of([16]), m[None]))
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


def test_titles_of_many_lengths_bring_few_shapes():
    """A CPU compiles its matrix kernels per shape and keeps them: memory would grow for ever."""
    model, shapes = small_model(), set()
    layer = next(model.encoders())[1].blocks[0].up
    layer.register_forward_pre_hook(lambda _, inputs: shapes.add(tuple(inputs[0].shape)))
    lengths = range(2, 60)
    for n in lengths:
        model.contextual(make_titles(1, n)[0])
    assert len(shapes) <= math.ceil(4 * max(lengths) / TOKENS)


@pytest.mark.parametrize("fusion", ["early", "late"])
def test_all_layers_stand_side_by_side_each_of_unit_length(fusion):
    model = small_model(fusion=fusion, layers=3)
    title = make_titles(1, 40)[0]  # longer than a window
    last, every = model.contextual(title), model.contextual(title, layers="all")
    assert every.shape == (len(title), 3 * 32) == (len(title), model.embedding_width("all"))
    blocks = every.reshape(len(title), 3, 32)
    assert np.allclose(np.linalg.norm(blocks, axis=2), 3**-0.5, atol=1e-5)
    assert np.allclose(blocks[:, 2] * 3**0.5, last, atol=1e-5)
    # A layer is that of a network which ends there.
    streams = []
    first = [next(tower.layers()) for _, tower in model.encoders()]
    for block in first:
        block.register_forward_hook(lambda _, inputs, output: streams.append(output))
    model.contextual(make_titles(1, 10)[0], layers="all")
    stream = sum(streams)
    got = model.contextual(make_titles(1, 10)[0], layers="all")[:10, :32]
    rows = torch.cat([stream[2:12]])  # after [CLS] and [GLOBAL]
    assert np.allclose(got * 3**0.5, unit(rows).detach().numpy(), atol=1e-5)
    assert model.embedding_fingerprint("all") != model.fingerprint
    assert model.embedding_fingerprint("last") == model.fingerprint
