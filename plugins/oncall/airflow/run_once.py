"""One evaluation from a task, a callback or the command line: decide, then send. The watcher has its own way."""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import structlog

from oncall.airflow.composition import Services, Wiring
from oncall.airflow.dag_files import watch_dag_files
from oncall.core.errors import OncallError, Unreadable
from oncall.usecases.current_config import say_configuration
from oncall.usecases.delivery_round import Clock, Sent
from oncall.usecases.dispatch import Dispatch
from oncall.usecases.evaluate import Evaluation, evaluate
from oncall.usecases.history import WATCHER_SILENT_AFTER
from oncall.usecases.metrics import TICK_AGE, of_look, of_snapshot
from oncall.usecases.mutual_watch import nobody_looks, sla_watch_looked, watch_watcher
from oncall.usecases.notes import TICK, instant, noted
from oncall.usecases.ports import LANES, OTHERS_CHANNELS, OUR_CHANNELS, Lane, Metrics, Store
from oncall.usecases.timekeeping import SteadyClock, note_clocks, read_clocks, utc_now

log = structlog.get_logger(__name__)
T = TypeVar("T")

# A little more than the watcher's tick.
HAND_OVER_S = 20.0
# Evaluations at once, one after the other, because somebody cannot be reached.
MORE_CALLS = 5
# How long a task or a callback waits for both channels.
ONE_SHOT_S = 25.0


def evaluate_once(
    at: dt.datetime | None = None,
    *,
    stay_s: float = 0,
    within_s: float = math.inf,
    check_before_send: bool = False,
    of_sla_watch: bool = False,
) -> Evaluation:
    """One look from a task, a callback or the command line: decide, then send on both channels side by side.

    `at`: another instant than the one that the clocks agree on. `stay_s`: how long to stay while the store cannot be
    read (a process that is frozen within a look keeps its lock for ten seconds), and while something is still owed: the
    process that claimed it may be dead, and another can send it only after the lease.
    `within_s`: after how long no more is sent; whoever looks next sends it.
    `check_before_send`: another process should have noticed before, so ask the far sides whether it was sent already
    (the watcher may have paged from memory while the store was down). `of_sla_watch`: it is the look that the watcher
    waits for.
    """
    wiring, began = Wiring(), time.monotonic()
    until, ends = began + stay_s, began + within_s
    _once_readable(wiring.store().install, until)
    services = wiring.services()
    agreed = read_clocks(services.clocks)
    now = SteadyClock(at or agreed.at)
    dispatch = wiring.dispatch(services.config, services.store, now)
    if of_sla_watch:
        quietly(lambda: sla_watch_looked(services.store, dispatch.scene(now())))
    quietly(dispatch.acknowledgements)

    def look() -> Evaluation:
        return evaluate(services.config, services.world, services.runs, services.store, services.links, now())

    seen = _once_readable(look, until)
    quietly(lambda: say_configuration(services.store, dispatch.scene(now()), services.problems))
    quietly(lambda: watch_watcher(services.store, dispatch.scene(now())))
    quietly(lambda: watch_dag_files(services, services.store, dispatch.scene(now())))
    quietly(lambda: note_clocks(services.store, dispatch.scene(now()), agreed))
    quietly(lambda: _tell(wiring.metrics, services, seen, now()))
    more_calls = MORE_CALLS
    while True:
        patience_s = min(ONE_SHOT_S, ends - time.monotonic())
        if patience_s <= 0:  # what a sender claims now it could not send
            return seen
        unreached = send_once(
            wiring, services, now, patience_s, seen=seen, check_before_send=check_before_send
        )
        if unreached and more_calls and time.monotonic() < ends:  # the next one is called at once
            more_calls -= 1
            seen = look()
        elif time.monotonic() < until and services.store.waiting():
            time.sleep(2)
        else:
            return seen


def stand_in(within_s: float) -> None:
    """Look, where nobody else does: where `sla_watch` is paused there is no watcher either. Raises Unreadable."""
    if nobody_looks(Wiring().store(), utc_now()):
        evaluate_once(within_s=within_s)


def send_once(
    wiring: Wiring,
    services: Services,
    now: Clock = utc_now,
    patience_s: float = ONE_SHOT_S,
    *,
    seen: Evaluation | None = None,
    check_before_send: bool = False,
) -> bool:
    """Send what is owed on all lanes side by side: a dead channel does not delay the other, nor a note a page.

    Returns when all are done, or after `patience_s` seconds; what is unsent then is sent by the next look.
    True: somebody on the escalation cannot be reached, so look again at once.
    """
    for connected in (wiring.pager, wiring.chat):
        quietly(connected.prepare)  # reads its Airflow connection here: a plain thread may not ask Airflow
    unreached: list[bool] = []
    waiting: list[Callable[[Dispatch], Sent]] = []

    def one(send: Callable[[Dispatch], Sent], store: Store | None = None) -> None:
        at_hand = store or wiring.store()
        dispatch = wiring.dispatch(services.config, at_hand, now, seen, check_before_send=check_before_send)
        if not quietly(lambda: unreached.append(send(dispatch).unreached)):
            waiting.append(send)

    chats = (partial(_posts, lane=lane) for lane in (OUR_CHANNELS, OTHERS_CHANNELS))
    acts: list[Callable[[Dispatch], Sent]] = [*(partial(Dispatch.pages, lane=lane) for lane in LANES), *chats]
    senders = [threading.Thread(target=one, args=(act,), daemon=True) for act in acts]
    for sender in senders:
        sender.start()
    ends = time.monotonic() + patience_s
    for sender in senders:
        sender.join(max(0.0, ends - time.monotonic()))
    # There may be no further connection to the store: over the one at hand, one after the other, pages first, since a
    # slow chat would take all of the time.
    for act in acts:
        if act in waiting and time.monotonic() < ends:
            one(act, services.store)
    return any(unreached)


def _posts(dispatch: Dispatch, lane: Lane) -> Sent:
    if dispatch.check_before_send and dispatch.store.waiting() and not dispatch.can_check():
        _let_the_watcher_hand_over(dispatch.store)
    return dispatch.posts(lane)


def _tell(metrics: Metrics, services: Services, seen: Evaluation, at: dt.datetime) -> None:
    """The numbers of a look from elsewhere than the watcher, and how long ago the watcher looked."""
    metrics.tell(of_look(seen, roster_valid=not services.problems, store_readable=True))
    metrics.tell(of_snapshot(services.store.snapshot(), at))
    if tick := noted(TICK, services.store.get_note(TICK), instant, None):
        metrics.tell([TICK_AGE.of((at - tick).total_seconds())])


def _let_the_watcher_hand_over(store: Store) -> None:
    """Wait until the watcher has looked with the store again: it may have posted from memory meanwhile.

    Not for long, and not at all for a watcher that is dead.
    """
    began, until = utc_now(), time.monotonic() + HAND_OVER_S
    while time.monotonic() < until:
        tick = noted(TICK, store.get_note(TICK), instant, None)
        if tick is None or tick > began or began - tick > WATCHER_SILENT_AFTER:
            return
        time.sleep(0.5)


def _once_readable(act: Callable[[], T], until: float) -> T:
    """Try until the store can be read. Raises Unreadable when it cannot at the monotonic second `until`."""
    while True:
        try:
            return act()
        except Unreadable as error:
            if time.monotonic() > until:
                raise
            log.warning("oncall.trouble", reason=str(error), again_in_s=1)
            time.sleep(1)


def quietly(act: Callable[[], object]) -> bool:
    """Act, and log what goes wrong instead of raising it. Returns whether it went well."""
    try:
        act()
    except OncallError as error:
        log.warning("oncall.trouble", reason=str(error))
        return False
    return True
