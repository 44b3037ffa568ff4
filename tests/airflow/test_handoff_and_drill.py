"""The handoff and a test page on real databases and a real inbox: said once, to the right people, and closed."""

from __future__ import annotations

import datetime as dt
import re
import threading
import time
from typing import TYPE_CHECKING

import pytest

from oncall.adapters.postgres.history import History
from oncall.airflow.composition import Wiring
from oncall.core.errors import DeliveryFailed, Rejected
from oncall.core.incidents.incident import Incident, Plan
from oncall.core.notices.handoff_note import key_of_handoff
from oncall.core.rota.on_call import who_is_on_call
from oncall.core.rota.rotation import week_beginning

if TYPE_CHECKING:
    from tests.airflow.conftest_site import Site

PARAMS = {"pipeline": "growth_etl", "cause": "stuck", "who": "secondary", "priority": "P2", "wait_minutes": 0}


@pytest.fixture
def wiring(site: Site) -> Wiring:
    """What the modules under test make for themselves, too."""
    site.inbox.settings(processing_delay=0)
    wiring = Wiring()
    wiring.store().install()
    return wiring


@pytest.fixture
def boundary(wiring: Wiring) -> dt.datetime:
    """The last handoff, with somebody watching since the week before."""
    config = wiring.services().config
    at = config.roster.day_starts(week_beginning(config.roster, dt.datetime.now(dt.UTC)))
    wiring.store().set_note("watching_since", (at - dt.timedelta(days=8)).isoformat())
    return at


def test_the_handoff_is_said_once_and_sets_the_group(
    site: Site, wiring: Wiring, boundary: dt.datetime
) -> None:
    """Run twice, as after a restart: one note with the new pair, the group's members are the pair."""
    from oncall.airflow.handoff import hand_over

    roster = wiring.services().config.roster
    open_one = Incident("growth_etl:2026-11-22", "growth_etl", boundary.date(), boundary, due=boundary)
    drill = Incident("drill-x:growth_etl:2026-11-22", "growth_etl", boundary.date(), boundary, drill="x")
    with wiring.store().decision_lock() as decision:
        told_with_it = Incident(
            "profit_etl:2026-11-22",
            "profit_etl",
            boundary.date(),
            boundary,
            due=boundary,
            leader=open_one.key,
        )
        decision.record(Plan((open_one, told_with_it, drill)), boundary)
    restated = f"'second', '{(boundary - dt.timedelta(days=1)).isoformat()}'"
    site.query(
        "insert into investor.restatements values ('investor.daily_profit', '2026-11-20', 'refunds', '0.00', '6.00',"
        f" 'a late refund', {restated})"
    )
    later = (boundary - dt.timedelta(hours=12)).isoformat()
    for number in range(6):  # what nobody is promised leaves no report of the investors out
        site.query(
            "insert into investor.restatements values ('experiments.unit_profit', '2026-11-20', 'n', '1', '2',"
            f" 'a late refund', 'run {number}', '{later}')"
        )
    now = who_is_on_call(roster, boundary)
    for _ in range(2):
        assert hand_over().startswith(f"Handoff: {now.primary}, then {now.secondary}")
    [note] = site.inbox.messages()
    assert note.thread_ts is None
    assert note.metadata["event_payload"]["key"] == key_of_handoff(roster, boundary)
    said = str(note.blocks)
    assert "Growth ETL, " in said
    assert "Profit ETL, " in said, "it is missing too, though another one speaks for it"
    assert said.count("nobody has it") == 2
    assert "Profit ETL: 0 kept" in said
    assert "Profit ETL of 20 Nov: refunds 0.00 → 6.00 (a late refund)" in said
    members = [roster.recipient(person).slack for person in (now.primary, now.secondary) if person]
    [group] = site.inbox.state()["usergroups"]
    assert group["users"] == members
    assert all(f"<@{member}>" in note.text for member in members)


@pytest.mark.parametrize("team", ["", "growth"])
def test_a_group_that_two_teams_name_holds_the_pairs_of_both(
    site: Site, wiring: Wiring, boundary: dt.datetime, team: str
) -> None:
    """Whichever team is handed over: nobody's pair is taken out of it by another team's handoff."""
    from oncall.airflow.handoff import hand_over

    roster = (site.include / "roster.yaml").read_text()
    other = re.sub(r"^pipelines:\n(?:[ #].*\n|\n)*", "pipelines: {}\n", roster, flags=re.MULTILINE)
    other = other.replace("slack: U0DE", "slack: U9DE")
    (site.include / "teams" / "growth").mkdir(parents=True)
    (site.include / "teams" / "growth" / "roster.yaml").write_text(other)
    config = wiring.services().config
    assert list(config.teams) == ["growth"]
    hand_over(team)
    now = who_is_on_call(config.roster, boundary)
    pair = [config.roster.recipient(person).slack for person in (now.primary, now.secondary) if person]
    [group] = site.inbox.state()["usergroups"]
    assert group["users"] == [*pair, *(str(member).replace("U0", "U9") for member in pair)]


def test_a_group_that_can_never_be_set_is_said_below_the_note(
    site: Site, wiring: Wiring, boundary: dt.datetime
) -> None:
    """A missing scope does not silence the handoff, and another try would not help."""
    from oncall.airflow.handoff import hand_over

    path = site.include / "roster.yaml"
    path.write_text(path.read_text().replace("S0DEONCALL", "S0NOBODY"))
    with pytest.raises(Rejected):
        wiring.chat.set_group("S0NOBODY", ["U0DE001"])
    hand_over(last_try=False)
    note, trouble = site.inbox.messages()
    assert trouble.thread_ts == note.ts
    assert "user group S0NOBODY still has its old members" in trouble.text


def test_a_group_that_was_not_set_is_tried_again(site: Site, wiring: Wiring, boundary: dt.datetime) -> None:
    """What may pass fails its task until it has passed; the note is said once, and nothing is said in vain."""
    from oncall.airflow.handoff import hand_over

    site.inbox.fail("slack", "usergroups.users.update", "slack_error", error="fatal_error", count=1)
    with pytest.raises(DeliveryFailed):
        hand_over(last_try=False)
    hand_over(last_try=False)
    [group] = site.inbox.state()["usergroups"]
    assert len(group["users"]) == 2
    assert len(site.inbox.messages()) == 1


def test_the_last_try_that_fails_is_said(site: Site, wiring: Wiring, boundary: dt.datetime) -> None:
    """The task is red, and the channel knows that the group is wrong."""
    from oncall.airflow.handoff import hand_over

    site.inbox.fail("slack", "usergroups.users.update", "slack_error", error="fatal_error", count=1)
    with pytest.raises(DeliveryFailed):
        hand_over(last_try=True)
    assert "still has its old members" in site.inbox.messages()[-1].text


def test_a_primary_whom_no_page_reached_is_tried_again(
    site: Site, wiring: Wiring, boundary: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pager was away for a while: the next try of the task is a page of its own, then nobody is tried any more."""
    from oncall.airflow import drill_page
    from oncall.airflow.handoff import try_primary

    monkeypatch.setattr(drill_page, "TAKEN_WITHIN_S", 1.0)
    site.inbox.fail("opsgenie", "create", status=422)
    with pytest.raises(drill_page.NotReached):
        try_primary(wait_s=0)
    site.inbox.heal()
    assert try_primary(wait_s=0)[0].startswith("the pager has it for ")
    assert try_primary(wait_s=0) == ["the new primary was tried already"]
    assert len(site.inbox.alerts()) == 1


def test_a_new_installation_hands_nothing_over(site: Site, wiring: Wiring, boundary: dt.datetime) -> None:
    """Nobody watched before the last handoff: no note, no page."""
    from oncall.airflow.handoff import hand_over, try_primary

    wiring.store().set_note("watching_since", (boundary + dt.timedelta(seconds=1)).isoformat())
    assert hand_over().startswith("nothing to hand over")
    assert try_primary(wait_s=0)[0].startswith("nobody to try")
    assert (site.inbox.messages(), site.inbox.alerts()) == ([], [])


def test_the_new_primary_is_tried_once(site: Site, wiring: Wiring, boundary: dt.datetime) -> None:
    """A P5 that waits for the tap, closes by itself, and says in the handoff's thread how it went."""
    from oncall.airflow.handoff import hand_over, try_primary

    hand_over()

    def tap() -> None:
        while not (alerts := site.inbox.alerts()):
            time.sleep(0.1)
        site.inbox.acknowledge(alerts[0], user=alerts[0].recipients[0])

    person = threading.Thread(target=tap, daemon=True)
    person.start()
    lines = try_primary(wait_s=30)
    [alert] = site.inbox.alerts()
    assert lines[0].startswith(f"{alert.recipients[0]} acknowledged after ")
    assert (alert.priority, alert.open) == ("P5", False)
    note, page, over = site.inbox.messages()
    assert page.thread_ts == over.thread_ts == note.ts
    assert "Test page over" in over.text
    assert try_primary(wait_s=0) == ["the new primary was tried already"]
    assert len(site.inbox.alerts()) == 1


@pytest.mark.parametrize("alias", ["as given", "message"])
def test_a_drill_pages_the_chosen_person_and_reports(site: Site, wiring: Wiring, alias: str) -> None:
    """Through the whole chain; no incident is left, the alert is closed, the thread has both words. A policy of the far
    side may have given the alert an alias of its own."""
    from oncall.airflow.drill_page import run_drill

    site.inbox.settings(aliases_are=alias)
    lines = run_drill(PARAMS)
    roster = wiring.services().config.roster
    secondary = who_is_on_call(roster, dt.datetime.now(dt.UTC)).secondary
    assert secondary is not None
    [alert] = site.inbox.alerts()
    assert alert.recipients == [roster.recipient(secondary).opsgenie]
    assert (alert.priority, alert.open) == ("P2", False)
    assert alert.message.startswith("[DRILL] Growth ETL: test page as if stuck")
    assert lines[0] == f"the pager has it for {secondary}"
    assert lines[1].startswith("pager: accepted after ")
    assert "not yet" not in " ".join(lines)
    page, over = site.inbox.messages()
    assert over.thread_ts == page.ts
    assert site.inbox.calls(unexpected=True) == []
    assert History(wiring._oncall_db).records(dt.datetime.min.replace(tzinfo=dt.UTC), 10) == []


def test_a_drill_that_reaches_nobody_fails_and_says_so(
    site: Site, wiring: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task is red; Slack tells the reason."""
    from oncall.airflow import drill_page

    monkeypatch.setattr(drill_page, "TAKEN_WITHIN_S", 1.0)
    site.inbox.fail("opsgenie", "create", status=422)
    with pytest.raises(drill_page.NotReached, match="did NOT reach"):
        drill_page.run_drill(PARAMS)
    assert site.inbox.alerts() == []
    assert "did NOT reach" in site.inbox.messages()[-1].text


def test_a_drill_of_a_pipeline_that_cannot_be_read_says_so(site: Site, wiring: Wiring) -> None:
    """Its runbook is there and broken: the form still offers it."""
    from oncall.airflow.drill_page import NotReached, run_drill

    with pytest.raises(
        NotReached, match=r"crm_etl has no runbook that can be read: `python -m oncall check`"
    ):
        run_drill({**PARAMS, "pipeline": "crm_etl"})


def test_nobody_is_paged_whom_the_form_did_not_name(site: Site) -> None:
    """Where Airflow passes over a run's conf, the primary was paged in the place of whoever had been chosen."""
    from oncall.airflow import drill_page

    asked = {**PARAMS, "who": "manager", "priority": "P5", "note": "x"}
    with pytest.raises(
        drill_page.NotReached, match="passes over what the form says of who, priority; set dag_run_conf"
    ):
        drill_page.run_drill(PARAMS, asked)
    assert site.inbox.alerts() == []
