"""Requests to an endpoint that answers well, badly and not at all."""

import logging
import os
import signal
import threading
import time

import numpy as np
import pytest

pytest.importorskip("httpx")
pytest.importorskip("tenacity")

from api_kit import ENDLESS, QUICK, TEXTS, Notes, expected, make
from embedding_server import EmbeddingServer, Reply, after, all_at_once, changed, refusal

from mediafm.encoders.api.client import Client, Endpoint, Limits, Patience
from mediafm.encoders.api.text import LONGEST_TEXT, ApiText
from mediafm.encoders.api.tokens import Tokens
from mediafm.encoders.base import EncoderInfo, PaidEncoder, QueryEncoder
from mediafm.errors import EncoderError, TitleDataError

pytestmark = pytest.mark.usefixtures("environment")


# What a good server gives


def test_vectors_in_the_order_of_the_texts(server):
    encoder = make(server)
    assert np.array_equal(encoder.encode(TEXTS), expected(TEXTS))
    assert np.array_equal(encoder.encode_queries(TEXTS[:1]), expected(TEXTS[:1]))
    assert isinstance(encoder, QueryEncoder)
    assert isinstance(encoder, PaidEncoder)
    assert server.seen[0].path == "/v1/embeddings"
    assert server.seen[0].body == {"model": "m", "input": TEXTS}
    assert "authorization" not in server.seen[0].headers


def test_no_texts_ask_nobody(server):
    assert make(server).encode([]).shape == (0, 8)
    assert server.seen == []


def test_an_answer_out_of_order_is_sorted(server):
    server.always = changed(lambda answer: answer["data"].reverse())
    assert np.array_equal(make(server).encode(TEXTS), expected(TEXTS))


def test_an_answer_without_indexes_is_taken_in_its_order(server):
    server.always = changed(lambda answer: [item.pop("index") for item in answer["data"]] and None)
    assert np.array_equal(make(server).encode(TEXTS), expected(TEXTS))


def test_lone_surrogates_do_not_break_a_request(server):
    assert make(server).encode(["a\ud800b"]).shape == (1, 8)
    assert server.seen[0].texts == ["a?b"]


# Requests


def test_batches_keep_to_both_limits_and_cover_all(server):
    texts = [f"{i} " + "word " * (i % 7) for i in range(50)]
    encoder = make(server, most=20)
    assert np.array_equal(encoder.encode(texts), expected(texts))
    count = Tokens().count
    for seen in server.seen:
        assert sum(map(count, seen.texts)) <= 20 or len(seen.texts) == 1
    assert sorted(text for seen in server.seen for text in seen.texts) == sorted(texts)


def test_at_most_2048_inputs(server):
    texts = [str(i) for i in range(2050)]
    assert make(server).encode(texts).shape == (2050, 8)
    assert sorted(len(seen.texts) for seen in server.seen) == [2, 2048]


def test_several_requests_at_a_time_and_no_more(server):
    server.always = all_at_once(3, Reply(delay=0.05))
    encoder = make(server, limits=Limits(concurrency=3), most=1)
    encoder.encode([str(i) for i in range(9)])
    assert len(server.seen) == 9  # none was dropped because the others did not come
    assert server.most_in_flight == 3


def test_batches_come_as_they_complete(server):
    others = threading.Event()
    server.script.append(after(others, Reply()))
    texts, places = ["a", "b", "c"], []
    for place, _ in make(server, most=1).encode_batches(texts):
        places += place
        if len(places) == 2:
            others.set()
    assert texts[places[-1]] == server.seen[0].texts[0]
    assert sorted(places) == [0, 1, 2]
    assert np.array_equal(make(server, most=1).encode(texts), expected(texts))


def test_the_pace_of_requests_is_kept(server):
    encoder = make(server, limits=Limits(concurrency=4, rpm=1200), most=1)
    start = time.monotonic()
    encoder.encode([str(i) for i in range(6)])
    whens = sorted(seen.when for seen in server.seen)
    assert all(when >= start + 0.05 * i for i, when in enumerate(whens))


def test_the_pace_of_tokens_is_kept(server):
    texts = ["x" * 40] * 4  # 10 tokens each
    encoder = make(server, limits=Limits(tpm=6000), most=10)
    start = time.monotonic()
    encoder.encode(texts)
    whens = sorted(seen.when for seen in server.seen)
    assert len(whens) == 4
    assert all(when >= start + 0.1 * i for i, when in enumerate(whens))


def test_a_request_holds_no_more_tokens_than_a_minute_allows(server):
    texts = ["word"] * 70
    run = make(server, limits=Limits(tpm=60)).encode_batches(texts)
    assert next(run)[0] == list(range(60))
    run.close()


def test_a_long_text_is_cut_and_said(server, caplog):
    text = "word " * 20_000
    with caplog.at_level(logging.WARNING, "mediafm"):
        make(server).encode(["short", text])
    (seen,) = server.seen
    assert text.startswith(seen.texts[1])
    assert LONGEST_TEXT - 2 <= Tokens().count(seen.texts[1]) <= LONGEST_TEXT
    assert "1 texts are longer than 8191 tokens and were cut" in caplog.text


def test_a_text_whose_estimate_was_too_low_is_cut_further(server, caplog):
    def strict(seen, right):
        if any(len(text.encode()) > 10_000 for text in seen.texts):
            return refusal(400, "This model's maximum context length is 8192 tokens, you sent 9000")
        return Reply()

    server.always = strict
    texts = ["a", "7f" * 10_000, "b"]
    x_ND = make(server).encode(texts)
    assert np.array_equal(x_ND, expected(["a", texts[1][:LONGEST_TEXT], "b"]))


def test_a_text_that_is_refused_is_its_titles_failure(server):
    server.always = lambda seen, right: (
        refusal(400, "maximum context length is 5 tokens") if "long" in str(seen.texts) else Reply()
    )
    texts = ["a", "a long one", "b"]
    encoder, got = make(server), []
    with pytest.raises(TitleDataError, match=r"openai:m at .* refuses a text .*'a long one'"):
        got.extend(encoder.encode_batches(texts))
    assert np.array_equal(encoder.encode(["a", "b"]), expected(["a", "b"]))


def test_a_server_with_small_batches_is_learned(server):
    server.always = lambda seen, right: (
        refusal(413, "batch size 20 > maximum allowed batch size 8")
        if len(seen.texts) > 8
        else Reply()
    )
    texts = [str(i) for i in range(40)]
    encoder = make(server)
    assert np.array_equal(encoder.encode(texts), expected(texts))
    refused = sum(len(seen.texts) > 8 for seen in server.seen)
    encoder.encode(texts)
    assert sum(len(seen.texts) > 8 for seen in server.seen) == refused


# Bad days


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_a_passing_failure_is_tried_again(server, status):
    server.script.extend([refusal(status)] * 2)
    notes = Notes()
    assert np.array_equal(make(server, notify=notes).encode(TEXTS), expected(TEXTS))
    assert len(notes) == 2
    assert notes[0].startswith(f"the endpoint does not answer (HTTP {status}); trying again in 0.")


def test_pauses_are_told_in_the_log_by_default(server, caplog):
    server.script.append(refusal(503))
    client = Client(Endpoint(server.url, "m"), patience=QUICK)
    with caplog.at_level(logging.WARNING, "mediafm"):
        ApiText(EncoderInfo("text", "m", 8), client).encode(["a"])
    assert "the endpoint does not answer (HTTP 503); trying again in" in caplog.text


@pytest.mark.parametrize("header", ["seconds", "ms", "reset"])
def test_the_pause_that_the_server_asks_for_is_kept(server, header):
    headers = {
        "seconds": {"Retry-After": "0.3"},
        "ms": {"retry_after_ms": "300", "Retry-After": "9"},
        "reset": {"x_ratelimit_remaining_requests": "0", "x_ratelimit_reset_requests": "300ms"},
    }[header]
    server.script.append(refusal(429, **headers))
    notes = Notes()
    make(server, notify=notes).encode(TEXTS)
    first, second = server.seen
    assert second.when - first.when >= 0.3
    assert notes[0].startswith("the endpoint asks for a pause (HTTP 429); trying again in 0.3 s")


def test_one_pause_for_all_requests(server):
    server.script.extend([all_at_once(4, Reply(503, b""))] * 4)
    notes = Notes()
    encoder = make(server, limits=Limits(concurrency=4), most=1, notify=notes)
    encoder.encode([str(i) for i in range(8)])
    assert len(notes) == 1


def test_a_slow_answer_is_given_up_and_asked_again(server):
    server.script.append(Reply(delay=0.9))
    patience = Patience(read=0.4, first=0.02)
    notes = Notes()
    encoder = make(server, patience=patience, notify=notes)
    assert np.array_equal(encoder.encode(TEXTS), expected(TEXTS))
    assert "waited too long for an answer" in notes[0]


def test_an_answer_that_is_cut_off_is_asked_again(server):
    server.script.append(Reply(cut=True))
    notes = Notes()
    assert np.array_equal(make(server, notify=notes).encode(TEXTS), expected(TEXTS))
    assert len(notes) == 1


def test_a_server_that_restarts_in_the_middle(server):
    texts = [str(i) for i in range(10)]
    patience = Patience(first=0.05, longest=0.1, outage=60.0)
    encoder = make(server, patience=patience, limits=Limits(concurrency=2), most=1)
    got, again, down = {}, [], threading.Event()

    def dying(seen, right):
        if int(seen.texts[0]) < 4:
            return Reply()
        down.wait(20)
        raise ConnectionResetError

    server.always = dying
    restart = threading.Timer(0.3, lambda: again.append(EmbeddingServer(port=server.port)))
    for places, vectors in encoder.encode_batches(texts):
        got.update(zip(places, vectors, strict=True))
        if len(got) == 3:
            server.stop()
            down.set()
            restart.start()
    again[0].stop()
    assert np.array_equal(np.stack([got[i] for i in range(10)]), expected(texts))
    assert len(again[0].seen) == 6


def test_patience_ends_and_what_was_paid_is_given(server):
    texts = [str(i) for i in range(6)]
    server.always = lambda seen, right: refusal(503) if int(seen.texts[0]) > 2 else Reply()
    patience = Patience(1.0, 1.0, first=0.02, longest=0.05, outage=0.2)
    encoder = make(server, patience=patience, most=1)
    got = []
    with pytest.raises(EncoderError, match="has not answered for 0") as caught:
        for places, _ in encoder.encode_batches(texts):
            got += places
    assert sorted(got) == [0, 1, 2]
    assert caught.value.do == "what was encoded is kept; run the same again when it answers"
    # The same outage: the next call does not wait for as long again.
    time.sleep(patience.longest)
    asked = len(server.seen)
    with pytest.raises(EncoderError):
        encoder.encode(["5"])
    assert len(server.seen) == asked + 1
    server.always = None
    assert np.array_equal(encoder.encode(["5"]), expected(["5"]))


def test_requests_in_flight_are_given_when_another_fails(server):
    there = threading.Barrier(3)

    def answer(seen, right):
        there.wait(20)
        return refusal(400, "no") if seen.texts == ["bad"] else Reply(delay=0.2)

    server.always = answer
    got = []
    with pytest.raises(EncoderError, match="no"):
        for places, _ in make(server, most=1).encode_batches(["a", "bad", "c"]):
            got += places
    assert sorted(got) == [0, 2]


def test_a_pause_longer_than_patience_is_not_waited_for(server):
    server.always = refusal(429, Retry_After="7200")
    with pytest.raises(EncoderError, match=r"asks for a pause of 2\.0 h \(HTTP 429\)"):
        make(server).encode(["a"])
    assert len(server.seen) == 1


def test_nobody_there():
    server = EmbeddingServer()
    server.stop()
    patience = Patience(first=0.01, longest=0.02, outage=0.1)
    with pytest.raises(EncoderError, match=r"has not answered.*[Cc]onnection refused"):
        make(server, patience=patience).encode(["a"])


# Ending it


def test_a_closed_encoder_ends_its_pauses(server):
    server.always = refusal(503)
    encoder = make(server, patience=ENDLESS, notify=lambda note: encoder.close())
    with pytest.raises(EncoderError, match="was closed"):
        encoder.encode(["a"])


@pytest.fixture
def ctrl_c():
    """Ctrl-C works even where the tests run in the background of a shell that ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("when", ["pause", "answer"])
def test_ctrl_c_interrupts_at_once(server, when, ctrl_c):
    def interrupt(*_):
        os.kill(os.getpid(), signal.SIGINT)

    never, given = threading.Event(), []

    def slow(seen, right):
        interrupt()
        given.append(never.wait(20))
        return Reply()

    server.always = refusal(503) if when == "pause" else slow
    encoder = make(server, patience=ENDLESS, notify=interrupt)
    with pytest.raises(KeyboardInterrupt):
        encoder.encode(["a", "b"])
    assert not given  # nobody waited for the answer
    never.set()


def test_an_abandoned_run_sends_nothing_more(server):
    closed = threading.Event()
    server.script.append(Reply())
    server.always = after(closed, Reply())
    run = make(server, limits=Limits(concurrency=1), most=1).encode_batches(list("abcdefgh"))
    next(run)
    run.close()
    closed.set()
    time.sleep(0.2)
    assert len(server.seen) <= 2  # the second was on its way
