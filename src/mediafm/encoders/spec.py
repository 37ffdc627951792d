"""How a user writes an encoder: ``hf:openai/clip-vit-large-patch14@32bd642?dtype=bfloat16``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from urllib.parse import parse_qsl, urlencode

from mediafm.errors import EncoderError

_SCHEME = re.compile(r"([a-z][a-z0-9]*):(.*)", re.DOTALL)
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Spec:
    """An encoder as a user writes it: ``SCHEME:NAME@REVISION?OPTION=VALUE&...``.

    Args:
        scheme: Where it comes from (``hf``, ``openai``, ``csv``); empty for embedded ones.
        name: What it is called there: a name on the hub, a folder, a model, a file.
        revision: Branch, tag or commit, for names on the hub.
        options: What differs from the defaults.
    """

    scheme: str
    name: str
    revision: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        scheme = f"{self.scheme}:" if self.scheme else ""
        revision = f"@{self.revision}" if self.revision else ""
        options = f"?{urlencode(self.options, safe='/:')}" if self.options else ""
        return f"{scheme}{self.name}{revision}{options}"

    def check_options(self, known: Collection[str]) -> None:
        """Refuses options that the encoder does not have.

        Raises:
            EncoderError: Names the wrong one and those that there are.
        """
        for name in self.options:
            if name not in known:
                raise EncoderError(
                    f"there is no option '{name}'{near(name, known)}",
                    where=str(self),
                    do=f"choose from {', '.join(sorted(known))}" if known else "leave it out",
                )


def parse_spec(text: str) -> Spec:
    """Reads an encoder as a user writes it.

    Args:
        text: ``efficientnet-lite2``, ``hf:org/model@revision``, ``hf:./folder``,
            ``openai:model?dimensions=768``.

    Raises:
        EncoderError: It is not written that way.
    """
    found = _SCHEME.fullmatch(text)
    scheme, rest = (found[1], found[2]) if found else ("", text)
    name, mark, query = rest.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    said = all("=" in part for part in query.split("&")) and "" not in options
    if not name or (mark and not said) or len(options) < len(pairs):
        raise EncoderError(
            f"'{text}' is no encoder",
            do="write NAME, hf:NAME-ON-THE-HUB, hf:FOLDER or openai:MODEL?dimensions=768",
        )
    revision = ""
    if scheme == "hf":
        head, at, tail = name.rpartition("@")
        if at and head and _REVISION.fullmatch(tail):
            name, revision = head, tail
    return Spec(scheme, name, revision, options)


def near(name: str, known: Collection[str]) -> str:
    """`` (did you mean 'x'?)`` where a known name is spelled alike, else nothing."""
    found = get_close_matches(name, list(known), n=2, cutoff=0.6)
    return f" (did you mean {' or '.join(repr(one) for one in found)}?)" if found else ""
