"""How long a delivery that failed waits for its next try, in seconds. Pure."""

from __future__ import annotations

from oncall.core.errors import DeliveryFailed
from oncall.usecases.ports import OutboxEntry

RETRY_S = (2, 4, 8, 15)
SETTLES_S = 30.0  # a chat that was too slow to answer may show a message as late as this
# Where nobody can look, each try may be one more message: some soon, then ever more rarely.
UNSURE_S = (SETTLES_S, SETTLES_S, SETTLES_S, SETTLES_S, 60, 120, 300)
REFUSED_S = (30, 60, 120, 300)  # somebody may mend the roster, the channel
UNTAKEN_S = 15.0  # a page that nobody has taken yet waits no longer than this, whatever the far side asks for
ASKED_TO_WAIT_S = 120.0


def wait_s(delivery: OutboxEntry, error: DeliveryFailed, *, nobody_woken: bool) -> float:
    """How long to wait until the next try. `nobody_woken`: it is a page that nobody has taken yet."""
    unsure = error.uncertain and delivery.channel == "chat"
    waits = UNSURE_S if unsure else REFUSED_S if error.refused else RETRY_S
    wait: float = waits[min(delivery.attempts, len(waits)) - 1]
    if error.retry_after:
        wait = max(1.0, min(error.retry_after, ASKED_TO_WAIT_S))
    wait = min(wait, UNTAKEN_S) if nobody_woken else wait
    return max(wait, SETTLES_S) if unsure else wait
