"""The report as one HTML file that needs nothing else: no request, no script to read it."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from importlib import resources

from mediafm.probes.summary import ROLES, ClassLine, Comparison, TaskSummary
from mediafm.report.probes import charts, words
from mediafm.report.probes.charts import esc
from mediafm.report.probes.material import Material
from mediafm.report.probes.method import method
from mediafm.report.probes.mistakes import Mistake, Scene

_SIGNS = {"better": "▲", "same": "=", "worse": "▼", "unknown": "?"}


def to_html(material: Material) -> str:
    """The report as a page."""
    parts = [
        ("headline", "In short", "", _headlines),
        (
            "scores",
            "Scores",
            "The same linear head on different features. Whiskers: 95% interval over groups; dots: "
            "single seeds.",
            _bars,
        ),
        (
            "differences",
            "What context adds",
            "Both contenders in the same resamples, so the intervals are narrower than those of "
            "the scores. Where one leaves out zero, the difference is beyond chance.",
            _differences,
        ),
        ("switches", "One thing changed", "", _switches),
        (
            "labels",
            "Score by number of labels",
            "Fitted on clips drawn at random. Bands: the lowest and highest of the draws, each "
            "with another seed of the model where there are several.",
            _curves,
        ),
        ("classes", "Classes", "Average precision of each class.", _classes),
        (
            "mistakes",
            "Worst mistakes",
            "What the head on contextual embeddings says with most conviction, and is wrong: "
            "places are by its score for the class. Some are mistakes of the labels.",
            _mistakes,
        ),
        ("method", "How it was measured", "", method),
    ]
    shown = [(key, title, lead, body) for key, title, lead, of in parts if (body := of(material))]
    nav = "".join(f'<a href="#{key}">{title}</a>' for key, title, _, _ in shown)
    sections = "".join(
        f'<section id="{key}"><h2>{title}</h2>{f"<p class=lead>{lead}</p>" if lead else ""}'
        f"{body}</section>"
        for key, title, lead, body in shown
    )
    name = material.catalog.rstrip("/").rsplit("/", 1)[-1]
    versions = words.listed([version.name for version in material.versions])
    facts = [
        f"{material.titles:,} titles, {material.shots:,} shots",
        f"{len(material.tasks)} task{'s' * (len(material.tasks) != 1)}",
        f"versions {versions}" if versions else "no version of contextual embeddings",
        material.made_at.replace("T", " ").replace("+00:00", " UTC"),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Probe report: {esc(name)}</title><style>{_asset('page.css')}</style></head><body>"
        f'<header><div><h1>Probe report<span class="of"> {esc(name)}</span></h1>'
        f'<p class="facts">{"".join(f"<span>{esc(fact)}</span>" for fact in facts)}</p></div>'
        f"<nav>{nav}</nav></header><main>{sections}</main>"
        f"<script>{_asset('page.js')}</script></body></html>\n"
    )


def _asset(name: str) -> str:
    return (resources.files("mediafm.report.probes") / name).read_text(encoding="utf-8")


def _card(task: TaskSummary, body: str, more: str = "") -> str:
    metric = task.labels.task.metric
    meaning = esc(words.METRICS.get(metric, metric))
    return (
        f'<article class="card"><h3>{esc(task.name)} '
        f'<small title="{meaning}">{esc(metric)}{more}</small></h3>{body}</article>'
    )


def _cards(material: Material, body: Callable[[TaskSummary], str], kind: str = "grid") -> str:
    cards = "".join(_card(task, found) for task in material.tasks if (found := body(task)))
    return f'<div class="{kind}">{cards}</div>' if cards else ""


def _headlines(material: Material) -> str:
    rows = []
    for task in material.tasks:
        outcome = words.verdict(task)
        about = task.labels.task.about
        rows.append(
            f'<li class="o-{outcome}"><span class="badge" aria-hidden="true">{_SIGNS[outcome]}'
            f"</span><div><b>{esc(task.name)}</b>{f'<small>{esc(about)}</small>' if about else ''}"
            f"</div><p>{esc(words.headline(task))}</p></li>"
        )
    skipped = "".join(f"<li>{esc(line)}</li>" for line in material.skipped)
    return f'<ul class="headlines">{"".join(rows)}</ul>' + (
        f'<div class="warn"><b>Not measured</b><ul>{skipped}</ul></div>' if skipped else ""
    )


def _bars(material: Material) -> str:
    held = {row.contender.role for task in material.tasks for row in task.rows}
    keys = "".join(
        f'<span class="key"><i class="bar {"m-video" if role == "single" else f"r-{role}"}"></i>'
        f"{words.ROLES[role]}</span>"
        for role in ROLES
        if role in held
    )
    cards = _cards(material, lambda task: charts.bars(task, material.ceilings.get(task.name)))
    return f'<p class="keys">{keys}</p>{cards}'


def _differences(material: Material) -> str:
    found = []
    for task in material.tasks:
        if not task.gains:
            continue
        axis = charts.differences(task.gains)
        for name in dict.fromkeys(gain.ours for gain in task.gains):
            own = [gain for gain in task.gains if gain.ours == name]
            body = charts.forest(own, [gain.theirs for gain in own], f"{name}, minus", axis)
            found.append(_card(task, body))
    return f'<div class="grid">{"".join(found)}</div>' if found else ""


def _switches(material: Material) -> str:
    def body(task: TaskSummary) -> str:
        axis = charts.differences(task.switches)
        groups: dict[str, list[Comparison]] = {}
        for found in task.switches:
            groups.setdefault(found.about, []).append(found)
        return "".join(
            charts.forest(own, [c.ours for c in own], about, axis) for about, own in groups.items()
        )

    return _cards(material, body)


def _curves(material: Material) -> str:
    def body(task: TaskSummary) -> str:
        points = material.points.get(task.name)
        return charts.curve(task, points) if points else ""

    return _cards(material, body, "grid three")


def _classes(material: Material) -> str:
    def body(task: TaskSummary) -> str:
        if not task.classes:
            return ""
        names = task.shown
        head = "".join(f'<th scope="col" class="num">{esc(name)}</th>' for name in names)
        rows = [
            _class(line, names) for line in sorted(task.classes, key=lambda line: -line.positives)
        ]
        return (
            '<div class="scroll"><table class="list sortable"><thead><tr><th scope="col">class</th>'
            '<th scope="col" class="num">positives</th><th scope="col" class="num">prevalence</th>'
            f'{head}<th scope="col">best</th></tr></thead><tbody>{"".join(rows)}</tbody></table>'
            "</div>"
        )

    return _cards(material, body)


def _class(line: ClassLine, names: Sequence[str]) -> str:
    known = {name: ap for name, ap in line.ap.items() if math.isfinite(ap)}
    best = max(known, key=known.__getitem__, default="")
    cells = [
        f'<th scope="row">{esc(line.name)}</th>',
        _cell(line.positives, f"{line.positives:,}"),
        _cell(line.prevalence, words.number(line.prevalence)),
        *(_meter(line.ap[name]) for name in names),
    ]
    of = f"{words.number(known[best])}<small>{charts.broken(best)}</small>" if best else "–"
    return f'<tr>{"".join(cells)}<td data-v="{known.get(best, -1):.6f}">{of}</td></tr>'


def _cell(value: float, text: str, look: str = "num", style: str = "") -> str:
    value = value if math.isfinite(value) else -1
    return f'<td class="{look}" data-v="{value:.6f}"{style}>{text}</td>'


def _meter(value: float) -> str:
    share = max(value, 0) if math.isfinite(value) else 0
    return _cell(value, words.number(value), "num meter", f' style="--v:{100 * share:.1f}%"')


def _mistakes(material: Material) -> str:
    found = []
    for task in material.tasks:
        own = material.mistakes.get(task.name)
        if not own:
            continue
        row = task.ours
        who = f", by {esc(row.contender.name)}" if row else ""
        body = f'<div class="frames">{"".join(_mistake(mistake) for mistake in own)}</div>'
        found.append(_card(task, body, who))
    return "".join(found)


def _mistake(mistake: Mistake) -> str:
    pictures = "".join(_picture(scene) for scene in mistake.scenes)
    kind, _, rest = words.mistake(mistake).partition(": ")
    wide = ' class="two"' if len(mistake.scenes) > 1 else ""
    return (
        f'<figure{wide}><div class="pictures">{pictures}</div><figcaption>'
        f"<b>{kind}</b> {esc(rest)}</figcaption></figure>"
    )


def _picture(scene: Scene) -> str:
    place = words.place(scene)
    image = ""
    if scene.jpeg:
        data = base64.b64encode(scene.jpeg).decode("ascii")
        image = f'<img alt="" src="data:image/jpeg;base64,{data}">'
    role = f"<small>{esc(scene.role)}</small>" if scene.role else ""
    return f"<div>{image}<span>{esc(place)}</span>{role}</div>"
