"""Where the program starts: imports little, so that Ctrl-C finds somebody from the first moment."""

from __future__ import annotations

import sys


def run() -> None:
    """Runs the command line."""
    try:
        from mediafm.cli.main import run as go
    except KeyboardInterrupt:
        print("interrupted; nothing was done", file=sys.stderr)
        sys.exit(130)
    go()
