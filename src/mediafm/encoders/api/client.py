"""Requests to an OpenAI-compatible ``/embeddings`` endpoint that survive its bad days.

A request that fails does so in one of three ways. It may pass (an outage, a rate limit, a damaged
answer): it is tried again, after a pause that all requests share. It may be too large
(:class:`TooMuchError`): the caller divides it. Or only the user can mend it: an ``EncoderError``.

Errors are raised ``from None``: what lies below them may quote headers.
"""

from __future__ import annotations

import logging
import random
import re
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_never

from mediafm.encoders.api.answers import (
    DamagedAnswerError,
    Secret,
    asked_pause,
    read_error,
    read_vectors,
)
from mediafm.encoders.base import Vectors
from mediafm.errors import EncoderError

OPENAI_URL = "https://api.openai.com/v1"

_LOG = logging.getLogger("mediafm")
_WILL_PASS = (408, 409, 425, 429)
_TOO_MUCH = re.compile(
    r"max(imum)?\b.{0,60}\b(tokens?|batch|inputs?)\b|context length|batch size"
    r"|too (long|large|many)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Endpoint:
    """Whom to ask for what.

    Args:
        url: Base address, without ``/embeddings``.
        model: What the model is called there.
        dimensions: Width to ask for; ``None`` leaves it to the model.
        key: Sent as bearer token; empty sends none.
        key_env: Environment variable that the user keeps the key in.
    """

    url: str
    model: str
    dimensions: int | None = None
    key: Secret = field(default_factory=lambda: Secret(""))
    key_env: str = "OPENAI_API_KEY"

    def __str__(self) -> str:
        return f"openai:{self.model} at {self.url}"


@dataclass(frozen=True)
class Limits:
    """What the endpoint lets one customer do.

    Args:
        concurrency: Requests in flight at a time.
        rpm: Requests per minute; ``None`` sets no pace.
        tpm: Tokens per minute; ``None`` sets no pace.
    """

    concurrency: int = 4
    rpm: float | None = None
    tpm: float | None = None

    def spacing(self, tokens: int) -> float:
        """Seconds from the start of a request to the start of the next."""
        by_requests = 60 / self.rpm if self.rpm else 0.0
        return max(by_requests, 60 * tokens / self.tpm if self.tpm else 0.0)


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds.

    Args:
        connect: For a connection.
        read: For the next bytes of an answer.
        first: First pause of an outage; each further one is twice as long.
        longest: Longest pause, unless the server asks for a longer one.
        outage: From the first failure on, without any request that succeeds.
        damaged: Damaged answers to one request that are forgiven (a number).
    """

    connect: float = 10.0
    read: float = 60.0
    first: float = 1.0
    longest: float = 60.0
    outage: float = 600.0
    damaged: int = 3


class TooMuchError(Exception):
    """The server takes no request of this size.

    Args:
        message: The server's words, scrubbed.
        inputs: Whether it complains about the number of inputs.
    """

    def __init__(self, message: str, inputs: bool):
        super().__init__(message)
        self.message, self.inputs = message, inputs


class StoppedError(Exception):
    """Nobody waits for the answer any more."""


class _PassingError(Exception):
    def __init__(self, reason: str, sent: float, asked: float | None = None, damaged: bool = False):
        super().__init__(reason)
        self.reason, self.sent, self.asked, self.damaged = reason, sent, asked, damaged


class _Bearer(httpx.Auth):
    """Puts the key on a request at the last moment, so that no client or header object keeps it."""

    def __init__(self, key: Secret):
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        yield request


class _Gate:
    """What all requests share: the pace that the limits allow, and the pause in force.

    One failure declares a pause for everybody; failures of requests that were sent before it was
    declared say nothing new and join it.
    """

    def __init__(
        self, where: str, limits: Limits, patience: Patience, notify: Callable[[str], None]
    ):
        self._where, self._limits, self._patience = where, limits, patience
        self._notify = notify
        self._lock = threading.Lock()
        self._next_start = 0.0
        self._declared = self._until = 0.0
        self._since: float | None = None
        self._level = 0

    def admit(self, tokens: int, stop: threading.Event) -> None:
        """Waits for the turn of a request."""
        while (left := self._until - time.monotonic()) > 0:
            sleep(left, stop)
        with self._lock:
            start = max(time.monotonic(), self._next_start)
            self._next_start = start + self._limits.spacing(tokens)
        sleep(start - time.monotonic(), stop)

    def worked(self) -> None:
        """A request succeeded: the outage, if there was one, is over."""
        with self._lock:
            self._since, self._level = None, 0

    def failed(self, failure: _PassingError) -> float:
        """Decides how long to wait.

        Raises:
            EncoderError: Patience is at its end.
        """
        patience = self._patience
        with self._lock:
            now = time.monotonic()
            if failure.sent < self._declared:
                return max(self._until - now, 0.0)
            # Kept beyond this call: the next title need not wait as long again for the same outage.
            self._since = now if self._since is None else self._since
            backoff = min(patience.first * 2.0 ** min(self._level, 30), patience.longest)
            self._level += 1
            if failure.asked is None:
                wait = backoff * random.uniform(0.5, 1)
            else:
                wait = max(failure.asked, backoff / 2) + random.uniform(0, patience.first)
            waited = now - self._since
            over = waited + wait > patience.outage
            if not over:
                self._declared, self._until = now, now + wait
        if over:
            self._give_up(failure, waited)
        asks = failure.asked is not None
        what = "asks for a pause" if asks else "does not answer"
        if failure.damaged:
            what = "gave an answer that cannot be used"
        self._notify(f"the endpoint {what} ({failure.reason}); trying again in {_span(wait)}")
        return wait

    def _give_up(self, failure: _PassingError, waited: float) -> NoReturn:
        if failure.asked is not None and failure.asked > self._patience.outage:
            what = f"the endpoint asks for a pause of {_span(failure.asked)} ({failure.reason})"
        else:
            what = f"the endpoint has not answered for {_span(waited)} ({failure.reason})"
        raise EncoderError(
            what,
            where=self._where,
            do="what was encoded is kept; run the same again when it answers",
        )


class Client:
    """Asks one endpoint for vectors; may be used from several threads.

    Args:
        endpoint: Whom to ask for what.
        limits: What the endpoint lets one customer do.
        patience: How long to wait for what.
        notify: Told once per pause, from any thread. By default a warning in the log.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        limits: Limits | None = None,
        patience: Patience | None = None,
        notify: Callable[[str], None] = _LOG.warning,
    ):
        self.endpoint = endpoint
        self.limits = limits or Limits()
        self._patience = patience = patience or Patience()
        self._gate = _Gate(str(endpoint), self.limits, patience, notify)
        # Floats in base64 are a quarter of the bytes and faster to read, but only OpenAI itself is
        # sure to know them; other servers may refuse what they do not know.
        self._body: dict[str, object] = {"model": endpoint.model}
        if endpoint.url == OPENAI_URL:
            self._body["encoding_format"] = "base64"
        if endpoint.dimensions is not None:
            self._body["dimensions"] = endpoint.dimensions
        self._http = httpx.Client(
            auth=_Bearer(endpoint.key) if endpoint.key else None,
            timeout=httpx.Timeout(patience.read, connect=patience.connect, pool=None),
            limits=httpx.Limits(max_connections=self.limits.concurrency),
            headers={"User-Agent": "mediafm"},
        )

    def embed(self, texts: Sequence[str], tokens: int, stop: threading.Event) -> Vectors:
        """Asks for the vectors of some texts until they are there.

        Args:
            texts: One request full of texts.
            tokens: Tokens in them, for the limits.
            stop: Ends every pause.

        Returns:
            ``x_ND`` as the server gives them, checked.

        Raises:
            TooMuchError: The request has to be divided.
            EncoderError: The server refuses, or its patience is at its end.
            StoppedError: ``stop`` was set during a pause.
        """
        damaged = 0

        def pause(state: RetryCallState) -> float:
            nonlocal damaged
            failure = state.outcome.exception() if state.outcome else None
            assert isinstance(failure, _PassingError)
            damaged += failure.damaged
            if damaged > self._patience.damaged:
                raise EncoderError(
                    f"the endpoint gave {damaged} answers that cannot be used ({failure.reason})",
                    where=str(self.endpoint),
                    do="what was encoded is kept; look at the server, then run the same again",
                )
            return self._gate.failed(failure)

        retrying = Retrying(
            retry=retry_if_exception_type(_PassingError),
            wait=pause,
            stop=stop_never,
            sleep=lambda seconds: sleep(seconds, stop),
        )
        return retrying(self._once, texts, tokens, stop)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _once(self, texts: Sequence[str], tokens: int, stop: threading.Event) -> Vectors:
        self._gate.admit(tokens, stop)
        sent = time.monotonic()
        body = {**self._body, "input": list(texts)}
        try:
            response = self._http.post(f"{self.endpoint.url}/embeddings", json=body)
        except httpx.TimeoutException as error:
            what = "to connect" if isinstance(error, httpx.ConnectTimeout) else "for an answer"
            raise _PassingError(f"waited too long {what}", sent) from None
        except httpx.RequestError as error:
            reason = self.endpoint.key.scrub(str(error)) or type(error).__name__
            if "CERTIFICATE_VERIFY_FAILED" in reason:
                self._refuse(f"the endpoint's certificate cannot be verified ({reason})", None)
            raise _PassingError(reason, sent) from None
        if response.status_code != httpx.codes.OK:
            self._judge(response, tokens, sent)
        try:
            x_ND = read_vectors(response.content, len(texts))
        except DamagedAnswerError as error:
            reason = self.endpoint.key.scrub(str(error))
            raise _PassingError(reason, sent, damaged=True) from None
        self._gate.worked()
        return x_ND

    def _judge(self, response: httpx.Response, tokens: int, sent: float) -> NoReturn:
        status, endpoint = response.status_code, self.endpoint
        code, message = read_error(response.content)
        message = endpoint.key.scrub(message)
        said = f"HTTP {status}" + (f", {message}" if message else "")
        if code == "insufficient_quota":
            self._refuse(
                f"the account's quota is used up ({said})",
                "what was encoded is kept; look at plan and billing, then run the same again",
            )
        if status in _WILL_PASS or status >= 500:
            raise _PassingError(f"HTTP {status}", sent, asked_pause(response.headers, tokens))
        if status == 401:
            held = "is not accepted" if endpoint.key else "is missing"
            self._refuse(
                f"the key {held} (HTTP 401)",
                f"put a valid key into the environment variable {endpoint.key_env}"
                if endpoint.key
                else "name the environment variable that holds it: key_env=NAME",
            )
        if status == 403:
            self._refuse(
                f"the key may not do this ({said})",
                f"check the rights of the key in the environment variable {endpoint.key_env}",
            )
        if status == 404:
            self._refuse(
                f"there is no model '{endpoint.model}' or no such address ({said})",
                "check the model's name and base_url",
            )
        if status == 413 or (status in (400, 422) and _TOO_MUCH.search(message)):
            raise TooMuchError(said, "batch" in message.lower() or "inputs" in message.lower())
        self._refuse(f"the endpoint refuses the request ({said})", "check model and options")

    def _refuse(self, what: str, do: str | None) -> NoReturn:
        raise EncoderError(what, where=str(self.endpoint), do=do) from None


def sleep(seconds: float, stop: threading.Event) -> None:
    """Sleeps so that it can be interrupted.

    Raises:
        StoppedError: ``stop`` is set.
    """
    if stop.wait(max(seconds, 0.0)):
        raise StoppedError


def _span(seconds: float) -> str:
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} h"
    if seconds >= 120:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1f} s"
