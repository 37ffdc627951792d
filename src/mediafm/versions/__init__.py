"""Models that follow one another: a version is filled in, validated by probes, then made current.

Readers who name no version see the current one, so that they switch without a change of theirs:

    embed(catalog, "new-model", "new")     # registers and fills in, beside what readers see
    validate(catalog, "new", tasks)        # the probe gate, against the current version
    catalog.promote("new")                 # readers see it from their next refresh on
    catalog.rollback()                     # and back

:func:`keep_complete` gives titles that came since to every version that is current or was.
"""

from typing import TYPE_CHECKING, Any

from mediafm.versions.describe import describe

if TYPE_CHECKING:
    from mediafm.versions.fill import backfill, keep_complete
    from mediafm.versions.validation import validate

__all__ = ["backfill", "describe", "keep_complete", "validate"]


def __getattr__(name: str) -> Any:
    # Who only looks at versions needs no model, which takes seconds to import.
    if name in ("backfill", "keep_complete"):
        from mediafm.versions import fill

        return getattr(fill, name)
    if name == "validate":
        from mediafm.versions.validation import validate

        return validate
    raise AttributeError(f"module 'mediafm.versions' has no attribute '{name}'")
