"""Texts to vectors by an API: requests of a bounded size, several at a time, each kept at once."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator, Sequence

import numpy as np

from mediafm.encoders.api.client import Client, StoppedError, TooMuchError
from mediafm.encoders.api.openai import MODELS
from mediafm.encoders.api.tokens import Tokens, cut_bytes, local_tokenizer
from mediafm.encoders.base import EncoderInfo, Estimate, Vectors
from mediafm.errors import EncoderError, TitleDataError

MOST_TEXTS = 2048
MOST_TOKENS = 100_000
LONGEST_TEXT = 8191
"""Tokens; this and the number of texts are limits of OpenAI's, which other servers follow or are
stricter about. Theirs for the tokens of a request is three times ours."""

_LOG = logging.getLogger("mediafm")

Places = list[int]
_Result = tuple[Places, Vectors] | Exception | None


class ApiText:
    """A text encoder behind an API.

    Args:
        info: What decides its vectors.
        client: Asks the endpoint.
        price: Dollars per million tokens, ``None`` where it is not known.
        request_tokens: Tokens of a request at most.
    """

    def __init__(
        self,
        info: EncoderInfo,
        client: Client,
        *,
        price: float | None = None,
        request_tokens: int = MOST_TOKENS,
    ):
        self.info = info
        self._client, self._price = client, price
        tpm = client.limits.tpm
        self._request_tokens = min(request_tokens, int(tpm)) if tpm else request_tokens
        self._most = MOST_TEXTS
        known = client.endpoint.model in MODELS
        self._tokens = Tokens(local_tokenizer() if known else None)
        self._running: set[threading.Event] = set()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See :class:`~mediafm.encoders.base.TextEncoder`; the length of rows is the server's.

        Raises:
            EncoderError: The endpoint refuses, or did not answer for too long.
            TitleDataError: It refuses one of the texts.
        """
        x_ND = np.zeros((len(texts), self.info.dim), dtype=np.float32)
        for places, vectors in self.encode_batches(texts):
            x_ND[places] = vectors
        return x_ND

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """See :class:`~mediafm.encoders.base.QueryEncoder`."""
        return self.encode(texts)

    def estimate(self, texts: Sequence[str]) -> Estimate:
        """See :class:`~mediafm.encoders.base.PaidEncoder`."""
        tokens = sum(min(self._tokens.count(_clean(text)), LONGEST_TEXT) for text in texts)
        dollars = None if self._price is None else tokens * self._price / 1e6
        return Estimate(len(texts), tokens, self._tokens.exact, dollars)

    def close(self) -> None:
        """Ends what is running in other threads, pauses included, with an error."""
        for stop in tuple(self._running):
            stop.set()

    def encode_batches(self, texts: Sequence[str]) -> Iterator[tuple[Places, Vectors]]:
        """Encodes texts and gives every request's vectors as soon as they are there.

        Args:
            texts: None of them empty.

        Yields:
            Places of texts and their vectors, in no order, each place once. When it raises, what
            was paid for has been given before.

        Raises:
            EncoderError: The endpoint refuses, or did not answer for too long.
            TitleDataError: It refuses one of the texts.
        """
        run = _Run(self._client, self.info, *self._prepare(texts))
        batches = run.batches(self._request_tokens, self._most)
        if not batches:
            return
        self._running.add(run.stop)
        # Daemons: an interrupt must not wait for what they wait for.
        for _ in range(min(self._client.limits.concurrency, len(texts))):
            threading.Thread(target=run.work, name="mediafm-api", daemon=True).start()
            run.workers += 1
        for batch in batches:
            run.todo.put(batch)
        try:
            yield from run.results(len(texts))
        finally:
            run.end()
            self._running.discard(run.stop)
            self._most = min(self._most, run.most)

    def _prepare(self, texts: Sequence[str]) -> tuple[list[str], list[int]]:
        ready, counts, cut = [], [], 0
        for text in map(_clean, texts):
            tokens = self._tokens.count(text)
            if tokens > LONGEST_TEXT:
                text = self._tokens.cut(text, LONGEST_TEXT)  # noqa: PLW2901
                tokens, cut = LONGEST_TEXT, cut + 1
            ready.append(text)
            counts.append(tokens)
        if cut:
            _LOG.warning("%d texts are longer than %d tokens and were cut", cut, LONGEST_TEXT)
        return ready, counts


class _Run:
    """One call's texts on their way through the workers."""

    def __init__(self, client: Client, info: EncoderInfo, texts: list[str], tokens: list[int]):
        self._client, self._info = client, info
        self._texts, self._tokens = texts, tokens
        self.todo: queue.SimpleQueue[Places | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[_Result] = queue.SimpleQueue()
        self.stop = threading.Event()
        self.workers = 0
        self.most = MOST_TEXTS

    def batches(self, budget: int, most: int) -> list[Places]:
        """Texts in their order, in requests that keep to both limits."""
        batches: list[Places] = []
        total = 0
        self.most = most
        for i, tokens in enumerate(self._tokens):
            if not batches or len(batches[-1]) == most or total + tokens > budget:
                batches.append([])
                total = 0
            batches[-1].append(i)
            total += tokens
        return batches

    def work(self) -> None:
        """Takes one batch after the other; ends at ``None``."""
        while (places := self.todo.get()) is not None:
            try:
                self._send(places)
            except Exception as error:
                self._done.put(error)
        self._done.put(None)

    def _send(self, places: Places) -> None:
        if self.stop.is_set():
            raise StoppedError
        if len(places) > self.most:
            return self._divide(places)
        try:
            vectors = self._ask(places)
        except TooMuchError as error:
            if len(places) > 1:
                if error.inputs:
                    self.most = min(self.most, len(places) // 2)
                return self._divide(places)
            vectors = self._ask_shorter(places, error)
        self._done.put((places, vectors))
        return None

    def _divide(self, places: Places) -> None:
        half = len(places) // 2
        self.todo.put(places[:half])
        self.todo.put(places[half:])

    def _ask_shorter(self, places: Places, error: TooMuchError) -> Vectors:
        (i,) = places
        # The estimate was too low; no text of so many bytes has more tokens than the model takes.
        shorter = cut_bytes(self._texts[i], LONGEST_TEXT)
        if shorter != self._texts[i]:
            _LOG.warning("a text is too long for the endpoint and was cut (%s)", error.message)
            self._texts[i] = shorter
            try:
                return self._ask(places)
            except TooMuchError as second:
                error = second
        # The text's fault: other titles may go on.
        raise TitleDataError(
            f"{self._client.endpoint} refuses a text ({error.message}), which begins "
            f"'{shorter[:40]}'"
        )

    def _ask(self, places: Places) -> Vectors:
        tokens = sum(self._tokens[i] for i in places)
        x_ND = self._client.embed([self._texts[i] for i in places], tokens, self.stop)
        width, dim = x_ND.shape[1], self._info.dim
        if width != dim:
            raise EncoderError(
                f"the endpoint gave vectors of {width} numbers, not {dim}",
                where=str(self._client.endpoint),
                do=f"write dimensions={width} in the encoder's name"
                if self._client.endpoint.model in MODELS
                else "leave dimensions out of the encoder's name",
            )
        return x_ND

    def results(self, count: int) -> Iterator[tuple[Places, Vectors]]:
        """What the workers bring, until all texts are there or one request has failed."""
        while count:
            result = self._done.get()
            if isinstance(result, tuple):
                count -= len(result[0])
                yield result
            elif result is not None:
                yield from self._last_results()
                raise _closed(self._client) if isinstance(result, StoppedError) else result

    def _last_results(self) -> Iterator[tuple[Places, Vectors]]:
        """Stops the workers and waits for the requests that are in flight: they are paid for."""
        self.end()
        while self.workers:
            result = self._done.get()
            if result is None:
                self.workers -= 1
            elif isinstance(result, tuple):
                yield result

    def end(self) -> None:
        """Lets the workers end once they have finished their requests."""
        self.stop.set()
        for _ in range(self.workers):
            self.todo.put(None)


def _closed(client: Client) -> EncoderError:
    return EncoderError("the encoder was closed", where=str(client.endpoint))


def _clean(text: str) -> str:
    """Replaces lone surrogates, which no request can carry."""
    return text.encode("utf-8", "replace").decode()
