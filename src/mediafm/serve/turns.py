"""Who asks for much waits for a turn."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import anyio
from fastapi import Depends, HTTPException, Request

AT_A_TIME = (os.cpu_count() or 2) + 2
"""Answers that are worked out at a time: enough for all cores while some read (measured with fifty
clients, ``benchmarks/serve.py``: on two cores four do more than two, three, eight or forty)."""


def make_turns() -> anyio.Semaphore:
    """The turns of one application, given in the order of asking."""
    return anyio.Semaphore(AT_A_TIME)


async def _turn(request: Request) -> AsyncIterator[None]:
    turns: anyio.Semaphore = request.app.state.turns
    waited = turns.value == 0
    async with turns:
        # A page asks for the next shot's neighbours before it has those of the last.
        if waited and await request.is_disconnected():
            raise HTTPException(499, "nobody waits for the answer any more")
        yield


# It ends before the answer is sent: who reads slowly keeps no turn.
IN_TURN = Depends(_turn, scope="function")
"""For routes that compute: dozens of them at once would slow each other, and all that is quick."""
