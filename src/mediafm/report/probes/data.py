"""The report as JSON: every number, under keys that stay.

::

    format            1; raised when a key changes its meaning
    made_at, made_by, command, draws, seed
    catalog           {uri, titles, shots}
    encoders[]        {modality, name, fingerprint, dim}
    versions[]        {name, fingerprint, model, dim, settings, created_at}
    contenders[]      {name, role, features, versions, alone, use_metadata, about}
    skipped[]         what could not be measured, and why
    tasks[]
      name, about, kind, metric, headline, outcome
      chance, ceiling
      split           {by, folds, column, test, words}
      labels          {file, clips, measured, measured_groups, fitted, titles, groups, classes,
                      problems[], notes[]}
      rows[]          {contender, role, value, low, high, runs[], fitted, penalties[][], seconds}
      differences[]   {ours, theirs, value, low, high, p_above, outcome}
      switches[]      the same, and about: what is asked
      curve[]         {contender, labels, value, low, high, draws}
      classes[]       {id, name, positives, judged, prevalence, ap: {contender: value}}
      mistakes[]      {kind, said, truth, score, rank, of, clips: [{title_id, title, start, end,
                      role}]}, times in seconds

``low`` and ``high`` bound the 95% interval over groups, and are null where there are too few of
them; in ``curve`` they are the lowest and highest draw. No number is NaN: null stands for none.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mediafm.probes.summary import Comparison, TaskSummary
from mediafm.report.probes import words
from mediafm.report.probes.material import Material
from mediafm.strict_json import without_nan
from mediafm.timeline import US

FORMAT = 1


def to_json(material: Material) -> str:
    """The report as JSON text."""
    return json.dumps(payload(material), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def payload(material: Material) -> dict[str, Any]:
    """The report as plain values; see the module."""
    found = {
        "format": FORMAT,
        "made_at": material.made_at,
        "made_by": material.made_by,
        "command": material.command,
        "draws": material.draws,
        "seed": material.seed,
        "catalog": {
            "uri": material.catalog,
            "titles": material.titles,
            "shots": material.shots,
        },
        "encoders": [
            {"modality": e.modality, "name": e.name, "fingerprint": e.fingerprint, "dim": e.dim}
            for e in material.encoders
        ],
        "versions": [
            {
                "name": v.name,
                "fingerprint": v.fingerprint,
                "model": Path(v.model).name,
                "dim": v.dim,
                "settings": v.settings,
                "created_at": v.created_at,
            }
            for v in material.versions
        ],
        "contenders": [asdict(c) | {"about": words.describe(c)} for c in material.contenders],
        "skipped": list(material.skipped),
        "tasks": [_task(material, task) for task in material.tasks],
    }
    plain: dict[str, Any] = without_nan(found)
    return plain


def _task(material: Material, task: TaskSummary) -> dict[str, Any]:
    labels, name = task.labels, task.name
    spec = labels.task
    return {
        "name": name,
        "about": spec.about,
        "kind": spec.kind,
        "metric": spec.metric,
        "headline": words.headline(task),
        "outcome": words.verdict(task),
        "chance": task.chance,
        "ceiling": material.ceilings.get(name),
        "split": asdict(spec.split) | {"words": words.split(task)},
        "labels": {
            "file": str(spec.labels),
            "clips": len(labels),
            "measured": task.measured,
            "measured_groups": task.groups,
            "fitted": task.rows[0].fitted,
            "titles": len({clip.title_id for clip in labels.clips}),
            "groups": len(set(labels.groups)),
            "classes": len(labels.classes),
            "problems": [{"row": p.row, "what": p.what} for p in labels.problems],
            "notes": list(labels.notes),
        },
        "rows": [
            {
                "contender": row.contender.name,
                "role": row.contender.role,
                "value": row.value,
                "low": row.low,
                "high": row.high,
                "runs": row.runs,
                "fitted": row.fitted,
                "penalties": row.penalties,
                "seconds": round(row.seconds, 3),
            }
            for row in task.rows
        ],
        "differences": [_comparison(found) for found in task.gains],
        "switches": [{"about": found.about} | _comparison(found) for found in task.switches],
        "curve": [asdict(point) for point in material.points.get(name, [])],
        "classes": [asdict(line) for line in task.classes],
        "mistakes": [
            {
                "kind": mistake.kind,
                "said": mistake.said,
                "truth": mistake.truth,
                "score": mistake.score,
                "rank": mistake.rank,
                "of": mistake.of,
                "clips": [
                    {
                        "title_id": scene.title_id,
                        "title": scene.title,
                        "start": scene.start / US,
                        "end": scene.end / US,
                        "role": scene.role,
                    }
                    for scene in mistake.scenes
                ],
            }
            for mistake in material.mistakes.get(name, [])
        ],
    }


def _comparison(found: Comparison) -> dict[str, Any]:
    return {
        "ours": found.ours,
        "theirs": found.theirs,
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "p_above": found.p_above,
        "outcome": found.outcome,
    }
