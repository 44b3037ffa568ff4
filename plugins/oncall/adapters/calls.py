"""One call to a far side: how long it may take at most, and how long the far side asks us to wait."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from email.utils import parsedate_to_datetime
from typing import TypeVar

from oncall.core.errors import DeliveryFailed

T = TypeVar("T")

_LANES = 16


class Calls:
    """Runs calls to one far side, each in a bounded time.

    The vendors' time-outs are per read: a server that drips a byte a second, or a name server that hangs, holds them
    for ever. So a call runs in a thread of its own, which is left behind when its time is up. Only so many can be
    left behind: while all lanes are taken by calls that hang, the next one fails without being sent.
    """

    def __init__(self, far_side: str, lanes: int = _LANES) -> None:
        self._far_side = far_side
        self._lanes = threading.BoundedSemaphore(lanes)

    def run(self, seconds: float, call: Callable[[], T]) -> T:
        """The call's result or error. Raises DeliveryFailed when it is not there after `seconds`."""
        ends = time.monotonic() + seconds
        if not self._lanes.acquire(timeout=seconds):
            raise DeliveryFailed(f"{self._far_side}: not sent, too many earlier calls still hang")
        future: Future[T] = Future()

        def work() -> None:
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - handed to the caller, who waits for it
                future.set_exception(error)
            finally:
                self._lanes.release()

        # A daemon: a call that hangs must not keep its process from ending.
        try:
            threading.Thread(target=work, daemon=True, name=f"call to {self._far_side}").start()
        except RuntimeError as error:  # the process has no thread left
            self._lanes.release()
            raise DeliveryFailed(f"{self._far_side}: not sent, {error}") from error
        if not wait([future], ends - time.monotonic()).done:
            raise DeliveryFailed(f"{self._far_side}: no full answer in {seconds:g} s", uncertain=True)
        return future.result()


def seconds_to_wait(headers: Mapping[str, str] | None) -> float | None:
    """What `Retry-After` (seconds or a date) or Opsgenie's `X-RateLimit-Period-In-Sec` ask for; None when silent."""
    found = {name.lower(): str(value).strip() for name, value in (headers or {}).items()}
    asked = found.get("retry-after") or found.get("x-ratelimit-period-in-sec")
    if not asked:
        return None
    try:
        return max(0.0, float(asked))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(asked) - dt.datetime.now(dt.UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
