"""Waiting in the open: says what is still missing while somebody looks at a terminal, and gives up in the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

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

    What is waited for is said when it changes, and again every SAY_AGAIN_S seconds; that asking takes its time, too.
    """
    began = clock()
    said, said_at = "", began
    while True:
        with _said_meanwhile(say, said or "an answer"):
            left = missing()
        now = clock()
        if not left or now - began > within_s:
            return left
        if left != said or now - said_at > SAY_AGAIN_S:
            say(f"waiting for {left}")
            said, said_at = left, now
        sleep(every_s)


@contextmanager
def _said_meanwhile(say: Say, what: str) -> Iterator[None]:
    """On a very busy machine a few questions take minutes: each is asked again until it is answered."""
    answered = Event()

    def tell() -> None:
        while not answered.wait(SAY_AGAIN_S):
            say(f"waiting for {what}: what is asked answers slowly")

    Thread(target=tell, daemon=True).start()
    try:
        yield
    finally:
        answered.set()
