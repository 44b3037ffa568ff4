"""The Pager on Opsgenie's alert API and on Jira Service Management's compatible one; decides nothing, only says it."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from oncall.adapters.http.answers import record, records, text
from oncall.adapters.http.calls import bounded
from oncall.adapters.http.connections import Access, Connected, FarSide
from oncall.adapters.markdown import cut
from oncall.adapters.opsgenie.alert import SOURCE, alert, fitting_alias
from oncall.adapters.opsgenie.errors import (
    WRITE_HOST,
    OpsgenieRefused,
    heartbeat_refused,
    is_opsgenies,
    refusal,
    unreadable,
)
from oncall.core.errors import DeliveryFailed, LockedOut, OncallError, Rejected, UnknownPerson, Unreadable
from oncall.core.message import Message
from oncall.core.wall_time import utc
from oncall.usecases.channel_ports import AlertState, PagerCapabilities, RequestOutcome, RequestState

if TYPE_CHECKING:
    from oncall.adapters.opsgenie.client import SafeOpsgenieHook

DEFAULT_URL = "https://api.opsgenie.com"
NO_REQUEST = "00000000-0000-0000-0000-000000000000"  # the id of no request

_OPSGENIE = PagerCapabilities("Opsgenie", reads_alerts=True, heartbeats=True)
_JSM = PagerCapabilities("Jira Service Management", reads_alerts=False, heartbeats=False)
_UNREACHED = PagerCapabilities("Opsgenie (connection cannot be read)", reads_alerts=False, heartbeats=False)

_WEB = {
    "https://api.opsgenie.com": "https://app.opsgenie.com",
    "https://api.eu.opsgenie.com": "https://app.eu.opsgenie.com",
}
_SEARCH = "/alert/list?query=alias%3A%22{alias}%22"

# Where the vendors' pages are, and where their APIs are.
_VENDORS = re.compile(r"https://([\w-]+\.)*(opsgenie\.com|atlassian\.(com|net))(?![\w.])")
_API = re.compile(r"https://(api(\.\w+)?\.opsgenie\.com|[\w.-]+/(\w+/)*jsm/ops/integration)(:443)?")

_NOTE, _NAME = 25_000, 100  # characters
ASK_AGAIN_S = 60.0  # for a name that was not told

Call = Callable[["SafeOpsgenieHook"], Any]


class Opsgenie(FarSide["SafeOpsgenieHook"]):
    """A Pager. Thread-safe; the connection is read on first use and looked at again once a minute."""

    far_side = "Opsgenie"

    def __init__(self, connected: Connected[SafeOpsgenieHook]) -> None:
        super().__init__(connected)
        self._usernames: dict[str, str] = {}  # by the id that an alert shows
        self._asked_at: dict[str, float] = {}  # for the names of these ids

    @classmethod
    def from_connection(cls, conn_id: str = "opsgenie_default", look_again_s: float = 60.0) -> Opsgenie:
        """The pager behind an Airflow connection: host (empty: Opsgenie US), password = API integration key.

        Its extra may hold alert_url, timeout and proxy.
        """
        connected = Connected(
            conn_id, _build, address="host", default_url=DEFAULT_URL, look_again_s=look_again_s
        )
        return cls(connected.probed_by(_probe))

    @property
    def capabilities(self) -> PagerCapabilities:
        """What the connection's host can do. Never raises: without a connection it can do nothing."""
        access = self._reached()
        if access is None:
            return _UNREACHED
        return _JSM if is_jsm(access.url) else _OPSGENIE

    @property
    def alert_url(self) -> str:
        """Where a person sees an alert: an address with `{alias}` in it; "" when not known. Never raises.

        Opsgenie's web page searches by alias. Jira Service Management has a page per site, which no integration key
        tells: there the connection's extra `alert_url` does.
        """
        access = self._reached()
        if access is None:
            return ""
        usual = next((web for api, web in _WEB.items() if access.url.startswith(api)), "")
        return access.address("alert_url", usual and f"{usual}{_SEARCH}")

    @bounded
    def page(self, message: Message) -> str:
        """Implements `Pager`. Raises UnknownPerson, naming whom Opsgenie does not know."""
        body = alert(message)
        people = [str(responder["username"]) for responder in body.get("responders", ())]
        if message.recipients and not people:
            names = ", ".join(recipient.name for recipient in message.recipients)
            raise UnknownPerson(
                f"Opsgenie: {cut(names, _NAME)} has no username; write `opsgenie` in roster.yaml"
            )
        return self._request(lambda hook: hook.get_conn().create_alert(body), people)

    @bounded
    def close(self, alias: str, note: str) -> str:
        """Implements `Pager`."""
        return self._act("close_alert", alias, close_alert_payload=_action(note))

    @bounded
    def acknowledge(self, alias: str, note: str, user: str) -> str:
        """Implements `Pager`."""
        return self._act("acknowledge_alert", alias, acknowledge_alert_payload=_action(note, user))

    @bounded
    def note(self, alias: str, note: str) -> str:
        """Implements `Pager`."""
        return self._act("add_note", alias, add_note_to_alert_payload=_action(note))

    def _act(self, action: str, alias: str, **payload: Mapping[str, str]) -> str:
        """Request this action, a method of the SDK, on the alert of this alias."""
        where = {"identifier": fitting_alias(alias), "identifier_type": "alias"}
        return self._request(lambda hook: getattr(hook.get_conn(), action)(**where, **payload))

    @bounded
    def request_state(self, request_id: str) -> RequestOutcome:
        """Implements `Pager`."""
        answer = self._read(lambda hook: hook.get_conn().get_request_status(request_id))
        if answer is None:  # RequestNotProcessed: taken, and not yet carried out
            return RequestOutcome("pending")
        data = record(answer.get("data"))
        words = text(data.get("status"))
        success = data.get("isSuccess", data.get("success"))
        if not isinstance(success, bool):
            raise DeliveryFailed("Opsgenie: the answer does not say what became of the request")
        # A repeated close or acknowledge fails with "… is already closed": all is as it should be.
        state: RequestState = "done" if success or " already " in words else "failed"
        return RequestOutcome(state, words, text(data.get("alias")))

    @bounded
    def alert_state(self, alias: str) -> AlertState | None:
        """Implements `Pager`."""
        if self.capabilities == _JSM:
            raise Unreadable(f"{_JSM.name} does not show alerts to an integration key")
        answer = self._read(
            lambda hook: hook.get_conn().get_alert(fitting_alias(alias), identifier_type="alias")
        )
        if answer is None:
            return None
        data = record(answer.get("data"))
        acknowledged, report = data.get("acknowledged") or False, record(data.get("report"))
        if data.get("status") not in {"open", "closed"} or not isinstance(acknowledged, bool):
            raise DeliveryFailed("Opsgenie: the answer shows no alert")
        return AlertState(
            open=data["status"] == "open",
            acknowledged=acknowledged,
            owner=text(report.get("acknowledgedBy")) or text(data.get("owner")),
            responders=self._responders(data),
            closed_by=text(report.get("closedBy")),
            created_at=_instant(text(data.get("createdAt"))),
            priority=text(data.get("priority")),
            snoozed=data.get("snoozed") is True,
        )

    def _responders(self, data: Mapping[str, Any]) -> tuple[str, ...] | None:
        """Whom an alert notifies, by username or "team:…"; None when that is not told.

        The alert names its responders by id alone. Those of its recipients who were not met before tell their
        usernames in a further answer.
        """
        if not isinstance(data.get("responders"), list):
            return None
        shown = records(data["responders"])
        now = time.monotonic()
        unmet = [text(responder.get("id")) for responder in shown if not self._name(responder)]
        if any(now - self._asked_at.get(known_by, -ASK_AGAIN_S) >= ASK_AGAIN_S for known_by in unmet):
            self._asked_at |= dict.fromkeys(unmet, now)
            self._meet(text(data.get("id")))
        names = [self._name(responder) for responder in shown]
        return tuple(names) if all(names) else None

    def _name(self, responder: Mapping[str, Any]) -> str:
        kind, known_by = text(responder.get("type")), text(responder.get("id"))
        if kind == "user":
            return text(responder.get("username")) or self._usernames.get(known_by, "")
        named = text(responder.get("name")) or known_by
        return f"{kind}:{named}" if kind and named else ""

    def _meet(self, alert_id: str) -> None:
        with suppress(OncallError):  # a courtesy
            answer = self._read(lambda hook: hook.get_conn().list_recipients(alert_id))
            for recipient in records(record(answer).get("data")):
                user = record(recipient.get("user"))
                self._usernames[text(user.get("id"))] = text(user.get("username"))

    @bounded
    def ping(self, heartbeat: str) -> None:
        """Raises Rejected, naming the heartbeat, when it does not exist, is switched off or may not be pinged."""
        if self.capabilities == _JSM:
            raise Rejected(f"{_JSM.name} takes no heartbeats from an integration key")
        access, hook = self._connected.use()
        try:
            _receipt(hook.heartbeat_api_instance.ping(heartbeat))
        except OpsgenieRefused as refused:
            raise heartbeat_refused(refused.answer, access, heartbeat) from None
        # A ping of an unknown heartbeat is taken without a word.
        try:
            shown = record(hook.heartbeat_api_instance.get_heartbeat(heartbeat).get("data"))
        except OpsgenieRefused as refused:
            if refused.answer.status == 404 and is_opsgenies(refused.answer):
                raise heartbeat_refused(refused.answer, access, heartbeat) from None
            return  # the key may not ask, and that is no harm
        except OncallError:
            return
        if shown.get("enabled") is False:
            raise Rejected(f"heartbeat {heartbeat!r} is switched off in Opsgenie; enable it there")

    def _request(self, call: Call, people: Sequence[str] | None = None) -> str:
        """Have it done to an alert; `people`: for whom a new one is. Returns the request, "" where it is not named."""
        access, hook = self._connected.use()
        try:
            answer = call(hook)
        except OpsgenieRefused as refused:
            raise refusal(refused.answer, access, people) from None
        return _receipt(answer)

    def _read(self, call: Call) -> Any:
        """What the far side shows; None when there is no such thing. Raises NotAllowed without the right to read."""
        access, hook = self._connected.use()
        try:
            return call(hook)
        except OpsgenieRefused as refused:
            if refused.answer.status == 404 and is_opsgenies(refused.answer):
                return None
            raise unreadable(refused.answer, access) from None


def _action(note: str, user: str = "") -> dict[str, str]:
    body = {"source": SOURCE, "note": cut(note, _NOTE), "user": cut(user, _NAME)}
    return {name: value for name, value in body.items() if value}


def _receipt(answer: Mapping[str, Any]) -> str:
    """The request that a receipt names, or "". Raises DeliveryFailed for somebody else's answer, such as a proxy's."""
    if not text(answer.get("requestId")) and not text(answer.get("result")):
        raise DeliveryFailed("Opsgenie: the answer is no receipt", uncertain=True)
    return text(answer.get("requestId"))


def is_jsm(url: str) -> bool:
    """Whether the address is Jira Service Management's integration API."""
    return "/jsm/ops/integration" in url or url.startswith("https://api.atlassian.com")


def _build(access: Access) -> SafeOpsgenieHook:
    from oncall.adapters.opsgenie.client import SafeOpsgenieHook

    if _VENDORS.match(access.url) and not _API.fullmatch(access.url):
        raise LockedOut(
            f"connection {access.conn_id!r} has {access.url}, where no alert can be made; {WRITE_HOST}"
        )
    return SafeOpsgenieHook(access)


def _probe(access: Access, hook: SafeOpsgenieHook) -> None:
    """Raises LockedOut for a key or a host that Opsgenie does not know. A key need not be allowed to read."""
    try:
        hook.alert_api_instance.get_request_status(NO_REQUEST)
    except OpsgenieRefused as refused:
        shown = refused.answer
        if shown.status != 403 and not (shown.status == 404 and is_opsgenies(shown)):
            raise refusal(shown, access) from None


def _instant(shown: str) -> dt.datetime | None:
    """An instant as Opsgenie writes it, in UTC; None for what is none."""
    try:
        at = dt.datetime.fromisoformat(shown)
        return utc(at) if at.tzinfo else None
    except (ValueError, OverflowError):
        return None
