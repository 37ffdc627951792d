"""Text encoders of sentence-transformers, each against the library's own recipe for one text."""

from __future__ import annotations

import functools
import json
import logging
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("sentence_transformers")

import safetensors.torch
import sentence_transformers
import tiny
import torch
import transformers

from mediafm.encoders.base import QueryEncoder
from mediafm.encoders.hf import text as hf_text
from mediafm.encoders.hf.text import open_text
from mediafm.encoders.spec import parse_spec
from mediafm.errors import EncoderError, MissingExtraError, TitleDataError

EXACT = {"atol": 1e-5, "rtol": 0}
TEXTS = [
    "The door opens.",
    "who is it?",
    "a",
    "run " * 40,
    "Ünïcode ♪ 東京",
    "night",
    "the man " * 6,
]
PROMPTS = {"query": "who: ", "passage": "the film: "}


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDIAFM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def edit(path, **changes):
    held = json.loads(path.read_text())
    path.write_text(json.dumps({**held, **changes}))


def add_module(folder, kind, module=None):
    listed = json.loads((folder / "modules.json").read_text())
    number = len(listed)
    path = f"{number}_{kind}"
    (folder / path).mkdir()
    if module is not None:
        module.save(str(folder / path))
    name = f"sentence_transformers.models.{kind}"
    listed.append({"idx": number, "name": str(number), "path": path, "type": name})
    (folder / "modules.json").write_text(json.dumps(listed))


def dense(folder):
    """As EmbeddingGemma and sentence-t5: two layers behind the pooling, then unit length."""
    tiny.make_sentence_bert(folder, normalize=False)
    modules = sentence_transformers.sentence_transformer.modules
    torch.manual_seed(0)
    add_module(folder, "Dense", modules.Dense(32, 48, activation_function=torch.nn.Tanh()))
    add_module(folder, "Dense", modules.Dense(48, 20, activation_function=torch.nn.Identity()))
    add_module(folder, "Normalize")
    return folder


def instructor(folder):
    """The prompt is read but not averaged."""
    tiny.make_sentence_bert(folder, prompts=PROMPTS)
    edit(folder / "1_Pooling" / "config.json", include_prompt=False)
    edit(folder / "config_sentence_transformers.json", default_prompt_name="passage")
    return folder


def default_prompt(folder):
    tiny.make_sentence_bert(folder, prompts=PROMPTS)
    edit(folder / "config_sentence_transformers.json", default_prompt_name="passage")
    return folder


def from_hub(folder):
    """The hub keeps no empty folders."""
    tiny.make_sentence_bert(folder)
    (folder / "2_Normalize").rmdir()
    return folder


def several(folder):
    tiny.make_sentence_bert(folder)
    edit(
        folder / "1_Pooling" / "config.json",
        pooling_mode_max_tokens=True,
        pooling_mode_cls_token=True,
    )
    return folder


def other_family(model, config, **over):
    """A network of another family with BERT's tokenizer, without modules.json."""

    def make(folder):
        tiny.make_bert(folder)
        side = {
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "vocab_size": json.loads((folder / "config.json").read_text())["vocab_size"],
            "max_position_embeddings": 80,
            "pad_token_id": 0,
        }
        made = getattr(transformers, config)(**{**side, **over})
        edit(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
        return tiny.save(tiny.excite(getattr(transformers, model)(made)), folder)

    return make


DECODER = {"num_key_value_heads": 2, "head_dim": 8, "bos_token_id": 2, "eos_token_id": 3}
FAMILIES = {
    "roberta": other_family("RobertaModel", "RobertaConfig"),
    "mpnet": other_family("MPNetModel", "MPNetConfig"),
    "deberta-v2": other_family(
        "DebertaV2Model",
        "DebertaV2Config",
        relative_attention=True,
        pos_att_type=["c2p", "p2c"],
        position_biased_input=False,
    ),
    "modernbert": other_family(
        "ModernBertModel", "ModernBertConfig", cls_token_id=2, sep_token_id=3, local_attention=8
    ),
    "t5": other_family(
        "T5EncoderModel",
        "T5Config",
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        decoder_start_token_id=0,
    ),
    "qwen3": other_family("Qwen3Model", "Qwen3Config", **DECODER),
    "gemma3": other_family(
        "Gemma3TextModel", "Gemma3TextConfig", use_bidirectional_attention=True, **DECODER
    ),
}
MAKERS = {
    "mean": tiny.make_sentence_bert,
    "cls": functools.partial(tiny.make_sentence_bert, pooling="cls"),
    "max": functools.partial(tiny.make_sentence_bert, pooling="max", normalize=False),
    "weighted": functools.partial(tiny.make_sentence_bert, pooling="weightedmean"),
    "last": functools.partial(tiny.make_sentence_bert, pooling="lasttoken"),
    "several": several,
    "dense": dense,
    "default-prompt": default_prompt,
    "instructor": instructor,
    "from-hub": from_hub,
    "plain": tiny.make_bert,
    **FAMILIES,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    @functools.cache
    def make(name):
        return MAKERS[name](tmp_path_factory.mktemp("checkpoints") / name)

    return make


@pytest.fixture(scope="module")
def encoder(folder):
    @functools.cache
    def load(name, options=""):
        return open_text(parse_spec(f"hf:{folder(name)}{options}"), "text").load(["cpu"])

    return load


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


@pytest.mark.parametrize("name", MAKERS)
def test_as_the_library_encodes_each_text_alone(encoder, recipe, name):
    rows = encoder(name).encode(TEXTS)
    assert rows.dtype == np.float32
    assert rows.shape == (len(TEXTS), encoder(name).info.dim)
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
def test_a_row_does_not_depend_on_its_batch(encoder, recipe, name, batch, budget):
    chosen = encoder(name)
    before = chosen._budget
    chosen._budget = budget
    try:
        np.testing.assert_allclose(chosen.encode(batch), recipe(name, batch), **EXACT)
    finally:
        chosen._budget = before


def test_no_texts(encoder):
    assert encoder("dense").encode([]).shape == (0, 20)


def test_batches_are_bounded(encoder, monkeypatch):
    chosen = encoder("plain")
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


def test_a_default_prompt_is_used_and_the_query_prompt_for_queries(encoder, recipe):
    chosen = encoder("default-prompt")
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
def test_a_prompt_may_be_chosen(encoder, recipe, option, prompt):
    chosen = encoder("default-prompt", f"?{option}")
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
        assert chosen.info.fingerprint != encoder("default-prompt").info.fingerprint


def test_queries_have_the_prompt_of_the_texts_without_one_of_their_own(encoder):
    chosen = encoder("mean", "?prompt=the%20")
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
    source = open_text(parse_spec(f"hf:{copied}"), "text")
    assert (source.prompt, source.query_prompt) == (prompt, prompt)
    assert source.info.settings["prompt"] == prompt
    named = open_text(parse_spec(f"hf:{copied}?prompt=passage:%20"), "text")
    assert (named.prompt, named.query_prompt) == ("passage: ", prompt or "passage: ")


# What is known without weights


@pytest.mark.parametrize(
    ("name", "dim", "pooling", "normalised"),
    [
        ("mean", 32, "mean", "yes"),
        ("max", 32, "max", "no"),
        ("several", 96, "cls + max + mean", "yes"),
        ("dense", 20, "mean", "yes"),
        ("plain", 32, "the library's default", "no"),
        ("t5", 32, "the library's default", "no"),
    ],
)
def test_info_without_weights(folder, monkeypatch, name, dim, pooling, normalised):
    monkeypatch.setattr(hf_text, "_load", None)
    info = open_text(parse_spec(f"hf:{folder(name)}"), "text").info
    assert info.dim == dim
    assert info.settings["pooling"] == pooling
    assert info.settings["normalised"] == normalised
    assert info.identity == "hf"
    assert info.name == f"hf:{folder(name)}"


def test_fingerprints(folder, tmp_path):
    def opened(path, options=""):
        return open_text(parse_spec(f"hf:{path}{options}"), "text").info

    first = opened(folder("mean"))
    copied = shutil.copytree(folder("mean"), tmp_path / "copied")
    assert opened(copied).fingerprint == first.fingerprint
    assert opened(copied, "?dtype=bfloat16").fingerprint != first.fingerprint
    edit(copied / "sentence_bert_config.json", max_seq_length=16)
    assert opened(copied).fingerprint != first.fingerprint
    assert opened(copied).settings["length"] == "16 tokens"


def test_the_weights_of_further_layers_count(folder, tmp_path):
    copied = shutil.copytree(folder("dense"), tmp_path / "copied")
    before = open_text(parse_spec(f"hf:{copied}"), "text").info
    file = copied / "2_Dense" / "model.safetensors"
    weights = safetensors.torch.load_file(file)
    safetensors.torch.save_file({name: w + 1 for name, w in weights.items()}, file)
    assert open_text(parse_spec(f"hf:{copied}"), "text").info.fingerprint != before.fingerprint


# Long texts, precision, devices


def test_cut_texts_are_counted_and_said_once(folder, caplog):
    chosen = open_text(parse_spec(f"hf:{folder('mean')}"), "text").load(["cpu"])
    with caplog.at_level(logging.WARNING, "mediafm"):
        chosen.encode(["short", "man " * 21])
        assert not caplog.records
        chosen.encode(["man " * 30, "short", "night " * 99])
        chosen.encode(["man " * 30])
    (record,) = caplog.records
    assert "2 of 3 texts are longer than its 24 tokens and are cut" in record.getMessage()


@pytest.mark.parametrize(("dtype", "least"), [("bfloat16", 0.999), ("float16", 0.99999)])
def test_half_precision_agrees(encoder, dtype, least):
    whole, half = encoder("dense"), encoder("dense", f"?dtype={dtype}")
    x_ND, y_ND = whole.encode(TEXTS), half.encode(TEXTS)
    assert y_ND.dtype == np.float32
    norms = np.linalg.norm(x_ND, axis=1) * np.linalg.norm(y_ND, axis=1)
    assert ((x_ND * y_ND).sum(1) / norms).min() > least
    assert not np.array_equal(x_ND, y_ND)


def test_two_copies_give_what_one_gives(folder, encoder):
    source = open_text(parse_spec(f"hf:{folder('mean')}"), "text")
    both = source.load(["cpu", "cpu"])
    both._budget = 30
    np.testing.assert_allclose(both.encode(TEXTS * 4), encoder("mean").encode(TEXTS * 4), **EXACT)


def test_a_pickled_checkpoint(tmp_path, folder, encoder):
    folder = shutil.copytree(folder("mean"), tmp_path / "pickled")
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    rows = open_text(parse_spec(f"hf:{folder}"), "text").load(["cpu"]).encode(TEXTS)
    np.testing.assert_allclose(rows, encoder("mean").encode(TEXTS), **EXACT)


# What is refused


def refused(text, match):
    with pytest.raises(EncoderError, match=match) as caught:
        open_text(parse_spec(text), "text").load(["cpu"]).encode(["a"])
    return str(caught.value)


def test_another_kind_of_checkpoint(tmp_path):
    folder = tiny.make_wav2vec2(tmp_path / "sound")
    refused(f"hf:{folder}", "is a wav2vec2 checkpoint, not a .*BERT.* for text")


@pytest.mark.parametrize("kind", ["CrossEncoder", "SparseEncoder"])
def test_another_kind_of_model(tmp_path, kind):
    folder = tiny.make_sentence_bert(tmp_path / "sb")
    edit(folder / "config_sentence_transformers.json", model_type=kind)
    refused(f"hf:{folder}", f"is a {kind}.*choose a SentenceTransformer")


@pytest.mark.parametrize(
    "part", ["modeling_evil.Pooling", "os.system", "sentence_transformers.models.LSTM"]
)
def test_code_and_unknown_parts_are_refused(tmp_path, part):
    folder = tiny.make_sentence_bert(tmp_path / "sb")
    listed = json.loads((folder / "modules.json").read_text())
    listed[1]["type"] = part
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "modeling_evil.py").write_text("raise SystemExit('ran')")
    refused(f"hf:{folder}", f"not supported, {part}")


def test_code_for_the_network_is_not_run(tmp_path):
    folder = tiny.make_sentence_bert(tmp_path / "sb")
    edit(folder / "config.json", auto_map={"AutoModel": "modeling_evil.Evil"})
    (folder / "modeling_evil.py").write_text("raise SystemExit('ran')")
    assert open_text(parse_spec(f"hf:{folder}"), "text").load(["cpu"]).encode(["a"]).shape == (
        1,
        32,
    )


def test_missing_weights_are_no_random_numbers(tmp_path):
    folder = tiny.make_sentence_bert(tmp_path / "sb")
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    safetensors.torch.save_file(weights, folder / "model.safetensors", {"format": "pt"})
    refused(f"hf:{folder}", "lacks weights of the network")


def test_a_pooler_is_not_needed(tmp_path, folder, encoder):
    folder = shutil.copytree(folder("mean"), tmp_path / "sb")
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    rest = {name: w for name, w in weights.items() if "pooler" not in name}
    assert len(rest) < len(weights)
    safetensors.torch.save_file(rest, folder / "model.safetensors", {"format": "pt"})
    rows = open_text(parse_spec(f"hf:{folder}"), "text").load(["cpu"]).encode(TEXTS)
    np.testing.assert_allclose(rows, encoder("mean").encode(TEXTS), **EXACT)


def test_no_tokenizer(tmp_path):
    folder = tiny.make_sentence_bert(tmp_path / "sb")
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)
    refused(f"hf:{folder}", "has no tokenizer")


def test_damaged_files(tmp_path):
    folder = tiny.make_sentence_bert(tmp_path / "sb")
    (folder / "modules.json").write_text("[{}]")
    refused(f"hf:{folder}", r"modules\.json: is damaged")
    (folder / "modules.json").write_text("[{")
    refused(f"hf:{folder}", r"modules\.json: cannot be read")


def test_numbers_that_are_not_finite(tmp_path):
    folder = tiny.make_sentence_bert(tmp_path / "sb")
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    weights["embeddings.LayerNorm.bias"] += torch.inf
    safetensors.torch.save_file(weights, folder / "model.safetensors", {"format": "pt"})
    encoder = open_text(parse_spec(f"hf:{folder}?dtype=float16"), "text").load(["cpu"])
    with pytest.raises(EncoderError, match=r"not finite in float16.*bfloat16"):
        encoder.encode(["a", "b"])
    # One text alone may be at fault, which is its title's failure and no other's.
    with pytest.raises(TitleDataError, match=r"not finite in float16.*bfloat16"):
        encoder.encode(["a"])


def test_wrong_options(folder):
    refused(f"hf:{folder('mean')}?dtypes=float16", "did you mean 'dtype'")
    refused(f"hf:{folder('mean')}?dtype=int8", "no precision 'int8'")


def test_the_extra_is_named(folder, monkeypatch):
    real = hf_text.importlib.util.find_spec
    monkeypatch.setattr(
        hf_text.importlib.util,
        "find_spec",
        lambda name: None if name == "sentence_transformers" else real(name),
    )
    with pytest.raises(MissingExtraError, match=r"sentence-transformers.*mediafm\[hf\]"):
        open_text(parse_spec(f"hf:{folder('mean')}"), "text")
