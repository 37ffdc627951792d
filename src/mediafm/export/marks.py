"""What is exported: places in titles, with a name and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mediafm.catalog import Catalog
from mediafm.suggest import Segmentation, Suggestions
from mediafm.suggest.breaks import Break
from mediafm.suggest.tags import Tagged
from mediafm.timeline import Clip, Cue, Span

_NAME = 60  # letters of a line of speech that name a place


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a title.

    Args:
        clip: Where.
        name: What an editor reads: one line, see :func:`one_name`.
        score: How good it is, where that is known.
        reasons: Why it is there.
        about: More of it, plain values: goes into metadata.
    """

    clip: Clip
    name: str
    score: float | None = None
    reasons: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", one_name(self.name))


def one_name(text: str) -> str:
    """A name as edit lists can hold it: one line, as they are lines, without what XML refuses."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def marks_of_shots(catalog: Catalog, title_id: str) -> list[Mark]:
    """Every shot of a title, named by what is said in it."""
    cues = catalog.cues(title_id)
    return [
        Mark(
            Clip(title_id, s.span), _named(f"shot {s.index}", s.span, cues), about={"shot": s.index}
        )
        for s in catalog.shots(title_id)
    ]


def marks_of_scenes(catalog: Catalog, found: Segmentation) -> list[Mark]:
    """The scenes of a title, named by what is said first in them."""
    cues = catalog.cues(found.title_id)
    return [
        Mark(
            Clip(found.title_id, scene.span),
            _named(f"scene {scene.index + 1}", scene.span, cues),
            scene.score,
            about={"scene": scene.index, "shots": [scene.first, scene.end], "by": found.by},
        )
        for scene in found.scenes
    ]


def marks_of_suggestions(catalog: Catalog, found: Suggestions) -> list[Mark]:
    """Suggestions in their order, named by their kind and what is said in them."""
    cues = catalog.cues(found.title_id)
    kind = found.kind.removesuffix("s")
    marks = []
    for rank, one in enumerate(found.found, 1):
        about: dict[str, Any] = {"kind": found.kind, "by": list(found.by), **one.evidence}
        name = _named(f"{kind} {rank}", one.span, cues)
        if isinstance(one, Tagged):
            about = {"probe": one.probe, "tags": list(one.tags), "probabilities": one.evidence}
            name = f"{one.probe}: {', '.join(one.names) or '-'}"
        if isinstance(one, Break):
            about |= {"before": list(one.before), "after": list(one.after)}
            about |= {"categories": list(one.categories), "words": list(one.words)}
        marks.append(Mark(one.clip, name, one.score, one.reasons, about))
    return marks


def _named(name: str, span: Span, cues: list[Cue]) -> str:
    said = next((cue.text for cue in cues if cue.kind == "speech" and span.touches(cue.span)), "")
    said = " ".join(said.split())
    if len(said) > _NAME:
        said = said[: _NAME - 1].rstrip() + "…"
    return f"{name}: {said}" if said else name
