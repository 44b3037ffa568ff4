"""Waiting in the open: says what is still missing while somebody looks at a terminal, and gives up in the end."""

from __future__ import annotations

import time
from collections.abc import Callable

Say = Callable[[str], None]
EVERY_S = 2.0
SAY_AGAIN_S = 15.0  # a silent terminal looks dead after about this long


def wait_until(
    missing: Callable[[], str],
    within_s: float,
    say: Say,
    *,
    every_s: float = EVERY_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Wait until nothing is `missing`, at most `within_s` seconds; what is missing at the end, "" when nothing is.

    What is waited for is said when it changes, and again every SAY_AGAIN_S seconds.
    """
    began = clock()
    said, said_at = "", began
    while left := missing():
        now = clock()
        if now - began > within_s:
            return left
        if left != said or now - said_at > SAY_AGAIN_S:
            say(f"waiting for {left}")
            said, said_at = left, now
        sleep(every_s)
    return ""
