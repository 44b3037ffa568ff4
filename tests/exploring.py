"""How far the laws look: the same examples each time, or new ones, and more of them, for somebody who asks."""

from __future__ import annotations

import os

EXPLORE = int(os.environ.get("EXPLORE") or 0)


def examples(usual: int) -> int:
    """How many of a law that takes long: with EXPLORE=10 ten times as many as usual, and others each time."""
    return usual * max(EXPLORE, 1)
