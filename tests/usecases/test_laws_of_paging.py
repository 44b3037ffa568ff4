"""The laws of paging as a model: a watcher, a worker and the page on one store, through every kind of fault.

Whatever happens in whatever order: nobody is woken twice for one step, only who is on call at that moment is woken,
nobody for what a look has seen published or somebody has acknowledged; nothing acknowledged or resolved is forgotten;
and once the faults have passed, what is broken has woken somebody, and what is over is closed everywhere.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from oncall.adapters.memory_store import MemoryStore
from oncall.airflow import look
from oncall.airflow.composition import Services
from oncall.airflow.watcher import NEW_S
from oncall.config.oncall_config import OncallConfig
from oncall.core.errors import DeliveryFailed, OncallError, UnknownPerson, Unreadable
from oncall.core.incidents.page_step import round_and_seat
from oncall.core.incidents.wording import Links
from oncall.core.message import Message
from oncall.core.rota.on_call import who_is_on_call
from oncall.core.rota.roster import Override
from oncall.usecases.channel_ports import AlertState, RequestOutcome
from oncall.usecases.dispatch import Dispatch
from oncall.usecases.evaluate import evaluate
from oncall.usecases.manual_actions import ManualActions
from oncall.usecases.ports import LANES, OutboxEntry
from tests.exploring import examples
from tests.usecases.conftest_night import (
    DAY,
    FakeChat,
    FakeMetrics,
    FakePager,
    FakeRuns,
    FakeWorld,
    a_setup,
    at,
)

KEY = f"growth_etl:{DAY}"
LINKS = Links("http://airflow.test")


class Killed(BaseException):
    """The process dies here."""


class Shaky:
    """`oncall_db`: a store that can go away, before or after a statement was carried out."""

    def __init__(self, inner: MemoryStore) -> None:
        self.inner = inner
        self.down = False
        self.breaks_in = 0  # the connection is lost after so many more statements (0: it is not)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if not callable(found):
            return found

        def asked(*args: Any, **kwargs: Any) -> Any:
            if self.down:
                raise Unreadable("oncall_db: connection refused")
            answer = found(*args, **kwargs)
            if self.breaks_in:
                self.breaks_in -= 1
                if not self.breaks_in:
                    raise Unreadable("oncall_db: the connection was lost")
            return answer

        return asked


@dataclass
class Opsgenie(FakePager):
    """As strict as the real one: an open alias takes no double, a closed one opens a new alert."""

    woken: list[tuple[dt.datetime, Message]] = field(default_factory=list)
    wrong: list[Message] = field(default_factory=list)
    now: Any = None
    holder: Any = None
    fault: str = ""
    unknown: str = ""
    failing: str = ""
    unreadable: bool = False
    pending: set[str] = field(default_factory=set)
    mute: bool = False

    def page(self, message: Message) -> str:
        fault, self.fault = self.fault, ""
        if fault in ("down", "crash before"):
            raise DeliveryFailed("connection refused") if fault == "down" else Killed
        if self.unknown and message.recipients and message.recipients[0].name == self.unknown:
            raise UnknownPerson(f"422: {self.unknown} is unknown")
        if self.failing and message.recipients and message.recipients[0].name == self.failing:
            raise DeliveryFailed(f"500 for {self.failing} alone", uncertain=True)
        known = self.alerts.get(message.alias)
        if known is None or not known.open:
            self.alerts[message.alias] = AlertState(open=True, acknowledged=False)
            self.paged.append(message)
            self.woken.append((self.now(), message))
            found = round_and_seat(message.step)
            if found and message.recipients[0].name != self.holder(found[1]):
                self.wrong.append(message)
        if fault == "crash after":
            raise Killed
        if fault == "lost answer":
            raise DeliveryFailed("timed out", uncertain=True)
        return f"request-{message.alias}"

    def request_state(self, request_id: str) -> RequestOutcome:
        if self.unreadable:
            raise Unreadable("500")
        return RequestOutcome("done")

    def alert_state(self, alias: str) -> AlertState | None:
        if self.unreadable:
            raise Unreadable("403: this key may not read")
        return self.alerts.get(alias)


@dataclass
class Slack(FakeChat):
    fault: str = ""

    def post(self, message: Message, channel: str, thread_ts: str | None = None) -> Any:
        fault, self.fault = self.fault, ""
        if fault in ("down", "crash before"):
            raise DeliveryFailed("connection refused") if fault == "down" else Killed
        posted = super().post(message, channel, thread_ts)
        if fault == "crash after":
            raise Killed
        if fault == "lost answer":
            raise DeliveryFailed("timed out", uncertain=True)
        return posted


class Clocked(FakeWorld):
    clock: Any = None


FAULTS = st.sampled_from(["down", "lost answer", "crash before", "crash after"])


class Night(RuleBasedStateMachine):
    """Growth is missing at five. Time passes in steps; whoever acts looks and sends, or dies in between."""

    @initialize()
    def begin(self) -> None:
        self.now = at("04:59:50")
        self.config: OncallConfig = a_setup()
        self.world, self.runs = Clocked(), FakeRuns()
        self.world.clock = lambda: self.now
        self.world.missing("growth_etl")
        self.database = Shaky(MemoryStore(now=lambda: self.now))
        self.database.inner.set_note("watching_since", at("01:00").isoformat())
        self.pager, self.chat = Opsgenie(now=lambda: self.now, holder=self.holder), Slack()
        self.acknowledged_since: dt.datetime | None = None  # as written into a database that was there
        self.published = False
        self.began = 0.0, self.now
        self.new_watcher()

    # Who watches.

    def new_watcher(self) -> None:
        self.looker = look.Looker()
        self.looker.clock = lambda: self.now  # type: ignore[assignment]
        self.looker.know(wiring=Wired(self), services=self.services())
        self.asked_for_lost = 0.0  # since when it has no more to ask for
        self.journals: Mapping[Any, list[OutboxEntry]] = {lane: [] for lane in (*LANES, "chat")}

    def services(self) -> Services:
        world: Any = self.world
        runs: Any = self.runs
        database: Any = self.database
        pager: Any = self.pager
        chat: Any = self.chat
        return Services(self.config, (), world, runs, database, pager, chat, LINKS)

    def tick(self) -> None:
        """One look of the watcher and a round of each of its senders, as its loops do them."""
        self.looker.know(services=self.services())
        for _ in range(4):
            with pytest.MonkeyPatch.context() as here:
                here.setattr(look, "config_in_force", lambda *_: (self.config, ()))
                seen = self.looker.look(self.now)
            if seen is not None:
                self.looker.know(seen=seen)
            unreached = [self._round(lane) for lane in (*LANES, "chat")]
            if not any(unreached):
                return

    def _round(self, lane: Any) -> bool:
        store = self.looker.known.memory or self.database
        wiring: Any = self.looker.known.wiring
        dispatch: Dispatch = wiring.dispatch(
            self.config,
            store,
            self.looker.clock,
            self.looker.known.seen,
            check_before_send=self._is_new(),
            journal=self.journals[lane],
        )
        with suppress(Unreadable):
            return (dispatch.posts() if lane == "chat" else dispatch.pages(lane)).unreached
        return False

    def _is_new(self) -> bool:
        """As the watcher, by the clock of this night."""
        began = self.looker.known.began
        if self.began[0] != began:
            self.began = began, self.now
        return self.now - self.began[1] < dt.timedelta(seconds=NEW_S)

    def hear(self) -> None:
        store, known = self.looker.known.memory or self.database, self.looker.known
        wiring: Any = known.wiring
        dispatch = wiring.dispatch(self.config, store, self.looker.clock, known.seen)
        if known.seen is not None and self.asked_for_lost != known.began:
            with suppress(OncallError):
                dispatch.lost_alerts()
                self.asked_for_lost = known.began
        with suppress(Unreadable):
            dispatch.acknowledgements()

    @rule()
    def watcher_looks(self) -> None:
        self._survive(self.tick)

    @rule()
    def watcher_hears(self) -> None:
        self._survive(self.hear)

    @rule()
    def watcher_is_killed(self) -> None:
        self.new_watcher()

    @rule()
    def worker_looks(self) -> None:
        """`sla_watch` on another host: the database or nothing."""

        def act() -> None:
            with suppress(Unreadable):
                dispatch = Wired(self).dispatch(
                    self.config, self.database, lambda: self.now, check_before_send=True
                )
                dispatch.acknowledgements()
                dispatch.seen = evaluate(self.config, self.world, self.runs, self.database, LINKS, self.now)
                dispatch.pages()
                dispatch.posts()

        self._survive(act)

    def _survive(self, act: Any) -> None:
        try:
            act()
        except Killed:
            self.new_watcher()

    # What happens to them.

    @rule(seconds=st.sampled_from([1, 5, 15, 31, 76, 300, 900]))
    def time_passes(self, seconds: int) -> None:
        self.now += dt.timedelta(seconds=seconds)

    @rule(fault=FAULTS)
    def pager_fails_once(self, fault: str) -> None:
        self.pager.fault = fault

    @rule(fault=FAULTS)
    def chat_fails_once(self, fault: str) -> None:
        self.chat.fault = fault

    @rule(down=st.booleans())
    def database_goes_and_comes(self, down: bool) -> None:
        self.database.down = down

    @rule(statements=st.integers(1, 25))
    def connection_is_lost(self, statements: int) -> None:
        self.database.breaks_in = statements

    @rule(lost=st.sampled_from(["incidents_by_key", "slots", "notes"]))
    def rows_are_lost(self, lost: str) -> None:
        """Somebody empties a table of the database between two looks."""
        if self.database.down or self.database.breaks_in or self.pager.fault or self.chat.fault:
            return
        self.tick()
        getattr(self.database.inner, lost).clear()
        self.tick()

    @rule(unreadable=st.booleans())
    def pager_may_not_be_read(self, unreadable: bool) -> None:
        self.pager.unreadable = unreadable

    # What people do.

    @precondition(lambda self: self.pager.paged)
    @rule(name=st.sampled_from(["de-003@example.com", "DE-004", "Mai Tran"]))
    def somebody_taps(self, name: str) -> None:
        """In Opsgenie, on the newest alert; by the account, or under a name that the roster does or does not know."""
        alias = self.pager.paged[-1].alias
        if self.pager.alerts[alias].open:
            self.pager.alerts[alias] = replace(self.pager.alerts[alias], acknowledged=True, owner=name)

    @precondition(lambda self: self.pager.paged)
    @rule()
    def somebody_gives_it_back(self) -> None:
        """Unacknowledged in Opsgenie."""
        alias = self.pager.paged[-1].alias
        self.pager.alerts[alias] = replace(self.pager.alerts[alias], acknowledged=False, owner="")

    @precondition(lambda self: self.pager.paged)
    @rule(closes=st.booleans())
    def a_policy_acts(self, closes: bool) -> None:
        """The far side by itself: nobody has it."""
        alias = self.pager.paged[-1].alias
        state = self.pager.alerts[alias]
        if state.open and not state.acknowledged:
            acted = replace(state, acknowledged=True, owner="Alert API")
            self.pager.alerts[alias] = replace(state, open=False, closed_by="System") if closes else acted

    @rule(name=st.sampled_from(["", "DE-003", "DE-004"]))
    def opsgenie_does_not_know(self, name: str) -> None:
        self.pager.unknown = name

    @rule(name=st.sampled_from(["", "DE-003", "DE-004", "DE-MANAGER"]))
    def opsgenie_does_not_take_the_pages_of(self, name: str) -> None:
        """A 500 for this person's alone, as long as it lasts."""
        self.pager.failing = name

    @rule()
    def somebody_acknowledges_on_the_page(self) -> None:
        if self.database.down or self.database.breaks_in:
            return
        by_hand = ManualActions(self.config, self.database, LINKS, "DE-003", self.now)
        if by_hand.acknowledge(KEY).done:
            self.acknowledged_since = self.now

    @rule(primary=st.sampled_from(["DE-001", "DE-002"]))
    def somebody_takes_over(self, primary: str) -> None:
        """An override from now on."""
        start: Any = self.now
        others = tuple(replace(o, end=start) for o in self.config.roster.overrides if o.start < start)
        new = Override(start, start + dt.timedelta(hours=12), primary=primary)
        self.config = replace(self.config, roster=replace(self.config.roster, overrides=(*others, new)))

    @precondition(lambda self: self.pager.paged)
    @rule(there=st.booleans())
    def its_pipeline_goes_and_comes(self, there: bool) -> None:
        """By a release and the one after it."""
        known = a_setup().pipelines
        pipelines = known if there else {name: each for name, each in known.items() if name != "growth_etl"}
        self.config = replace(self.config, pipelines=pipelines)

    @rule()
    def report_is_published(self) -> None:
        self.world.publish("growth_etl", self.now)
        self.published = True

    # The laws.

    def escalation_pages(self) -> list[tuple[dt.datetime, Message]]:
        return [(when, page) for when, page in self.pager.woken if round_and_seat(page.step)]

    @invariant()
    def nobody_is_woken_twice_for_one_step(self) -> None:
        if hasattr(self, "pager"):
            assert max(Counter(page.alias for _, page in self.escalation_pages()).values(), default=0) <= 1

    @invariant()
    def only_who_is_on_call_is_woken(self) -> None:
        assert not (self.pager.wrong if hasattr(self, "pager") else ())

    def holder(self, seat: str) -> str | None:
        shift = who_is_on_call(self.config.roster, self.now)
        return {"primary": shift.primary, "secondary": shift.secondary, "manager": "DE-MANAGER"}[seat]

    @invariant()
    def nobody_is_woken_before_due(self) -> None:
        assert all(
            when >= at("05:00") for when, _ in (self.escalation_pages() if hasattr(self, "pager") else ())
        )

    @invariant()
    def nothing_is_handed_to_whom_it_woke_on_this_shift(self) -> None:
        """Whoever else acknowledged it: they have heard of it."""
        woken = self.escalation_pages() if hasattr(self, "pager") else []
        handed = {message.step for message, _ in self.chat.posts} if woken else set()
        for when, page in woken:
            round_, seat = round_and_seat(page.step) or (0, "")
            if seat == "primary" and f"handover-{round_}" in handed:
                began = who_is_on_call(self.config.roster, when).start
                before = [w for w, p in woken if p.recipients == page.recipients and began <= w < when]
                assert not before

    @invariant()
    def one_thread(self) -> None:
        if hasattr(self, "chat"):
            assert len([message for message in self.chat.threads if message.key == KEY]) <= 1

    @invariant()
    def what_a_person_said_is_not_forgotten(self) -> None:
        """Until the escalation begins anew, which the database knows as well."""
        incident = self.database.inner.incidents_by_key.get(KEY) if hasattr(self, "database") else None
        if incident is None or self.acknowledged_since is None:
            return
        if incident.escalation_round == 0:
            assert incident.acknowledged_at is not None
            assert incident.acknowledged_at >= self.acknowledged_since

    def teardown(self) -> None:
        """The faults pass; whoever watches goes on for an hour."""
        if not hasattr(self, "pager"):
            return
        self.database.down, self.database.breaks_in = False, 0
        self.pager.fault = self.chat.fault = ""
        self.pager.unreadable, self.pager.unknown, self.pager.failing = False, "", ""
        self.its_pipeline_goes_and_comes(there=True)
        self.now = max(self.now, at("05:00"))
        self.tick()  # a new watcher asks for lost alerts within seconds of its first look
        for _ in range(60):
            self.hear()
            self.tick()
            self.nobody_is_woken_twice_for_one_step()
            self.only_who_is_on_call_is_woken()
            self.nothing_is_handed_to_whom_it_woke_on_this_shift()
            self.one_thread()
            self.now += dt.timedelta(seconds=61)
        incident = self.database.inner.incidents_by_key.get(KEY)
        if self.published:
            assert incident is None or not incident.open
            assert not [
                alias for alias, state in self.pager.alerts.items() if state.open and alias.startswith(KEY)
            ]
        else:
            assert incident is not None
            assert self.escalation_pages() or incident.acknowledged, "whoever took the warning has it"
            woken = {page.recipients[0].name for _, page in self.escalation_pages()}
            assert incident.acknowledged or "DE-MANAGER" in woken

        assert self.database.inner.waiting() == 0


@dataclass
class Wired:
    """The wiring of a night: everything is the same for every thread."""

    night: Night
    metrics: FakeMetrics = field(default_factory=FakeMetrics)
    troubles: Mapping[str, str | None] = field(default_factory=dict)

    def dispatch(
        self, config: OncallConfig, store: Any, now: Any, seen: Any = None, *, check_before_send: bool = False,
        journal: list[OutboxEntry] | None = None,
    ) -> Dispatch:  # fmt: skip
        return Dispatch(
            config, store, self.night.pager, self.night.chat, LINKS, self.metrics, now, seen, check_before_send,
            [] if journal is None else journal,
        )  # fmt: skip


@pytest.mark.timeout(600)  # a minute of reckoning, more on a machine that has others to serve
def test_the_laws_hold_whatever_happens() -> None:
    """Random nights of up to thirty events."""
    run_state_machine_as_test(
        Night,
        settings=settings(
            max_examples=examples(40),
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.generate, Phase.shrink),
        ),
    )
