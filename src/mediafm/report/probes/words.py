"""Numbers and outcomes in the words of the report: the same in HTML, Markdown and JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mediafm.probes.study import Contender
from mediafm.probes.summary import ALONE, Comparison, Row, TaskSummary
from mediafm.report.probes.mistakes import Mistake, Scene

NO_INTERVAL = "no interval"
FEW = 10
"""Groups below which a percentile bootstrap covers too little."""
OUTCOMES = {
    "better": "better",
    "same": "unclear",
    "worse": "worse",
    "unknown": NO_INTERVAL,
}
METRICS = {
    "AP": "average precision",
    "macro AP": "average precision, mean over the classes",
    "micro AP": "average precision over all classes together",
    "kendall": "Kendall's tau, mean over the titles",
    "top-1": "share of the titles whose best clip comes first",
}
"""What the metrics are, for people."""
ROLES = {
    "single": "one modality",
    "joined": "all modalities, one shot at a time",
    "window": "with neighbouring shots",
    "untrained": "the model, untrained",
    "context": "in context",
    "extra": "asked for",
    "switch": "in context, one thing changed",
    "rival": "in context, another recipe",
}
"""The groups of bars."""
_READOUTS = {
    "window": "the mean of {0} shots on each side",
    "sides": "the means of {0} shots before and {0} from it on",
    "around": "{0} on each side",
    "step": "how the {0} from it on differ from the {0} before",
}


def number(value: float, digits: int = 3) -> str:
    """A value without its leading zero: ``.512``; a dash where there is none."""
    if not math.isfinite(value):
        return "–"
    text = f"{abs(value):.{digits}f}"
    minus = "−" if value < 0 and float(text) else ""
    return minus + (text[1:] if text.startswith("0.") else text)


def signed(value: float) -> str:
    """A difference: ``+.021``."""
    text = number(value)
    return text if text.startswith(("−", "–")) else f"+{text}"


def span(low: float, high: float) -> str:
    """An interval: ``.008 to .034``."""
    if math.isnan(low) or math.isnan(high):
        return NO_INTERVAL
    return f"{number(low)} to {number(high)}"


def gain(found: Comparison) -> str:
    """A difference with its interval."""
    words = span(found.low, found.high)
    return f"{signed(found.value)} ({words})"


def headline(task: TaskSummary) -> str:
    """What a task says of context, in a few plain sentences."""
    ours = task.ours
    if ours is None:
        best = max(task.rows, key=lambda row: row.value if math.isfinite(row.value) else -9)
        return (
            f"Nothing in context was measured. Best: {best.contender.name}, {number(best.value)} "
            f"({span(best.low, best.high)})."
        )
    found = {g.theirs: g for g in task.gains if g.ours == ours.contender.name}
    sentences = [_over(found[row.contender.name], ours) for row in task.of("joined")]
    others = sorted(task.of("single", "window", "untrained"), key=lambda row: row.value)
    sentences += [_over(found[row.contender.name], None) for row in others[-1:]]
    alone = [s for s in task.switches if s.about == ALONE]
    sentences += [_alone(s) for s in alone[:1]]
    sentences = sentences or [f"{ours.contender.name} reaches {number(ours.value)}."]
    if math.isfinite(ours.low) and ours.low <= task.chance:
        sentences.append(f"It is not shown to be better than chance ({number(task.chance)}).")
    if 1 < task.groups < FEW:
        sentences.append(f"With {task.groups} groups the intervals are rough.")
    return " ".join(sentences)


def _over(found: Comparison, ours: Row | None) -> str:
    """Against the concatenated features, or (without ``ours``) the best of the others."""
    difference = f"{signed(found.value)} ({'95%: ' if ours else ''}{span(found.low, found.high)})"
    who, theirs = (
        (found.ours, found.theirs) if ours else ("It", f"{found.theirs}, the best of the rest")
    )
    if found.outcome == "better" and ours:
        return f"{who} adds {difference} to {theirs} and reaches {number(ours.value)}."
    if found.outcome == "unknown":
        few = "there are too few groups to tell"
        return f"{who} differs from {theirs} by {signed(found.value)}; {few}."
    how = {"better": "better", "worse": "worse", "same": "not shown to be better"}[found.outcome]
    return f"{who} is {how} than {theirs}: {difference}."


def _alone(found: Comparison) -> str:
    """In context against the clip alone."""
    if found.outcome == "unknown":
        return f"In context against the clip alone: {gain(found)}."
    what = {"better": "helps", "worse": "does harm", "same": "is not shown to help"}
    return f"Seeing the whole title and not only the clip {what[found.outcome]}: {gain(found)}."


def verdict(task: TaskSummary) -> str:
    """The outcome against the concatenated features: the badge of a headline.

    What is not shown to be better than chance is not better.
    """
    ours = task.ours
    if ours is not None:
        names = {row.contender.name for row in task.of("joined")}
        for found in task.gains:
            if found.ours == ours.contender.name and found.theirs in names:
                noise = found.outcome == "better" and ours.low <= task.chance
                return "same" if noise else found.outcome
    return "unknown"


def describe(contender: Contender) -> str:
    """What a contender is, in words."""
    words = []
    for part in contender.features.replace(" ", "").split("+"):
        source, *readouts = part.split(":")
        word = {
            "context": "contextual embedding of the shot",
            "untrained": "the same network with random weights",
            "fused": "fused embedding, as the model sees it",
            "concatenated": "features of all modalities side by side",
            "window": "fused embedding and the mean of 4 shots on each side",
            "neighbours": "fused embedding and 1 on each side",
        }.get(source, f"{source} features")
        for readout in readouts:
            kind = readout.rstrip("0123456789")
            word += f", {_READOUTS[kind].format(readout.removeprefix(kind))}"
        words.append(word)
    text = ", and ".join(words)
    if contender.alone:
        text += "; the model sees the clip only, not its title"
    if not contender.use_metadata:
        text += "; the model does not see the title's metadata"
    return text


def mistake(found: Mistake) -> str:
    """One mistake as a sentence without its clip."""
    if found.kind == "claimed":
        return f"false alarm: {found.said}, place {found.rank:,} of {found.of:,}"
    if found.kind == "missed":
        return f"missed: {found.said}, place {found.rank:,} of {found.of:,}"
    if found.kind == "confused":
        return f"confused: taken for {found.said}, is {found.truth}; ahead by {found.score:.1f}"
    return f"misordered: tau {number(found.score, 2)} over {found.of} clips"


def place(scene: Scene) -> str:
    """A clip as commands take it, with the name of its title for people."""
    name = f"{scene.title}, " if scene.title != scene.title_id else ""
    return f"{name}{scene.title_id}@{clock(scene.start)}-{clock(scene.end)}"


def clock(time: int) -> str:
    """Microseconds as ``h:mm:ss`` or ``m:ss.s``."""
    tenths = round(time / 100_000)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest // 10:02d}"
    return f"{minutes}:{rest // 10:02d}.{rest % 10}"


def split(task: TaskSummary) -> str:
    """How a task is split, in words."""
    how = task.labels.task.split
    if how.column:
        return (
            f"measured on {how.column} {', '.join(how.test)}, fitted on the rest; groups: {how.by}"
        )
    folds = min(how.folds, len(set(task.labels.groups)))
    return f"{folds} folds of whole groups; groups: {how.by}"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
