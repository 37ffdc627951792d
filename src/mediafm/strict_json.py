"""What JSON can hold: the standard (RFC 8259, section 6) has no NaN and no infinity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def without_nan(value: Any) -> Any:
    """The value with ``None`` for each number that JSON does not have, however deep it lies.

    Args:
        value: Mappings, lists, tuples and what they hold; keys become text, tuples lists.
    """
    if isinstance(value, Mapping):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
