"""Text encoders behind an API: ``--text openai:text-embedding-3-large?dimensions=768``.

Any endpoint that speaks OpenAI's protocol: theirs, a gateway, a server of one's own
(``openai:bge-m3?base_url=http://localhost:8080/v1``). The key comes from the environment and goes
nowhere else than to the endpoint.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from mediafm.encoders.base import EncoderInfo, EncoderSource
from mediafm.encoders.spec import Spec
from mediafm.errors import EncoderError, MissingExtraError

if TYPE_CHECKING:
    from mediafm.encoders.api.client import Endpoint, Limits
    from mediafm.encoders.api.text import ApiText

OPTIONS = ("dimensions", "base_url", "key_env", "price", "rpm", "tpm", "concurrency")
KEY_ENV = "OPENAI_API_KEY"

_IN_NAME = ("dimensions", "base_url", "key_env")
"""Options that are needed to load the encoder again."""
_ENVIRONMENT_NAME = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
_KEY = re.compile(r"[!-~]+")

N = TypeVar("N", int, float)


@dataclass(frozen=True)
class KnownModel:
    """A model of OpenAI.

    Args:
        dim: Its width.
        price: Dollars per million tokens.
        shortens: Whether it takes ``dimensions``.
    """

    dim: int
    price: float
    shortens: bool


# Widths of https://platform.openai.com/docs/guides/embeddings; list prices as they were on
# 25 January 2024, when the third generation came out. `price=` replaces them.
MODELS = {
    "text-embedding-3-large": KnownModel(3072, 0.13, True),
    "text-embedding-3-small": KnownModel(1536, 0.02, True),
    "text-embedding-ada-002": KnownModel(1536, 0.10, False),
}


@dataclass
class ApiSource:
    """A model behind an API that was chosen.

    Args:
        info: What decides its vectors.
        endpoint: Whom to ask for what.
        limits: What the endpoint lets one customer do.
        price: Dollars per million tokens, ``None`` where it is not known.
    """

    info: EncoderInfo
    endpoint: Endpoint
    limits: Limits
    price: float | None
    queries: bool = True

    def load(self, devices: Sequence[str]) -> ApiText:
        """See :class:`~mediafm.encoders.base.EncoderSource`; there are no weights to load."""
        from mediafm.encoders.api.client import Client
        from mediafm.encoders.api.text import ApiText

        return ApiText(self.info, Client(self.endpoint, limits=self.limits), price=self.price)


def open_text(spec: Spec, modality: str) -> EncoderSource:
    """Finds a text encoder behind an API.

    The endpoint is asked once for its width where neither ``dimensions`` nor the model's name tells
    it, else nobody is asked.

    Args:
        spec: ``openai:MODEL?OPTION=VALUE``. ``dimensions``: width to ask for; ``base_url``: the
            endpoint (else ``$OPENAI_BASE_URL``, else OpenAI); ``key_env``: environment variable of
            the key; ``price``: dollars per million tokens; ``rpm``, ``tpm``: requests and tokens
            per minute at most; ``concurrency``: requests at a time, 4 by default. The endpoint's
            host is part of the fingerprint unless it is OpenAI's own.
        modality: What it encodes, usually ``text``.

    Raises:
        EncoderError: An option is wrong, or the key is missing.
        MissingExtraError: The HTTP client is not installed.
    """
    for package in ("httpx", "tenacity"):
        if find_spec(package) is None:
            raise MissingExtraError(package, extra="api", purpose="a text encoder behind an API")
    from mediafm.encoders.api.client import Limits

    # Values stay out of the message: somebody may have tried api_key=...
    Spec(spec.scheme, spec.name, options=dict.fromkeys(spec.options, "...")).check_options(OPTIONS)
    endpoint = _endpoint(spec)
    limits = Limits(
        concurrency=_number(spec, "concurrency", int) or 4,
        rpm=_number(spec, "rpm", float),
        tpm=_number(spec, "tpm", float),
    )
    known = MODELS.get(spec.name)
    price = _number(spec, "price", float, zero=True)
    dim = endpoint.dimensions or (known.dim if known else _ask_width(endpoint))
    options = {name: spec.options[name] for name in _IN_NAME if name in spec.options}
    settings = {"model": spec.name, "dimensions": str(dim)}
    if not _is_openai(endpoint.url):
        # Servers call models what they like, so that one name means other weights elsewhere.
        settings["host"] = _host(endpoint.url)
        # Also where the environment said it: the name leads back to the same endpoint. An address
        # in a name gets no key for that, see `_endpoint`.
        options.setdefault("base_url", endpoint.url)
    info = EncoderInfo(
        modality,
        str(Spec("openai", spec.name, options=options)),
        dim,
        settings,
        identity="openai",
    )
    return ApiSource(info, endpoint, limits, known.price if price is None and known else price)


def _endpoint(spec: Spec) -> Endpoint:
    from mediafm.encoders.api.answers import Secret
    from mediafm.encoders.api.client import OPENAI_URL, Endpoint

    option, variable = spec.options.get("base_url"), os.environ.get("OPENAI_BASE_URL")
    url = _checked_url(option or variable or OPENAI_URL, spec, "base_url" if option else "")
    key_env = spec.options.get("key_env", KEY_ENV)
    if not _ENVIRONMENT_NAME.fullmatch(key_env):
        raise EncoderError(
            "key_env takes the name of an environment variable in capitals, not a key",
            where=f"openai:{spec.name}",
            do="write key_env=NAME and put the key into that variable",
        )
    # The key of OpenAI goes to whom the user's own environment or key_env says, not to any address
    # in an encoder's name, which may have come with a catalog.
    trusted = url == OPENAI_URL or not option or "key_env" in spec.options
    if option and variable and not trusted:
        trusted = url == _checked_url(variable, spec, "")
    # Wrapped at once: tracebacks with local variables are for sharing, too.
    key = Secret(os.environ.get(key_env, "").strip() if trusted else "")
    if not key and ("key_env" in spec.options or _is_openai(url)):
        raise EncoderError(
            f"there is no key in the environment variable {key_env}",
            where=f"openai:{spec.name}",
            do=f"set {key_env}, or name the variable that holds the key: key_env=NAME",
        )
    if key and not _KEY.fullmatch(key.reveal()):
        raise EncoderError(
            f"what the environment variable {key_env} holds is no key: it has spaces or characters"
            " that a key cannot have",
            where=f"openai:{spec.name}",
        )
    return Endpoint(url, spec.name, _dimensions(spec), key, key_env)


def _checked_url(text: str, spec: Spec, option: str) -> str:
    """The address without trailing parts; refuses one that carries a secret, without quoting it."""
    what = option or "the environment variable OPENAI_BASE_URL"
    try:
        parts = urlsplit(text.strip())
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise EncoderError(
            f"{what} is no address", where=f"openai:{spec.name}", do="write https://HOST/v1"
        ) from None
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise EncoderError(
            f"{what} carries a password or a query, which would end in catalogs and logs",
            where=f"openai:{spec.name}",
            do=f"write https://HOST/v1 and put the key into the variable {KEY_ENV}",
        )
    if not fine:
        raise EncoderError(
            f"{what} is no address", where=f"openai:{spec.name}", do="write https://HOST/v1"
        )
    return parts.geturl().rstrip("/").removesuffix("/embeddings")


def _is_openai(url: str) -> bool:
    return urlsplit(url).hostname == "api.openai.com"


def _host(url: str) -> str:
    """Host and port, where it is not the usual one, however they are written."""
    parts = urlsplit(url)
    usual = {"http": 80, "https": 443}[parts.scheme]
    host = parts.hostname or ""
    return host if parts.port in (None, usual) else f"{host}:{parts.port}"


def _dimensions(spec: Spec) -> int | None:
    dimensions, known = _number(spec, "dimensions", int), MODELS.get(spec.name)
    if dimensions is None or known is None or dimensions == known.dim:
        return dimensions
    if not known.shortens or dimensions > known.dim:
        raise EncoderError(
            f"{spec.name} has {known.dim} dimensions, not {dimensions}",
            where=f"openai:{spec.name}",
            do="leave dimensions out" + (" or ask for fewer" if known.shortens else ""),
        )
    return dimensions


def _number(spec: Spec, name: str, kind: Callable[[str], N], zero: bool = False) -> N | None:
    if name not in spec.options:
        return None
    try:
        value = kind(spec.options[name])
    except ValueError:
        value = kind("-1")
    if not (0 < value < 1e12 or (zero and value == 0)):
        raise EncoderError(
            f"{name} is a number above 0, not '{spec.options[name][:20]}'",
            where=f"openai:{spec.name}",
        )
    return value


def _ask_width(endpoint: Endpoint) -> int:
    from mediafm.encoders.api.client import Client, Patience, TooMuchError

    client = Client(endpoint, patience=Patience(outage=30.0))
    try:
        return int(client.embed(["width"], 1, threading.Event()).shape[1])
    except TooMuchError as error:
        raise EncoderError(
            f"the endpoint refuses the request ({error.message})", where=str(endpoint)
        ) from None
    finally:
        client.close()
