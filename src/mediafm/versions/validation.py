"""Validation: the probe gate between a version and the one that it would replace."""

from __future__ import annotations

from collections.abc import Sequence

from mediafm.catalog.records import Validation
from mediafm.errors import MediaFMError
from mediafm.probes.bench import Bench
from mediafm.probes.gate import Judgement, gate_versions, passes
from mediafm.probes.study import Study
from mediafm.probes.task import Task


def validate(
    bench: Bench,
    name: str,
    tasks: Sequence[Task],
    *,
    against: str | None = None,
    features: str = "context",
) -> tuple[Validation, list[Judgement], Study]:
    """Judges a version by probes, and notes in the catalog what came out.

    Args:
        bench: Measures, on the catalog of the version.
        name: The version in question.
        tasks: By which to judge.
        against: The version that it would replace; the current one by default.
        features: What the heads read.

    Returns:
        What was noted, a judgement per task, and the study they are from. It passed if no task
        is worse beyond noise and every task could be judged.

    Raises:
        CatalogError: There is no such version.
        MediaFMError: There is nothing to compare it with, or nothing could be judged.
    """
    catalog = bench.catalog
    version, current = catalog.version(name), catalog.current_version()
    if against is None:
        if current is None or current.name == name:
            raise MediaFMError(
                f"there is no other version that '{name}' would replace",
                do="name one: --against",
            )
        against = current.name
    found, study = gate_versions(bench, tasks, name, against, features)
    passed = passes(found, study.skipped)
    outcomes: dict[str, str] = {judgement.task: judgement.outcome for judgement in found}
    validation = Validation(name, version.fingerprint, against, passed, outcomes)
    catalog.record_validation(validation)
    return validation, found, study
