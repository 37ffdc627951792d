"""Answers that are wrong, refusals, and what headers say."""

import base64
import json
import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("httpx")
pytest.importorskip("tenacity")

from api_kit import KEY, QUICK, TEXTS, Notes, expected, make
from embedding_server import Reply, changed, refusal

from mediafm.encoders.api.answers import (
    DamagedAnswerError,
    asked_pause,
    read_error,
    read_vectors,
)
from mediafm.encoders.api.client import Client, Endpoint
from mediafm.encoders.api.text import ApiText
from mediafm.encoders.base import EncoderInfo
from mediafm.errors import EncoderError

pytestmark = pytest.mark.usefixtures("environment")


# Reading


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(1, 5), st.data())
def test_answers_are_read_whatever_their_form(count, dim, data):
    rows = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=(count, dim))
    rows = rows.astype(np.float32)
    items = []
    for i in data.draw(st.permutations(range(count))):
        short = data.draw(st.booleans())
        row = base64.b64encode(rows[i].tobytes()).decode() if short else rows[i].tolist()
        items.append({"index": i, "embedding": row})
    assert np.array_equal(read_vectors(json.dumps({"data": items}).encode(), count), rows)


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=4) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["data", "index", "embedding", "error", "message", "code"]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=8,
    )
)
def test_no_answer_whatsoever_gives_vectors_that_are_not_there(answer):
    content = json.dumps(answer).encode()
    read_error(content)
    try:
        x_ND = read_vectors(content, 1)
    except DamagedAnswerError:
        return
    assert x_ND.shape[0] == 1
    assert np.isfinite(x_ND).all()
    assert x_ND.any()


def test_headers_that_ask_for_a_pause():
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)
    date = format_datetime(now, usegmt=True)
    assert asked_pause({"retry-after": later, "date": date}, 1) == 90
    assert asked_pause({"retry-after": date, "date": later}, 1) == 0
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=50), usegmt=True)
    assert 45 < asked_pause({"retry-after": soon}, 1) <= 50
    assert asked_pause({"retry-after": "-5"}, 1) == 0
    for nonsense in ("", "nan", "inf", "soon", "Mon, 99 Foo"):
        assert asked_pause({"retry-after": nonsense}, 1) is None

    def limit(kind, left, reset):
        return {f"x-ratelimit-remaining-{kind}": left, f"x-ratelimit-reset-{kind}": reset}

    assert asked_pause(limit("requests", "0", "6m0s"), 1) == 360
    assert asked_pause(limit("requests", "0", "1h2m3.5s"), 1) == 3723.5
    assert asked_pause(limit("requests", "0", "20ms"), 1) == pytest.approx(0.02)
    assert asked_pause(limit("requests", "0", "2"), 1) == 2
    assert asked_pause(limit("requests", "99", "8.64s"), 1) is None
    assert asked_pause(limit("tokens", "500", "1.5s"), 600) == 1.5
    assert asked_pause(limit("tokens", "500", "1.5s"), 400) is None
    assert asked_pause(limit("tokens", "0", "never"), 1) is None


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=12), st.text(alphabet="0123456789.dhms", max_size=12))
def test_no_header_breaks_us(after, reset):
    headers = {"retry-after": after, "x-ratelimit-remaining-tokens": "0"}
    asked = asked_pause({**headers, "x-ratelimit-reset-tokens": reset}, 1)
    assert asked is None or (asked >= 0 and math.isfinite(asked))


# Answers that are wrong


def nan(answer):
    answer["data"][0]["embedding"][0] = math.nan


def null(answer):
    answer["data"][0]["embedding"][0] = None


def string(answer):
    answer["data"][0]["embedding"] = ["0.5"] * 8


def huge(answer):
    answer["data"][0]["embedding"][0] = 1e300


def zero(answer):
    answer["data"][0]["embedding"] = [0.0] * 8


def nested(answer):
    answer["data"][0]["embedding"] = [[0.5] * 8]


def missing(answer):
    answer["data"].pop()


def doubled(answer):
    answer["data"][1]["index"] = 0


def narrower(answer):
    answer["data"][1]["embedding"].pop()


def empty(answer):
    answer["data"] = []


def failed(answer):
    return {"error": {"message": "the model fell over", "code": 500}}


def no_json(answer):
    return b"<html>502</html>"


def no_base64(answer):
    answer["data"][0]["embedding"] = "AAA"


WRONG = {
    nan: "not finite",
    null: "no list of numbers",
    string: "no list of numbers",
    huge: "not finite",
    zero: "all zero",
    nested: "no list of numbers",
    missing: "4 embeddings for 5 texts",
    doubled: "indexes",
    narrower: "several widths",
    empty: "0 embeddings for 5 texts",
    failed: "the model fell over",
    no_json: "not JSON",
    no_base64: "base64",
}


@pytest.mark.parametrize("change", WRONG, ids=lambda change: change.__name__)
def test_a_wrong_answer_is_asked_for_again_and_never_used(server, change):
    server.script.extend([changed(change)] * 2)
    notes = Notes()
    assert np.array_equal(make(server, notify=notes).encode(TEXTS), expected(TEXTS))
    assert len(notes) == 2
    assert "gave an answer that cannot be used" in notes[0]
    assert WRONG[change] in notes[0]


@pytest.mark.parametrize("change", [nan, no_json], ids=lambda change: change.__name__)
def test_a_server_that_only_answers_wrong_is_an_error(server, change):
    server.always = changed(change)
    with pytest.raises(EncoderError, match="4 answers that cannot be used") as caught:
        make(server).encode(TEXTS)
    assert WRONG[change] in str(caught.value)
    assert len(server.seen) == 4


def test_another_width_is_an_error_at_once(server):
    server.dim = 12
    with pytest.raises(EncoderError, match="gave vectors of 12 numbers, not 8") as caught:
        make(server).encode(TEXTS)
    assert "leave dimensions out" in caught.value.do
    assert len(server.seen) == 1


def test_another_width_of_a_known_model_says_what_to_write(server):
    endpoint = Endpoint(server.url, "text-embedding-3-small")
    encoder = ApiText(EncoderInfo("text", "x", 1536), Client(endpoint, patience=QUICK))
    with pytest.raises(EncoderError, match="write dimensions=8"):
        encoder.encode(["a"])


# Refusals


@pytest.mark.parametrize(
    ("reply", "key", "said"),
    [
        (refusal(401, f"Incorrect API key: {KEY}"), KEY, ["is not accepted", "OPENAI_API_KEY"]),
        (refusal(401), "", ["key is missing", "key_env=NAME"]),
        (refusal(403, f"{KEY} may not"), KEY, ["may not do this", "*** may not", "OPENAI_API_KEY"]),
        (refusal(404, "no model"), KEY, ["there is no model 'm'", "base_url", "no model"]),
        (Reply(404, b"<html>\x1b[31mnope\n"), KEY, ["<html> [31mnope"]),
        (refusal(400, "bad input " * 99), KEY, ["refuses", "bad input", "…"]),
        (Reply(422, {"detail": [{"msg": "nope"}]}), KEY, ["HTTP 422", "nope"]),
        (Reply(301, b"", {"Location": "http://127.0.0.1:9/"}), KEY, ["HTTP 301"]),
        (refusal(429, "You ran out.", "insufficient_quota"), KEY, ["quota is used up", "billing"]),
    ],
)
def test_refusals_are_one_clear_line_and_not_repeated(server, reply, key, said):
    server.always = reply
    with pytest.raises(EncoderError) as caught:
        make(server, key=key).encode(["a"])
    line = str(caught.value)
    assert len(server.seen) == 1
    assert all(part in line for part in said), line
    assert line.isprintable()
    assert len(line) < 450
    assert KEY not in line
