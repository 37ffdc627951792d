"""What there is to know of a version at a glance."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from mediafm.catalog import Catalog, VersionRecord


def describe(catalog: Catalog, version: VersionRecord) -> dict[str, Any]:
    """A version with its state, in words and in numbers.

    Args:
        catalog: The catalog.
        version: One of its versions.

    Returns:
        The record, and ``state``, ``lacking`` (titles), ``current``, ``gate`` (the last validation
        in words), ``validations`` and ``made`` (UTC, to the minute).
    """
    lacking, current = len(catalog.lacking(version.name)), catalog.current_version()
    state = f"lacks {lacking} titles" if lacking else "complete"
    if current is not None and current.name == version.name:
        state = f"current, {state}" if lacking else "current"
    checks = catalog.validations(version.name)
    last = checks[-1] if checks else None
    gate = f"{'passed' if last.passed else 'failed'} against {last.against}" if last else "-"
    made = datetime.fromtimestamp(version.created_at / 1e6, UTC)
    return {
        **asdict(version),
        "state": state,
        "lacking": lacking,
        "current": current is not None and current.name == version.name,
        "gate": gate,
        "validations": [asdict(check) for check in checks],
        "made": f"{made:%Y-%m-%d %H:%M}",
    }
