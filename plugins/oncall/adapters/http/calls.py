"""How long a question to a far side may take, and what may come of it: the bounds around every adapter's call."""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar, cast

from oncall.core.errors import DeliveryFailed, OncallError

# Seconds. A question to an adapter may be several requests; all of them together end in CALL_S.
CONNECT_S = 3.0
CALL_S = 8.0
LONGEST_WAIT_S = 3_600.0  # no Retry-After is longer for us

_LANES = 16
_ends: ContextVar[list[float] | None] = ContextVar("ends", default=None)

P = ParamSpec("P")
T = TypeVar("T")


class Named(Protocol):
    far_side: str


S = TypeVar("S", bound=Named)


def bounded(ask: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """A method that asks a far side: only our errors leave it, whatever was answered.

    It is over CALL_S after its first request began. (The first one of a process reads a connection and imports an SDK
    before that: seconds that no far side can help.)
    """

    @wraps(ask)
    def run(self: S, *args: P.args, **kwargs: P.kwargs) -> T:
        token = _ends.set([])
        try:
            return ask(self, *args, **kwargs)
        except OncallError:
            raise
        except Exception as error:  # noqa: BLE001 - an answer of a kind that nobody thought of
            # Where, but not what: its text may hold what must not be told.
            *_, at = traceback.extract_tb(error.__traceback__)
            where = f"{type(error).__name__} in {Path(at.filename).name}:{at.lineno}"
            words = f"{self.far_side}: the answer cannot be understood ({where})"
            raise DeliveryFailed(words, uncertain=True) from None
        finally:
            _ends.reset(token)

    return cast("Callable[Concatenate[S, P], T]", run)


def seconds_left() -> float:
    """Until the method that is asking must be over."""
    ends = _ends.get()
    if not ends:
        if ends is not None:
            ends.append(time.monotonic() + CALL_S)
        return CALL_S
    return max(0.0, ends[0] - time.monotonic())


class Lanes:
    """Threads for calls that may hang. Only so many can: while all of them do, the next call is not sent.

    A name server that hangs can be bounded in no other way than by a thread that is left behind.
    """

    def __init__(self, far_side: str, lanes: int = _LANES) -> None:
        self._far_side = far_side
        self._free = threading.BoundedSemaphore(lanes)

    def start(self, call: Callable[[], T], within_s: float) -> Future[T]:
        """Begin the call in a lane. Raises DeliveryFailed when none is free after `within_s` seconds."""
        if not self._free.acquire(timeout=within_s):
            raise DeliveryFailed(f"{self._far_side}: not sent, too many earlier calls still hang")
        future: Future[T] = Future()

        def work() -> None:
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - handed to the caller, who waits for it
                future.set_exception(error)
            finally:
                self._free.release()

        # A daemon: a call that hangs must not keep its process from ending.
        try:
            threading.Thread(target=work, daemon=True, name=f"call to {self._far_side}").start()
        except RuntimeError as error:  # the process has no thread left
            self._free.release()
            raise DeliveryFailed(f"{self._far_side}: not sent, {error}") from error
        return future


def seconds_to_wait(headers: Mapping[str, str] | None) -> float | None:
    """What `Retry-After` (seconds or a date) or Opsgenie's `X-RateLimit-Period-In-Sec` ask for; None when silent."""
    found = {name.lower(): str(value).strip() for name, value in (headers or {}).items()}
    asked = found.get("retry-after") or found.get("x-ratelimit-period-in-sec")
    if not asked:
        return None
    try:
        seconds = float(asked)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(asked) - dt.datetime.now(dt.UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return None if math.isnan(seconds) else min(max(0.0, seconds), LONGEST_WAIT_S)
