"""Renders one title: ``python -m mediafm.sample.worker OUT INDEX SEED [SECONDS]``.

Prints a number per second of film that is done; a failure is one line on the error stream.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mediafm.errors import MediaFMError
from mediafm.sample.story import plan_title
from mediafm.sample.write import write_title


def main(arguments: list[str]) -> int:
    """Renders the title that the arguments name.

    Args:
        arguments: Folder, index of the title, seed and, optionally, seconds.

    Returns:
        Exit status.
    """
    out, index, seed, *seconds = arguments
    plan = plan_title(int(index), int(seed), float(seconds[0]) if seconds else None)
    try:
        write_title(plan, Path(out), lambda amount: print(amount, flush=True))
    except MediaFMError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
