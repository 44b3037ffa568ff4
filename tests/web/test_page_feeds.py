"""Calendars and badges for who cannot sign in: keys, revocation, and entries that a calendar can follow."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace

import icalendar
import pytest
from fastapi.testclient import TestClient

from oncall.adapters.postgres.database import connect_to
from oncall.adapters.postgres.feeds import Feeds
from oncall.adapters.postgres.lasting_connections import LastingConnection
from oncall.core.errors import Unreadable
from oncall.core.rota.roster import Leave, Roster
from oncall.web.routes import feeds as feeds_of_the_page
from oncall.web.views import badge, calendar_feed
from tests.web.example_page import Example, at, config, morning
from tests.web.per_dag import PerDag

OURS = {"sec-fetch-site": "same-origin"}


def follow(
    roster: Roster, who: str, now: dt.datetime, before: str = ""
) -> tuple[str, dict[str, calendar_feed.Entry]]:
    """What a calendar is told now, given what it was told before."""
    text = calendar_feed.revised(before, calendar_feed.entries(roster, who, now), now)
    return text, {one.uid: one for one in calendar_feed.said(text)}


def with_leave(roster: Roster, person: str, start: dt.date, end: dt.date) -> Roster:
    leave = Leave(person, roster.day_starts(start), roster.day_starts(end))
    return replace(roster, leave=(*roster.leave, leave))


def test_nothing_changes_when_nothing_changes() -> None:
    """The same roster an hour later: the same entries, the same sequence numbers, word for word."""
    roster, now = config().roster, at("05:12")
    text, _ = follow(roster, "DE-001", now)
    again, _ = follow(roster, "DE-001", now + dt.timedelta(hours=1), text)
    assert again == text


def test_a_shift_given_away_is_cancelled_and_one_taken_over_is_new() -> None:
    """Leave in a primary week: the entry is cancelled, then comes back, each with a higher sequence."""
    roster, now = config().roster, at("05:12")
    begins = dt.date(2026, 12, 14)  # DE-003 is primary, DE-004 secondary
    text, first = follow(roster, "DE-003", now)
    uid = f"{begins}-primary-0-DE-003@oncall"
    assert not first[uid].cancelled
    away = with_leave(roster, "DE-003", begins, begins + dt.timedelta(days=7))
    text, second = follow(away, "DE-003", now + dt.timedelta(hours=1), text)
    assert (second[uid].cancelled, second[uid].sequence) == (True, 1)
    text, third = follow(roster, "DE-003", now + dt.timedelta(hours=2), text)
    assert (third[uid].cancelled, third[uid].sequence) == (False, 2)


def test_a_shortened_shift_keeps_its_uid() -> None:
    """Two days of leave inside a week change its entry, they do not replace it."""
    roster, now = config().roster, at("05:12")
    text, first = follow(roster, "DE-003", now)
    away = with_leave(roster, "DE-003", dt.date(2026, 12, 19), dt.date(2026, 12, 21))
    _, second = follow(away, "DE-003", now, text)
    uid = "2026-12-14-primary-0-DE-003@oncall"
    assert second[uid].sequence == first[uid].sequence + 1
    assert second[uid].end < first[uid].end


def test_what_is_over_is_never_cancelled() -> None:
    """Weeks that fall out of view are forgotten, not taken back."""
    roster, now = config().roster, at("05:12")
    text, _ = follow(roster, calendar_feed.TEAM, now)
    _, later = follow(roster, calendar_feed.TEAM, now + dt.timedelta(weeks=30), text)
    assert not any(one.cancelled for one in later.values())


def test_the_calendar_is_one_that_programs_read(admin: TestClient, client: TestClient) -> None:
    """Made on the page, fetched without a login, parsed by the library: every entry has what it needs."""
    made = admin.post("/oncall/links", data={"what": "calendar:team"}, headers=OURS)
    path = re.search(r"/oncall/calendar\.ics\?token=[\w-]+", made.text)
    assert path
    client.cookies.clear()
    answer = client.get(path[0])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    calendar = icalendar.Calendar.from_ical(answer.content)
    events = calendar.walk("VEVENT")
    assert len({str(event["uid"]) for event in events}) == len(events) > 30
    now = next(event for event in events if event.decoded("dtstart") <= at("05:12") < event.decoded("dtend"))
    assert str(now["summary"]) == "On call: DE-003, then DE-004"
    assert all(str(event["status"]) == "CONFIRMED" for event in events)


def test_a_revoked_link_opens_nothing(admin: TestClient, example: Example) -> None:
    """From the next request on."""
    key = example.links.make("calendar:DE-001", "anna", at("05:00"))
    assert admin.get(f"/oncall/calendar.ics?token={key}").status_code == 200
    answer = admin.post(f"/oncall/links/id-{key}/revoke", headers=OURS, follow_redirects=False)
    assert answer.status_code == 303
    assert admin.get(f"/oncall/calendar.ics?token={key}").status_code == 404


@pytest.mark.parametrize("path", ["/oncall/calendar.ics", "/oncall/badge/investor.daily_profit.svg"])
@pytest.mark.parametrize("key", ["", "?token=", "?token=guess"])
def test_without_its_key_nothing_opens(admin: TestClient, path: str, key: str) -> None:
    """Not even for who is signed in: there is one way in."""
    assert admin.get(f"{path}{key}").status_code == 404


def test_a_key_opens_one_thing(client: TestClient, example: Example) -> None:
    """The badge of one report, and neither another's nor a calendar."""
    key = example.links.make("badge:investor.daily_profit", "anna", at("05:00"))
    assert client.get(f"/oncall/badge/investor.daily_profit.svg?token={key}").status_code == 200
    assert client.get(f"/oncall/badge/investor.daily_growth.svg?token={key}").status_code == 404
    assert client.get(f"/oncall/calendar.ics?token={key}").status_code == 404


def test_a_new_badge_comes_with_its_look_and_what_to_paste(admin: TestClient) -> None:
    """The link, the line for a page's HTML, and the picture as it is now; a calendar says where to put it."""
    made = admin.post("/oncall/links", data={"what": "badge:investor.daily_profit"}, headers=OURS).text
    link = "/oncall/badge/investor.daily_profit.svg?token=key-1"
    assert made.count(link) == 2
    assert f"{link}&#34; alt=&#34;investor.daily_profit: is it fresh?&#34;&gt;" in made
    assert "refreshed 02:31" in made
    calendar = admin.post("/oncall/links", data={"what": "calendar:team"}, headers=OURS).text
    assert "Subscribe from web" in calendar


@pytest.mark.parametrize("path", ["/oncall/links", "/oncall/links/id-key-1/revoke"])
def test_links_are_made_and_revoked_by_who_may_act(viewer: TestClient, example: Example, path: str) -> None:
    """A viewer is refused, and so is another site."""
    example.links.make("calendar:team", "anna", at("05:00"))
    assert viewer.post(path, data={"what": "calendar:team"}, headers=OURS).status_code == 403
    assert viewer.post(path, data={"what": "calendar:team"}).status_code == 403
    assert len(example.links.made) == 1


def test_a_key_is_masked_in_the_access_log_of_airflow() -> None:
    """The link's parameter has a name that Airflow hides."""
    from airflow._shared.secrets_masker import secrets_masker

    path = feeds_of_the_page.path_of("calendar:team", "the-key")
    name, value = path.partition("?")[2].split("=")
    assert (secrets_masker._secrets_masker().should_hide_value_for_key(name), value) == (True, "the-key")


def test_the_page_says_who_made_a_link_and_when_it_was_used_and_ends(
    viewer: TestClient, example: Example
) -> None:
    """So that somebody can see which one nobody needs any more."""
    key = example.links.make("calendar:team", "anna", at("05:00"))
    text = viewer.get("/oncall/links").text
    assert "made by anna" in text
    assert "never used" in text
    assert "expires" in text
    example.links.made[key] = replace(example.links.made[key], used_at=at("05:10"), until=at("05:11"))
    text = viewer.get("/oncall/links").text
    assert "last used" in text
    assert "expired" in text


def test_links_of_hidden_pipelines_are_nobodys_business(
    admin: TestClient, example: Example, manager: PerDag
) -> None:
    """Neither shown, nor made, nor revoked; and `?dag_id=` of a pipeline that one may edit changes nothing."""
    hidden = example.links.make("badge:investor.daily_profit", "anna", at("05:00"))
    other = example.links.make("badge:investor.daily_engagement", "anna", at("05:00"))
    text = admin.get("/oncall/links").text
    assert "investor.daily_profit" not in text
    assert "investor.daily_engagement" in text
    for what, status in (("badge:investor.daily_profit", 404), ("badge:investor.daily_engagement", 403),
                         ("badge:investor.daily_growth", 200), ("calendar:team", 200)):  # fmt: skip
        made = admin.post("/oncall/links?dag_id=growth_etl", data={"what": what}, headers=OURS)
        assert made.status_code == status, what
    for key, status in ((hidden, 404), (other, 403)):
        gone = admin.post(f"/oncall/links/id-{key}/revoke?dag_id=growth_etl", headers=OURS)
        assert gone.status_code == status
    manager.edit = set()
    made = admin.post("/oncall/links?dag_id=growth_etl", data={"what": "calendar:team"}, headers=OURS)
    assert made.status_code == 403


def test_a_link_to_nothing_is_not_made(admin: TestClient, example: Example) -> None:
    """Only what is offered."""
    assert admin.post("/oncall/links", data={"what": "calendar:nobody"}, headers=OURS).status_code == 404
    assert example.links.made == {}


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ("investor.daily_profit", ("profit · 22 Nov · refreshed 02:31", "ok")),
        (
            "investor.daily_growth",
            ("growth · 21 Nov · refreshed Sun 22 Nov 02:31 · next one is late", "missing"),
        ),
        ("investor.daily_nothing", ("nothing · cannot tell", "unknown")),
    ],
)
def test_a_badge_says_of_which_day_and_since_when(report: str, words: tuple[str, str]) -> None:
    """The newest publication, and whether a newer one is owed."""
    assert badge.words(morning(), report) == words


def test_keys_are_kept_as_hashes_and_can_be_revoked(oncall_database: str) -> None:
    """On the real database: what is stored opens nothing, and each revision sees the one before."""
    connect = connect_to(oncall_database)
    feeds = Feeds(connect)
    key = feeds.make("calendar:team", "anna", at("05:00"))
    (link,) = feeds.all()
    assert (link.what, link.by, link.at, link.used_at) == ("calendar:team", "anna", at("05:00"), None)
    assert key not in link.id
    assert feeds.find(link.id, at("06:00")) is None
    for clock, noted in (("06:00", "06:00"), ("06:59", "06:00"), ("07:00", "07:00")):
        assert feeds.find(key, at(clock)) == "calendar:team"
        assert feeds.all()[0].used_at == at(noted)
    assert feeds.find(key, link.until - dt.timedelta(seconds=1)) == "calendar:team"
    assert feeds.find(key, link.until) is None
    assert feeds.revise("calendar:team", lambda before: before + "a") == "a"
    assert feeds.revise("calendar:team", lambda before: before + "b") == "ab"
    with pytest.raises(Unreadable):
        feeds.revise("calendar:nobody", lambda before: str(int(before)))
    kept = LastingConnection(connect, "oncall_db").ask(
        "select name from oncall.memory where name like 'feed:%'"
    )
    assert kept == [("feed:calendar:team",)]  # what could not be revised leaves nothing behind
    assert feeds.revoke(link.id)
    assert not feeds.revoke(link.id)
    assert feeds.find(key, at("08:00")) is None


SPOILT = [
    "x",
    "[]",
    "{}",
    "[1]",
    "null",
    '[{"uid": "a"}]',
    '{"what": 1, "by": 2, "at": "2026-11-20"}',
    '{"at": "infinity"}',
]


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_note_that_another_version_wrote_closes_no_feed(spoilt: str, oncall_database: str) -> None:
    """A link that nobody can read is none, and the others are listed and open; a calendar is told anew."""
    connect = connect_to(oncall_database)
    feeds = Feeds(connect)
    key, other = (feeds.make("calendar:team", "anna", at("05:00")) for _ in range(2))
    gone = feeds.all()[0].id
    with LastingConnection(connect, "oncall_db").cursor() as cursor:
        cursor.execute("update oncall.memory set value = %s where name = %s", (spoilt, f"link:{gone}"))
    assert len(feeds.all()) == 1
    assert sorted(map(str, (feeds.find(key, at("06:00")), feeds.find(other, at("06:00"))))) == [
        "None",
        "calendar:team",
    ]
    _, told = follow(config().roster, "DE-001", at("05:12"), spoilt)
    assert told == follow(config().roster, "DE-001", at("05:12"))[1]
