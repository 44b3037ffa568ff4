"""The links from the page to where the far sides show an incident: its alert and its thread."""

from __future__ import annotations

from dataclasses import replace

from fastapi.testclient import TestClient

from oncall.usecases.history import DeliveryRecord
from oncall.web.snapshot import PageSnapshot
from tests.web.example_page import Example, at

INCIDENT = "growth_etl:2026-11-22"


def _with_addresses(seen: PageSnapshot, *more: DeliveryRecord, led: bool = False) -> PageSnapshot:
    """Everything that was sent has arrived; the second incident follows the first when `led`."""
    first, second, *rest = seen.records
    first = replace(first, told=(*first.told, *more))
    if led:
        second = replace(second, incident=replace(second.incident, leader=INCIDENT))
    return replace(
        seen,
        records=(first, second, *rest),
        alert_url="https://pager.test/?alias={alias}",
        thread_url="https://chat.test/{channel}/{ts}",
    )


def _paged(step: str, state: str) -> DeliveryRecord:
    alias = f"{INCIDENT}:{step}"
    return DeliveryRecord("pager", step, "page", "Growth", ("DE-004",), state, 1, at("05:15"), alias=alias)


POSTED = DeliveryRecord(
    "chat", "broken", "post", "Growth", (), "done", 1, at("05:00"), at("05:00"), "", "C1", "17.5"
)
SECOND = _paged("page-2-secondary", "accepted")


def test_an_incident_leads_to_its_newest_alert_and_its_thread(viewer: TestClient, example: Example) -> None:
    """On the incident, on the promise, and in the JSON; a page that was not sent has no alert."""
    example.seen = _with_addresses(example.seen, POSTED, SECOND, _paged("page-3-manager", "owed"))
    alert = "https://pager.test/?alias=growth_etl%3A2026-11-22%3Apage-2-secondary"
    for path in ("/oncall/", f"/oncall/incidents/{INCIDENT}"):
        text = viewer.get(path).text
        assert f'href="{alert}" rel="noopener">Opsgenie alert</a>' in text
        assert 'href="https://chat.test/C1/17.5" rel="noopener">Slack thread</a>' in text
    told = viewer.get(f"/oncall/api/incidents/{INCIDENT}").json()
    assert (told["links"]["alert"], told["links"]["thread"]) == (alert, "https://chat.test/C1/17.5")
    sent = [delivery for line in told["timeline"] for delivery in line["deliveries"]]
    links = [delivery["link"] for delivery in sent if delivery["link"]]
    assert [link.rpartition("%3A")[2] for link in links] == ["page-1-primary", "page-2-secondary"]


def test_who_follows_leads_to_where_it_is_told(viewer: TestClient, example: Example) -> None:
    """One alert and one thread speak for several incidents."""
    example.seen = _with_addresses(example.seen, POSTED, SECOND, led=True)
    links = viewer.get("/oncall/api/incidents/engagement_etl:2026-11-22").json()["links"]
    assert links["alert"].endswith("page-2-secondary")
    assert links["thread"] == "https://chat.test/C1/17.5"


def test_what_is_nowhere_to_be_seen_has_no_link(viewer: TestClient, example: Example) -> None:
    """Nothing posted, or nobody knows the far side's web address."""
    links = viewer.get(f"/oncall/api/incidents/{INCIDENT}").json()["links"]
    assert (links["alert"], links["thread"]) == (None, None)
    assert "Opsgenie alert" not in viewer.get(f"/oncall/incidents/{INCIDENT}").text
