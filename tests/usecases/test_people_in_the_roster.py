"""The roster's entry of a person changes while an incident is open: they are known by their id and their account."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from oncall.core.errors import UnknownPerson
from oncall.core.message import Message
from oncall.core.promises.facts import Task
from oncall.core.promises.promise import Promise
from oncall.core.rota.roster import Override
from oncall.usecases.channel_ports import AlertState
from tests.usecases.conftest_night import DAY, Night, at

KEY = f"growth_etl:{DAY}"
MENDED = "de-003@new.example.com"


@pytest.fixture
def broken(night: Night) -> Night:
    night.world.missing("growth_etl")
    return night


def changed(night: Night, person_id: str, **fields: Any) -> None:
    people = night.config.roster.people
    people = {**people, person_id: replace(people[person_id], **fields)}
    night.config = replace(night.config, roster=replace(night.config.roster, people=people))


def accounts(night: Night) -> list[str | None]:
    return [page.recipients[0].opsgenie for page in night.pager.paged if page.priority == "P1"]


def refuse(night: Night, account: str, monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The far side does not know this account; returns the accounts that were tried."""
    page, tried = night.pager.page, list[str | None]()

    def known(message: Message) -> str:
        tried.append(message.recipients[0].opsgenie)
        if tried[-1] == account:
            raise UnknownPerson(f"422: {account} is unknown")
        return page(message)

    monkeypatch.setattr(night.pager, "page", known)
    return tried


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "Mai Tran", "slack": "U0NEW"},
        {"opsgenie": "DE-003@Example.com"},
        {"name": "Mai Tran", "opsgenie": "mai.tran@example.com"},  # the far side has renamed the user as well
    ],
    ids=["name", "case", "name and username"],
)
def test_whoever_is_renamed_is_not_paged_again(broken: Night, fields: dict[str, str]) -> None:
    """Nor at the next step, nor by hand; what is said from then on says it by the new entry."""
    broken.look("05:00")
    changed(broken, "DE-003", **fields)
    broken.look("05:00:15")
    assert accounts(broken) == ["de-003@example.com"]
    assert broken.by_hand("DE-001", at("05:01:05")).page(KEY).done
    broken.look("05:01:15")
    for clock in ("05:15", "05:15:15", "05:45"):
        broken.look(clock)
    assert accounts(broken) == ["de-003@example.com", "de-004@example.com", "de-manager@example.com"]


def test_whoever_acknowledged_and_is_renamed_is_asked_again(broken: Night) -> None:
    """An hour later the same person, not the one on call."""
    broken.look("05:00")
    broken.acknowledge(f"{KEY}:page-1-primary", "de-001@example.com")
    broken.look("05:01")
    changed(broken, "DE-001", name="Mai Tran")
    broken.look("06:01:15")
    assert broken.pager.paged[-1].recipients[0].name == "Mai Tran"
    assert "Mai Tran acknowledged" in broken.pager.paged[-1].title


def test_an_account_that_was_refused_is_mended_and_tried_at_the_next_look(
    broken: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only when the refused one would have been tried again; nobody else is woken for it."""
    tried = refuse(broken, "de-003@example.com", monkeypatch)
    broken.looks("05:00", "05:02")
    broken.looks("05:04", "05:05")
    assert accounts(broken) == ["de-004@example.com"]
    changed(broken, "DE-003", opsgenie=MENDED)
    broken.look("05:05:15")
    assert accounts(broken) == ["de-004@example.com", MENDED]
    broken.looks("05:05:30", "05:06:30")
    assert tried.count(MENDED) == 1
    assert len(accounts(broken)) == 2


def test_a_warning_that_was_refused_goes_to_the_mended_account_at_the_next_look(
    broken: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure before it is due: once, and in the words that are true then."""
    tried = refuse(broken, "de-003@example.com", monkeypatch)
    failed = Task("transform", "failed", at("03:00"), at("03:10"), "scheduled", "no space left")
    broken.runs.of["growth_etl", DAY] = (failed,)
    broken.looks("03:10", "03:14")
    assert broken.pager.paged == []
    changed(broken, "DE-003", opsgenie=MENDED)
    broken.looks("03:14:15", "03:16")
    assert tried.count(MENDED) == 1
    [page] = broken.pager.paged
    assert (page.step, page.recipients[0].opsgenie) == ("failed-1", MENDED)
    assert "transform failed at 03:10" in page.title


def test_a_mended_account_that_is_refused_too_is_said_and_waits(
    broken: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not asked for at every look."""
    broken.look("04:59:45")
    tried = refuse(broken, MENDED, monkeypatch)
    changed(broken, "DE-003", opsgenie=MENDED)
    broken.looks("05:00", "05:04")
    assert tried.count(MENDED) < 5
    changed(broken, "DE-003", opsgenie="other@example.com")
    monkeypatch.undo()
    tried = refuse(broken, "other@example.com", monkeypatch)
    broken.looks("05:10:15", "05:13")
    assert 0 < tried.count("other@example.com") < 5
    said = [post.title for post, _ in broken.chat.posts if post.step.startswith("unreached:")]
    assert [account in title for title, account in zip(said, (MENDED, "other@"), strict=True)] == [True] * 2


def test_an_override_because_the_account_was_refused_is_paged_at_the_next_look(
    broken: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the refused page would have waited."""
    refuse(broken, "de-003@example.com", monkeypatch)
    broken.looks("05:00", "05:01")
    broken.looks("05:03", "05:03:45")
    broken.look("05:08")
    over = (Override(at("05:08:05"), at("09:00"), primary="DE-001"),)
    broken.config = replace(broken.config, roster=replace(broken.config.roster, overrides=over))
    broken.look("05:08:15")
    assert accounts(broken) == ["de-004@example.com", "de-001@example.com"]


def test_an_account_whose_page_went_to_others_is_mended(
    broken: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The far side took the page, and shows that somebody else has it: the mended account gets one of its own."""
    state = broken.pager.alert_state

    def shown(alias: str) -> AlertState | None:
        alert = state(alias)
        page = next((p for p in broken.pager.paged if p.alias == alias), None)
        to = (page.recipients[0].opsgenie or "",) if page else ()
        to = ("team:data",) if to == ("de-003@example.com",) else to
        return replace(alert, responders=to) if alert else None

    monkeypatch.setattr(broken.pager, "alert_state", shown)
    broken.looks("05:00", "05:00:30")
    assert accounts(broken) == ["de-003@example.com", "de-004@example.com"]
    changed(broken, "DE-003", opsgenie=MENDED)
    broken.looks("05:02:15", "05:02:45")
    assert accounts(broken)[2:] == [MENDED]
    assert "another Opsgenie account of DE-003" in broken.pager.paged[-1].summary


def test_a_row_of_an_older_version_that_names_no_account_is_known_by_the_name(broken: Night) -> None:
    """What is there stays understood."""
    broken.look("05:00")
    nameless = [
        replace(
            broken.pager.paged[0], recipients=(replace(broken.pager.paged[0].recipients[0], opsgenie=None),)
        )
    ]
    (entry,) = [each for each in broken.store.snapshot().deliveries if each.channel == "pager"]
    broken.store.bound(entry, nameless[0])
    broken.look("05:00:15")
    assert len(accounts(broken)) == 1


@pytest.mark.parametrize("known_as", ["de-004@example.com", "DE-004@Example.com"])
def test_who_has_it_is_not_paged_when_their_shift_begins(broken: Night, known_as: str) -> None:
    """The secondary took it at 08:46 and is primary from 09:00 on: there is nothing to hand over."""
    late = replace(broken.config.pipelines["growth_etl"], promise=Promise(dt.time(8, 30), dt.time(8)))
    broken.config = replace(broken.config, pipelines={"growth_etl": late})
    broken.looks("08:30", "08:45:30")
    broken.pager.alerts[f"{KEY}:page-2-secondary"] = AlertState(True, True, known_as)
    broken.looks("08:46", "09:20", 60)
    assert accounts(broken) == ["de-003@example.com", "de-004@example.com"]
    assert not [post for post, _ in broken.chat.posts if "Handed over" in post.title]


def test_an_override_wakes_nobody_for_what_the_secondary_has(broken: Night) -> None:
    """DE-004 took it and is on call still: another primary from six on is told of it by the thread alone."""
    broken.looks("05:00", "05:15:30")
    broken.acknowledge(f"{KEY}:page-2-secondary", "de-004@example.com")
    over = (Override(at("05:30"), at("09:00"), primary="DE-001"),)
    broken.config = replace(broken.config, roster=replace(broken.config.roster, overrides=over))
    broken.looks("05:15:45", "05:45")
    assert accounts(broken) == ["de-003@example.com", "de-004@example.com"]


@pytest.mark.parametrize("by", ["de-003@example.com", "de-002@example.com", "admin"])
def test_who_was_woken_on_their_shift_is_not_woken_again_because_another_takes_it(
    broken: Night, by: str
) -> None:
    """DE-001 is on call from 05:05 on, and paged; then the one before them, a colleague or an admin takes it."""
    broken.looks("05:00", "05:04")
    over = (Override(at("05:05"), at("09:00"), primary="DE-001"),)
    broken.config = replace(broken.config, roster=replace(broken.config.roster, overrides=over))
    broken.looks("05:05", "05:06")
    broken.acknowledge(f"{KEY}:page-1-primary", by)
    broken.looks("05:06:15", "05:40")
    assert accounts(broken) == ["de-003@example.com", "de-001@example.com"]
    assert not [post for post, _ in broken.chat.posts if "Handed over" in post.title]


def test_who_was_paged_by_hand_as_their_shift_began_is_not_woken_again(broken: Night) -> None:
    """Before any look has seen the override; then a colleague takes it."""
    broken.looks("05:00", "05:04")
    over = (Override(at("05:05"), at("09:00"), primary="DE-001"),)
    broken.config = replace(broken.config, roster=replace(broken.config.roster, overrides=over))
    broken.by_hand("DE-002", at("05:05:05")).page(KEY)
    broken.now = at("05:05:06")
    broken.dispatch().pages()
    broken.acknowledge(f"{KEY}:page-1-primary", "de-002@example.com")
    broken.looks("05:06", "05:40", 60)
    assert accounts(broken) == ["de-003@example.com", "de-001@example.com"]


def test_who_comes_back_on_call_is_handed_what_another_took_in_between(broken: Night) -> None:
    """DE-001 was woken on an earlier shift of the night; DE-002 took it on theirs, which is over."""
    roster = broken.config.roster
    turns = (("05:05", "05:20", "DE-001"), ("05:20", "05:40", "DE-002"), ("05:40", "09:00", "DE-001"))
    over = tuple(Override(at(start), at(end), primary=person) for start, end, person in turns)
    broken.config = replace(broken.config, roster=replace(roster, overrides=over))
    broken.looks("05:00", "05:24", 30)
    broken.acknowledge(f"{KEY}:page-1-primary", "de-002@example.com")
    broken.looks("05:25", "05:42")
    assert accounts(broken)[-1] == "de-001@example.com"
    assert [post.title for post, _ in broken.chat.posts if "Handed over" in post.title]


def test_what_was_taken_before_the_shift_ended_is_handed_over_whoever_was_paged_by_hand_since(
    broken: Night,
) -> None:
    """The watcher was dead as the shift ended, and somebody paged the new primary: they may have slept on."""
    broken.looks("05:00", "05:01")
    broken.acknowledge(f"{KEY}:page-1-primary", "de-003@example.com")
    broken.look("05:01:15")
    broken.look("08:58")
    broken.by_hand("DE-002", at("09:01")).page(KEY)
    broken.now = at("09:01:05")
    broken.dispatch().pages()
    broken.looks("09:05", "09:40", 60)
    assert [post.title for post, _ in broken.chat.posts if "Handed over" in post.title]
    assert "de-001@example.com" in accounts(broken)


def test_an_override_that_began_before_the_secondary_was_called_hands_it_to_them_as_primary(
    broken: Night,
) -> None:
    """DE-003 took it and left; by the roster of 05:30 DE-004 was primary from 05:10 on, and was called as secondary."""
    broken.looks("05:00", "05:15:15")
    broken.acknowledge(f"{KEY}:page-1-primary", "de-003@example.com")
    broken.looks("05:20", "05:20:30")
    over = (Override(at("05:10"), at("09:00"), primary="DE-004", secondary="DE-001"),)
    broken.config = replace(broken.config, roster=replace(broken.config.roster, overrides=over))
    broken.looks("05:30", "05:31")
    assert accounts(broken) == [f"de-00{number}@example.com" for number in (3, 4, 4)]


@pytest.mark.parametrize(
    ("by", "handed"),
    [("de-002@example.com", False), ("de-manager@example.com", False), ("de-004@example.com", False),
     ("de-003@example.com", True), ("somebody@example.com", True)],
    ids=["a colleague", "the manager", "the secondary, who stays", "the primary", "a name that nobody knows"],
)  # fmt: skip
def test_what_a_colleague_has_who_was_not_on_call_is_nobodys_to_hand_over(
    broken: Night, by: str, handed: bool
) -> None:
    """They took it without a shift, and no shift of theirs ends: the new primary was woken for what is in hand."""
    broken.looks("05:00", "05:10")
    broken.acknowledge(f"{KEY}:page-1-primary", by)
    broken.looks("05:10:15", "05:11")
    over = (Override(at("05:30"), at("09:00"), primary="DE-001"),)
    broken.config = replace(broken.config, roster=replace(broken.config.roster, overrides=over))
    broken.looks("05:30", "05:32")
    assert accounts(broken) == ["de-003@example.com", *["de-001@example.com"] * handed]


@pytest.mark.parametrize(
    ("step", "by", "called"),
    [("page-1-primary", "DE-003", "de-004"), ("page-2-secondary", "DE-004", "de-003")],
    ids=["primary", "secondary"],
)
def test_who_has_it_and_cannot_be_asked_again_is_not_waited_for(
    broken: Night, step: str, by: str, called: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their account is gone within the hour: the escalation begins anew, and the thread says why."""
    broken.looks("05:00", "05:15:15")
    broken.acknowledge(f"{KEY}:{step}", f"{by.lower()}@example.com")
    broken.look("05:16")
    refuse(broken, f"{by.lower()}@example.com", monkeypatch)
    broken.looks("06:16", "06:17")
    assert accounts(broken)[2:] == [f"{called}@example.com"]
    (said,) = (m for m, _ in broken.chat.posts if "cannot be asked again" in m.title)
    assert said.title == f"{by} has it and cannot be asked again: the escalation starts again"
    assert "is unknown" in said.summary


def test_who_has_it_and_has_no_account_is_not_asked_in_vain(broken: Night) -> None:
    """The primary is asked in their place."""
    broken.look("05:00")
    changed(broken, "DE-001", opsgenie="")
    assert broken.by_hand("DE-001", at("05:03")).acknowledge(KEY).done
    broken.looks("05:03", "05:03:30")
    broken.look("06:03:15")
    assert accounts(broken) == ["de-003@example.com"] * 2
