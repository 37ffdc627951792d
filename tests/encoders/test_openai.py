"""Choosing an encoder behind an API, its key, and what it costs."""

import base64
import importlib.util
import logging
import pickle
import traceback

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("httpx")
pytest.importorskip("tenacity")

from api_kit import KEY, TEXTS, Notes, expected, make
from embedding_server import EmbeddingServer, Reply, refusal

from mediafm.encoders.api import tokens
from mediafm.encoders.api.answers import (
    Secret,
)
from mediafm.encoders.api.client import Endpoint, Limits, Patience
from mediafm.encoders.api.openai import open_text
from mediafm.encoders.api.text import LONGEST_TEXT
from mediafm.encoders.api.tokens import Tokens, cut_bytes, local_tokenizer
from mediafm.encoders.spec import parse_spec
from mediafm.errors import EncoderError, MissingExtraError

pytestmark = pytest.mark.usefixtures("environment")


# The key


def rendered(error):
    """Everything that a traceback could show of our code and below, local variables included."""
    shown = "".join(traceback.format_exception(error)) + repr(error)
    seen = {id(error)}
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_filename != __file__:
                shown += repr(frame.f_locals)
        error = error.__cause__ or error.__context__
        if id(error) in seen:
            break
        seen.add(id(error))
    return shown


@pytest.mark.parametrize(
    "reply",
    [
        Reply(),
        refusal(401, f"Incorrect API key provided: {KEY}"),
        refusal(400, f"header Authorization: Bearer {KEY} is odd"),
        refusal(403, KEY),
        Reply(200, {"error": {"message": KEY}}),
        refusal(503, KEY),
        Reply(200, None, cut=True),
        refusal(429, KEY, "insufficient_quota"),
    ],
)
def test_the_key_shows_nowhere(server, caplog, reply):
    server.always = reply
    patience = Patience(1.0, 1.0, first=0.01, longest=0.02, outage=0.1, damaged=1)
    notes = Notes()
    with caplog.at_level(logging.DEBUG):
        encoder = make(server, key=KEY, patience=patience, notify=notes)
        shown = repr(vars(encoder)) + repr(vars(encoder._client)) + repr(encoder.info)
        try:
            encoder.encode(TEXTS)
        except EncoderError as error:
            shown += rendered(error)
        else:
            assert reply.content is None
    assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"
    assert any(record.name.startswith("httpcore") for record in caplog.records)
    assert KEY not in caplog.text + shown + "".join(notes)
    assert "SECRETSECRET" not in caplog.text + shown


def test_a_key_that_cannot_be_sent_is_not_quoted(monkeypatch):
    for bad in (f"{KEY}\nX: y", f"{KEY}…", f"{KEY} b"):
        monkeypatch.setenv("OPENAI_API_KEY", bad)
        with pytest.raises(EncoderError, match="is no key") as caught:
            open_text(parse_spec("openai:text-embedding-3-small"), "text")
        assert "SECRET" not in rendered(caught.value)


def test_the_key_is_not_pickled():
    secret = Secret(KEY)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert "SECRET" not in f"{secret} {secret!r} {Endpoint('u', 'm', key=secret)}"


@pytest.mark.parametrize(
    "text",
    [
        f"openai:m?base_url=https://user:{KEY}@host/v1",
        f"openai:m?base_url=https://{KEY}@host/v1",
        f"openai:m?base_url=https://host/v1?api_key={KEY}",
        f"openai:m?base_url=https://host/v1%23{KEY}",
        f"openai:m?base_url=https://host:{KEY}/v1",
        f"openai:m?base_url=ftp://host/{KEY}",
        f"openai:m?api_key={KEY}",
        f"openai:m?key_env={KEY}",
        f"openai:m?base_url=https://u:{KEY}@host/v1&nonsense=1",
    ],
)
def test_secrets_in_a_name_are_refused_without_quoting_them(text):
    with pytest.raises(EncoderError) as caught:
        open_text(parse_spec(text), "text")
    assert "SECRET" not in str(caught.value)
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))


def test_secrets_in_the_environments_address_are_refused(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", f"https://u:{KEY}@host/v1")
    with pytest.raises(EncoderError, match="OPENAI_BASE_URL carries a password") as caught:
        open_text(parse_spec("openai:m"), "text")
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))


# Choosing one


def opened(text, modality="text"):
    return open_text(parse_spec(text), modality)


def test_openai_by_default(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    source = opened("openai:text-embedding-3-large?dimensions=768&rpm=10&price=5")
    assert source.endpoint.url == "https://api.openai.com/v1"
    assert source.info.dim == 768
    assert source.info.name == "openai:text-embedding-3-large?dimensions=768"
    assert source.info.settings == {"model": "text-embedding-3-large", "dimensions": "768"}
    assert opened(source.info.name).info == source.info
    assert KEY not in repr(source)
    whole = opened("openai:text-embedding-3-large")
    assert whole.info.dim == 3072
    same = opened("openai:text-embedding-3-large?dimensions=3072")
    assert whole.info.fingerprint == same.info.fingerprint != source.info.fingerprint
    assert opened("openai:text-embedding-3-small").info.dim == 1536
    assert opened("openai:text-embedding-ada-002").info.dim == 1536
    encoder = source.load(["cpu"])
    assert encoder._client._body == {
        "model": "text-embedding-3-large",
        "dimensions": 768,
        "encoding_format": "base64",
    }


def test_limits_are_no_part_of_the_fingerprint(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    one = opened("openai:text-embedding-3-small")
    other = opened("openai:text-embedding-3-small?concurrency=9&rpm=3.5&tpm=1e6&price=0")
    assert one.info == other.info
    assert (other.limits, other.price) == (Limits(9, 3.5, 1e6), 0)


def test_the_width_of_an_unknown_model_is_asked_for(server):
    source = opened(f"openai:bge?base_url={server.url}/")
    assert source.info.dim == 8
    assert len(server.seen) == 1
    assert "dimensions" not in server.seen[0].body
    assert opened(source.info.name).info == source.info
    vectors = source.load([]).encode(["a"])
    assert np.array_equal(vectors, expected(["a"]))
    moved = EmbeddingServer()
    try:
        elsewhere = opened(f"openai:bge?base_url={moved.url}")
    finally:
        moved.stop()
    # Another server may call another model so.
    assert elsewhere.info.fingerprint != source.info.fingerprint
    assert elsewhere.info.settings["host"] == moved.url.split("/")[2]


def test_dimensions_are_sent_and_nobody_is_asked(server):
    source = opened(f"openai:bge?dimensions=5&base_url={server.url}")
    assert server.seen == []
    assert source.load([]).encode(["a", "b"]).shape == (2, 5)
    assert server.seen[0].body["dimensions"] == 5


def test_where_the_key_goes(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("MY_KEY", "abc")

    def key(text):
        return opened(text).endpoint.key.reveal()

    # An address in a name may have come with a catalog: it gets no key that was not named for it.
    assert key(f"openai:m?dimensions=4&base_url={server.url}") == ""
    assert key(f"openai:m?dimensions=4&base_url={server.url}&key_env=MY_KEY") == "abc"
    assert key("openai:m?dimensions=4") == KEY
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    assert key("openai:m?dimensions=4") == KEY
    assert key(f"openai:m?dimensions=4&base_url={server.url}") == KEY


def test_the_environments_address_is_found_again(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    at_openai = opened("openai:m?dimensions=4").info
    assert "host" not in at_openai.settings
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/")
    there = opened("openai:m?dimensions=4")
    assert there.info.fingerprint != at_openai.fingerprint
    assert there.info.name == f"openai:m?dimensions=4&base_url={server.url}"
    again = opened(there.info.name)
    assert (again.info, again.endpoint.key.reveal()) == (there.info, KEY)
    # Elsewhere the name leads to the same endpoint, which gets no key that was not meant for it.
    monkeypatch.delenv("OPENAI_BASE_URL")
    again = opened(there.info.name)
    assert (again.info, again.endpoint.url) == (there.info, there.endpoint.url)
    assert again.endpoint.key.reveal() == ""


def test_the_address_of_openai_says_nothing_new(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    plain = opened("openai:m?dimensions=4").info
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.openai.com/v1/")
    assert opened("openai:m?dimensions=4").info == plain


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://HOST/v1", "http://host:80/v1/", True),
        ("http://host/v1", "http://host/v2", True),
        ("http://host:8080/v1", "http://host/v1", False),
        ("https://eu.api.openai.com/v1", "https://host/v1", False),
    ],
)
def test_the_host_counts_however_it_is_written(one, other, same):
    seen = {
        opened(f"openai:m?dimensions=4&base_url={url}").info.fingerprint for url in (one, other)
    }
    assert (len(seen) == 1) == same


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("openai:text-embedding-3-large", "no key in the environment variable OPENAI_API_KEY"),
        ("openai:m?key_env=MY_KEY&base_url=http://h/v1", "environment variable MY_KEY"),
        ("openai:m?dimension=3", "did you mean 'dimensions'"),
        ("openai:m?dimensions=0", "dimensions is a number above 0, not '0'"),
        ("openai:m?dimensions=x", "not 'x'"),
        ("openai:m?rpm=nan", "rpm is a number above 0"),
        ("openai:m?concurrency=-1", "concurrency is a number above 0"),
        ("openai:text-embedding-3-large?dimensions=4000", "has 3072 dimensions, not 4000"),
        ("openai:text-embedding-ada-002?dimensions=256", "leave dimensions out"),
        ("openai:m?base_url=localhost:8080", "base_url is no address"),
    ],
)
def test_wrong_choices(monkeypatch, text, said):
    if "no key" not in said and "MY_KEY" not in said:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(EncoderError) as caught:
        opened(text)
    assert said in str(caught.value)


def test_the_extra_is_named(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "mediafm.encoders.api.openai.find_spec",
        lambda name: None if name == "tenacity" else real(name),
    )
    with pytest.raises(MissingExtraError, match=r"tenacity.*pip install 'mediafm\[api\]'"):
        opened("openai:m")


# Tokens and their price


def test_an_estimate_asks_nobody(server):
    encoder = make(server, price=0.13)
    estimate = encoder.estimate(["a" * 300, "word " * 50_000])
    assert (estimate.texts, estimate.tokens, estimate.exact) == (2, 75 + LONGEST_TEXT, False)
    assert estimate.dollars == pytest.approx(estimate.tokens * 0.13e-6)
    assert make(server, price=None).estimate(["a"]).dollars is None
    assert server.seen == []


@pytest.mark.parametrize(
    ("text", "real"),
    [
        # Counted with tiktoken's cl100k_base.
        ("The quick brown fox jumps over the lazy dog.", 10),
        ("Hello, world!", 4),
        ("tiktoken is great!", 6),
        ("お誕生日おめでとう", 9),
        ("antidisestablishmentarianism", 6),
        ("2 + 2 = 4", 7),
    ],
)
def test_estimates_err_on_the_high_side(text, real):
    assert real <= Tokens().count(text) <= 2.1 * real


class Letters:
    """A tokenizer of one token per byte."""

    def encode_ordinary(self, text):
        return list(text.encode())

    def decode_bytes(self, tokens):
        return bytes(tokens)


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=60), st.integers(10, 50), st.sampled_from([None, Letters()]))
def test_a_cut_text_begins_the_whole_and_fits(text, most, tokenizer):
    counter = Tokens(tokenizer)
    for cut in (counter.cut(text, most), cut_bytes(text, most)):
        assert text.startswith(cut)
        assert counter.count(cut) <= most
    if counter.count(text) <= most:
        assert counter.cut(text, most) == text


def test_no_tokenizer_is_downloaded(tmp_path, monkeypatch):
    def no_network(*_):
        raise AssertionError("asked the network")

    monkeypatch.setattr("socket.socket.connect", no_network)
    monkeypatch.setattr("socket.getaddrinfo", no_network)
    monkeypatch.delenv("DATA_GYM_CACHE_DIR")
    for folder in ("", str(tmp_path)):
        monkeypatch.setenv("TIKTOKEN_CACHE_DIR", folder)
        assert local_tokenizer() is None
    # A damaged file would be deleted and downloaded anew.
    name = tokens.hashlib.sha1(tokens._URL.encode()).hexdigest()
    (tmp_path / name).write_bytes(b"IQ== 0\n")
    assert local_tokenizer() is None
    assert (tmp_path / name).exists()


def test_a_tokenizer_at_hand_is_used(tmp_path, monkeypatch):
    tiktoken = pytest.importorskip("tiktoken")
    ranks = b"".join(base64.b64encode(bytes([i])) + b" %d\n" % i for i in range(256))
    name = tokens.hashlib.sha1(tokens._URL.encode()).hexdigest()
    (tmp_path / name).write_bytes(ranks)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(tokens, "_SHA256", tokens.hashlib.sha256(ranks).hexdigest())
    monkeypatch.setattr(
        tiktoken,
        "get_encoding",
        lambda name: tiktoken.Encoding(
            name,
            pat_str=r"\S+|\s+",
            mergeable_ranks={bytes([i]): i for i in range(256)},
            special_tokens={},
        ),
    )
    counter = Tokens(local_tokenizer())
    assert counter.exact
    assert counter.count("äbc") == 4
    assert counter.cut("ä" * 20, 21) == "ä" * 6
