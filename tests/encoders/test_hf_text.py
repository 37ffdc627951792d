"""Text encoders of sentence-transformers, each against the library's own recipe for one text."""

from __future__ import annotations

import functools
import logging
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("sentence_transformers")

import safetensors.torch
import sentence_kit as kit
import sentence_transformers
import tiny
import torch
from sentence_kit import EXACT, TEXTS

from mediafm.encoders.base import QueryEncoder
from mediafm.encoders.spec import parse_spec

pytestmark = pytest.mark.usefixtures("module_cache")


@pytest.fixture(scope="module")
def recipe(folder):
    @functools.cache
    def load(name):
        return sentence_transformers.SentenceTransformer(
            str(folder(name)), device="cpu", local_files_only=True
        )

    def encode(name, texts, **options):
        model = load(name)
        # Alone, so that nothing of a batch can show.
        return np.stack([model.encode([text], **options)[0] for text in texts])

    return encode


@pytest.mark.parametrize("name", kit.MAKERS)
def test_as_the_library_encodes_each_text_alone(load, recipe, name):
    rows = load(name).encode(TEXTS)
    assert rows.dtype == np.float32
    assert rows.shape == (len(TEXTS), load(name).info.dim)
    np.testing.assert_allclose(rows, recipe(name, TEXTS), **EXACT)
    assert len({row.tobytes() for row in rows.round(3)}) == len(TEXTS)


texts = st.lists(
    st.lists(st.sampled_from([*tiny.WORDS.split()[:20], "?", "♪"]), min_size=1, max_size=30).map(
        " ".join
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("name", ["mean", "cls", "dense", "instructor"])
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batch=texts, budget=st.sampled_from([1, 30, 100, 10_000]))
def test_a_row_does_not_depend_on_its_batch(load, recipe, name, batch, budget):
    chosen = load(name)
    before = chosen._budget
    chosen._budget = budget
    try:
        np.testing.assert_allclose(chosen.encode(batch), recipe(name, batch), **EXACT)
    finally:
        chosen._budget = before


def test_no_texts(load):
    assert load("dense").encode([]).shape == (0, 20)


def test_batches_are_bounded(load, monkeypatch):
    chosen = load("plain")
    sizes = []
    run = chosen._run

    def watched(model, batch):
        with chosen._tokenizing:
            sizes.append(model.preprocess(batch[1:])["input_ids"].numel())
        return run(model, batch)

    monkeypatch.setattr(chosen, "_run", watched)
    monkeypatch.setattr(chosen, "_budget", 100)
    chosen.encode(TEXTS * 5)
    assert max(sizes) <= 100
    assert sum(sizes) < 1.3 * 5 * sum(chosen._lengths(TEXTS, ""))


# Prompts


def test_a_default_prompt_is_used_and_the_query_prompt_for_queries(load, recipe):
    chosen = load("default-prompt")
    assert isinstance(chosen, QueryEncoder)
    assert chosen.info.settings["prompt"] == "the film: "
    plain = recipe("default-prompt", [f"the film: {text}" for text in TEXTS], prompt="")
    np.testing.assert_allclose(chosen.encode(TEXTS), plain, **EXACT)
    queries = recipe("default-prompt", TEXTS, prompt_name="query")
    np.testing.assert_allclose(chosen.encode_queries(TEXTS), queries, **EXACT)


@pytest.mark.parametrize(
    ("option", "prompt"),
    [("prompt=", ""), ("prompt=query", "who: "), ("prompt=a%20man:%20", "a man: ")],
)
def test_a_prompt_may_be_chosen(load, recipe, option, prompt):
    chosen = load("default-prompt", f"?{option}")
    assert chosen.info.settings["prompt"] == prompt
    assert parse_spec(chosen.info.name).options["prompt"] == option.partition("=")[2].replace(
        "%20", " "
    )
    rows = recipe("default-prompt", TEXTS, prompt=prompt)
    np.testing.assert_allclose(chosen.encode(TEXTS), rows, **EXACT)
    queries = recipe("default-prompt", TEXTS, prompt="who: ")
    np.testing.assert_allclose(chosen.encode_queries(TEXTS), queries, **EXACT)
    # Prompts are settings: with another one the vectors are others.
    if option != "prompt=query":
        assert chosen.info.fingerprint != load("default-prompt").info.fingerprint


def test_queries_have_the_prompt_of_the_texts_without_one_of_their_own(load):
    chosen = load("mean", "?prompt=the%20")
    assert np.array_equal(chosen.encode(TEXTS), chosen.encode_queries(TEXTS))


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        ("multilingual-e5-small", "query: "),
        ("e5-base-v2", "query: "),
        ("multilingual-e5-large-instruct", ""),
        ("bge-m3", ""),
    ],
)
def test_e5_gets_its_prefix(folder, tmp_path, name, prompt):
    copied = shutil.copytree(folder("mean"), tmp_path / name)
    source = kit.opened(copied)
    assert (source.prompt, source.query_prompt) == (prompt, prompt)
    assert source.info.settings["prompt"] == prompt
    named = kit.opened(copied, "?prompt=passage:%20")
    assert (named.prompt, named.query_prompt) == ("passage: ", prompt or "passage: ")


# Long texts, precision, devices


def test_cut_texts_are_counted_and_said_once(folder, caplog):
    chosen = kit.opened(folder("mean")).load(["cpu"])
    with caplog.at_level(logging.WARNING, "mediafm"):
        chosen.encode(["short", "man " * 21])
        assert not caplog.records
        chosen.encode(["man " * 30, "short", "night " * 99])
        chosen.encode(["man " * 30])
    (record,) = caplog.records
    assert "2 of 3 texts are longer than its 24 tokens and are cut" in record.getMessage()


@pytest.mark.parametrize(("dtype", "least"), [("bfloat16", 0.999), ("float16", 0.99999)])
def test_half_precision_agrees(load, dtype, least):
    whole, half = load("dense"), load("dense", f"?dtype={dtype}")
    x_ND, y_ND = whole.encode(TEXTS), half.encode(TEXTS)
    assert y_ND.dtype == np.float32
    norms = np.linalg.norm(x_ND, axis=1) * np.linalg.norm(y_ND, axis=1)
    assert ((x_ND * y_ND).sum(1) / norms).min() > least
    assert not np.array_equal(x_ND, y_ND)


def test_two_copies_give_what_one_gives(folder, load):
    source = kit.opened(folder("mean"))
    both = source.load(["cpu", "cpu"])
    both._budget = 30
    np.testing.assert_allclose(both.encode(TEXTS * 4), load("mean").encode(TEXTS * 4), **EXACT)


def test_a_pickled_checkpoint(tmp_path, folder, load):
    folder = shutil.copytree(folder("mean"), tmp_path / "pickled")
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    rows = kit.opened(folder).load(["cpu"]).encode(TEXTS)
    np.testing.assert_allclose(rows, load("mean").encode(TEXTS), **EXACT)
