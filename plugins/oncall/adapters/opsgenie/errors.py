"""What a 4xx of Opsgenie means, in our words: for one person, one alert, or everybody, and what is to be mended."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from oncall.adapters.http.connections import Access
from oncall.core.errors import (
    DeliveryFailed,
    Gone,
    LockedOut,
    NotAllowed,
    OncallError,
    Rejected,
    UnknownPerson,
)

if TYPE_CHECKING:
    from oncall.adapters.http.exchange import Answer

_MEND_KEY = "write the key of an API integration that no team owns into the connection's password"
_APIS = (
    "https://api.opsgenie.com or https://api.eu.opsgenie.com, Jira Service Management's"
    " https://api.atlassian.com/jsm/ops/integration"
)
WRITE_HOST = f"write as host Opsgenie's {_APIS}"
_MEND_HOST = f"is the connection's host right? Opsgenie's is {_APIS}. Does a proxy refuse what is sent there?"
_IN_EUROPE = "; an account in the EU has the host https://api.eu.opsgenie.com"
_NOT_LET_IN = {401, 402, 403}  # 402: an account that has ended
_ABOUT_PEOPLE = re.compile(r"responder|recipient|user", re.IGNORECASE)


class OpsgenieRefused(Exception):
    """A 4xx, which means something else for each action."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def refusal(answer: Answer, access: Access, people: Sequence[str] | None = None) -> DeliveryFailed:
    """What was done to an alert was refused. `people`: the usernames a new alert is for; None when there is one."""
    reason = _reason(answer, access)
    if answer.status == 405 or not is_opsgenies(answer):
        return LockedOut(f"{reason}; {_MEND_HOST}")
    if _is_not_let_in(answer, reason):
        return LockedOut(f"{reason}; {_mend_key(access)}")
    if answer.status == 404:
        return Gone(reason) if people is None else LockedOut(f"{reason}; {_MEND_HOST}")
    if people and (unknown := _unknown(answer, people)):
        return UnknownPerson(
            f"{reason}; Opsgenie does not know {', '.join(unknown)}: mend `opsgenie` of that person in roster.yaml, "
            "or add the user in Opsgenie"
        )
    return Rejected(reason)


def unreadable(answer: Answer, access: Access) -> OncallError:
    """What was asked for is not shown."""
    reason = _reason(answer, access)
    if not is_opsgenies(answer):
        return DeliveryFailed(f"{reason}; {_MEND_HOST}")
    if answer.status == 401 or "Key format" in reason:
        return NotAllowed(f"{reason}; {_mend_key(access)}")
    if _is_not_let_in(answer, reason):
        return NotAllowed(f"{reason}; give the key of the integration the right to read (Read Access)")
    return DeliveryFailed(f"{reason}; {_MEND_HOST}")


def heartbeat_refused(answer: Answer, access: Access, name: str) -> Rejected:
    """A heartbeat that does not exist, or that the key may not ping."""
    reason = f"heartbeat {name!r}: {_reason(answer, access)}"
    if answer.status == 404:
        return Rejected(f"{reason}; add it in Opsgenie (Settings → Heartbeats), or mend opsgenie.heartbeat")
    if answer.status in _NOT_LET_IN:
        return Rejected(f"{reason}; {_MEND_KEY}, with the right to create and update")
    return Rejected(reason)


def schedules_refused(answer: Answer, access: Access, how_to_add: str) -> Rejected:
    """What was done to a schedule was refused; `how_to_add` says which key may do it."""
    reason = _reason(answer, access)
    return Rejected(f"{reason}. {how_to_add}" if _is_not_let_in(answer, reason) else reason)


def is_opsgenies(answer: Answer) -> bool:
    """Whether the answer is in Opsgenie's form: one of anybody else (a proxy's, another service's) says nothing of what
    was sent, and of no key."""
    return not answer.data.keys().isdisjoint({"requestId", "message", "errors"})


def _is_not_let_in(answer: Answer, reason: str) -> bool:
    """Whether it is the key; a malformed one is a 422."""
    return answer.status in _NOT_LET_IN or "Key format" in reason


def _mend_key(access: Access) -> str:
    """A key of the EU's is nobody's in the US, where a connection without a host leads."""
    return _MEND_KEY + (_IN_EUROPE if access.url == "https://api.opsgenie.com" else "")


def _reason(answer: Answer, access: Access) -> str:
    return f"{access.at}: {answer.status}: {answer.words}"


def _unknown(answer: Answer, people: Sequence[str]) -> list[str]:
    """Whom the far side does not know: those it names, by name or place; all where it only says that it is somebody."""
    errors = answer.data.get("errors")
    complaints = errors if isinstance(errors, Mapping | list) else []
    text = f"{answer.words} {json.dumps(complaints)}".lower()
    named = [name for name in people if name.lower() in text]
    places = [int(place) for place in re.findall(r"responders\[(\d+)\]", text)]
    named = named or [people[place] for place in places if place < len(people)]
    fields = " ".join(map(str, complaints)) or str(answer.data.get("message") or "")
    return named if named or not _ABOUT_PEOPLE.search(fields) else list(people)
