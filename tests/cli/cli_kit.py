"""The program as its user starts it."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MEDIAFM = str(Path(sys.executable).parent / "mediafm")
_LIMIT = 60


@dataclass
class Server:
    """``mediafm serve`` in a process of its own.

    Args:
        url: What it says that it listens on.
        line: The line that says so.
        rest: What it printed after that, on both streams, once it has ended.
    """

    url: str
    line: str
    rest: str = ""


@contextlib.contextmanager
def server(arguments: Sequence[str], folder: Path, **variables: str) -> Iterator[Server]:
    """Starts a server on any free port, and ends it as Ctrl-C does.

    Args:
        arguments: The command, from the program on.
        folder: Where it is typed.
        variables: Of the environment, beside those of the test.

    Raises:
        AssertionError: It does not start, or does not end well.
    """
    started = subprocess.Popen(
        [*arguments, "--port", "0"],
        cwd=folder,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert started.stdout
    line = started.stdout.readline()
    found = Server(line.split(" ", 1)[0], line)
    try:
        assert found.url.startswith("http://"), line
        yield found
    finally:
        started.send_signal(signal.SIGINT)
        try:
            started.wait(_LIMIT)
        finally:
            started.kill()
            with started.stdout:  # communicate() would miss what came together with the line
                found.rest = started.stdout.read()
    assert started.returncode == 0
