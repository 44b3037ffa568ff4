"""The Pager on Opsgenie's alert API and on Jira Service Management's compatible one; decides nothing, only says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from oncall.adapters.calls import Calls
from oncall.adapters.connections import CONNECT_S, Access, Connected
from oncall.adapters.markdown import cut
from oncall.adapters.opsgenie_alert import SOURCE, alert, fitting_alias
from oncall.core.errors import DeliveryFailed, LockedOut, NotAllowed, OncallError, Rejected, Unreadable
from oncall.core.message import Message
from oncall.ports import AlertState, PagerCapabilities, RequestState

if TYPE_CHECKING:
    from oncall.adapters.opsgenie_client import SafeOpsgenieHook

DEFAULT_URL = "https://api.opsgenie.com"

_OPSGENIE = PagerCapabilities("Opsgenie", reads_alerts=True, heartbeats=True)
_JSM = PagerCapabilities("Jira Service Management", reads_alerts=False, heartbeats=False)
_UNREACHED = PagerCapabilities("Opsgenie (connection cannot be read)", reads_alerts=False, heartbeats=False)

_WEB = {
    "https://api.opsgenie.com": "https://app.opsgenie.com",
    "https://api.eu.opsgenie.com": "https://app.eu.opsgenie.com",
}
_SEARCH = "/alert/list?query=alias%3A%22{alias}%22"

_NOTE, _NAME = 25_000, 100  # characters

Call = Callable[["SafeOpsgenieHook", dict[str, Any]], Any]


class Opsgenie:
    """A Pager. Thread-safe; the connection is read on first use and looked at again once a minute."""

    def __init__(self, connected: Connected[SafeOpsgenieHook]) -> None:
        self._connected = connected
        self._calls = Calls("Opsgenie")
        self._usernames: dict[str, str] = {}  # by the id that an alert shows

    @classmethod
    def from_connection(cls, conn_id: str = "opsgenie_default", look_again_s: float = 60.0) -> Opsgenie:
        """The pager behind an Airflow connection: host (empty: Opsgenie US), password = API integration key.

        Its extra may hold alert_url, timeout and proxy.
        """
        return cls(
            Connected(conn_id, _build, address="host", default_url=DEFAULT_URL, look_again_s=look_again_s)
        )

    def prepare(self) -> None:
        """Read the Airflow connection now, in this thread. Raises DeliveryFailed when it cannot be used."""
        self._connected.use()

    @property
    def capabilities(self) -> PagerCapabilities:
        """What the connection's host can do. Never raises: without a connection it can do nothing."""
        try:
            access, _ = self._connected.use()
        except DeliveryFailed:
            return _UNREACHED
        return _JSM if is_jsm(access.url) else _OPSGENIE

    @property
    def alert_url(self) -> str:
        """Where a person sees an alert: an address with `{alias}` in it; "" when not known. Never raises.

        Opsgenie's web page searches by alias. Jira Service Management has a page per site, which no integration key
        tells: there the connection's extra `alert_url` does.
        """
        try:
            access, _ = self._connected.use()
        except DeliveryFailed:
            return ""
        usual = next((web for api, web in _WEB.items() if access.url.startswith(api)), "")
        return access.address("alert_url", usual and f"{usual}{_SEARCH}")

    def page(self, message: Message) -> str:
        body = alert(message)
        return self._request(lambda hook, bounds: hook.get_conn().create_alert(body, **bounds))

    def close(self, alias: str, note: str) -> str:
        body = _action(note)
        return self._request(
            lambda hook, bounds: hook.get_conn().close_alert(
                fitting_alias(alias), identifier_type="alias", close_alert_payload=body, **bounds
            )
        )

    def acknowledge(self, alias: str, note: str, user: str) -> str:
        body = _action(note, user)
        return self._request(
            lambda hook, bounds: hook.get_conn().acknowledge_alert(
                fitting_alias(alias), identifier_type="alias", acknowledge_alert_payload=body, **bounds
            )
        )

    def note(self, alias: str, note: str) -> str:
        body = _action(note)
        return self._request(
            lambda hook, bounds: hook.get_conn().add_note(
                fitting_alias(alias), body, identifier_type="alias", **bounds
            )
        )

    def request_state(self, request_id: str) -> tuple[RequestState, str]:
        answer = self._read(lambda hook, bounds: hook.get_conn().get_request_status(request_id, **bounds))
        if answer is None:  # RequestNotProcessed: taken, and not yet carried out
            return "pending", ""
        data = answer.get("data") or {}
        words = str(data.get("status") or "")
        # A repeated close or acknowledge fails with "… is already closed": all is as it should be.
        done = data.get("isSuccess", data.get("success")) or " already " in words
        return ("done" if done else "failed"), words

    def alert_state(self, alias: str) -> AlertState | None:
        if self.capabilities == _JSM:
            raise Unreadable(f"{_JSM.name} does not show alerts to an integration key")
        answer = self._read(
            lambda hook, bounds: hook.get_conn().get_alert(
                fitting_alias(alias), identifier_type="alias", **bounds
            )
        )
        if answer is None:
            return None
        data = answer.get("data") or {}
        report = data.get("report") or {}
        return AlertState(
            open=data.get("status") != "closed",
            acknowledged=bool(data.get("acknowledged")),
            owner=str(data.get("owner") or ""),
            alert_id=str(data.get("id") or ""),
            responders=self._responders(data),
            closed_by=str(report.get("closedBy") or ""),
        )

    def _responders(self, data: Mapping[str, Any]) -> tuple[str, ...] | None:
        """Whom an alert notifies, by username or "team:…"; None when that is not told.

        The alert names its responders by id alone. Those of its recipients who were not met before tell their
        usernames in a further answer.
        """
        shown = data.get("responders")
        if not isinstance(shown, list):
            return None
        unmet = [one for one in shown if not self._name(one)]
        if unmet:
            self._meet(str(data.get("id") or ""))
        names = [self._name(one) for one in shown]
        return tuple(names) if all(names) else None

    def _name(self, responder: Mapping[str, Any]) -> str:
        kind, known_by = responder.get("type"), str(responder.get("id") or "")
        if kind != "user":
            return f"{kind}:{responder.get('name') or known_by}"
        return str(responder.get("username") or self._usernames.get(known_by) or "")

    def _meet(self, alert_id: str) -> None:
        with suppress(OncallError):  # a courtesy
            answer = (
                self._read(lambda hook, bounds: hook.get_conn().list_recipients(alert_id, **bounds)) or {}
            )
            for recipient in answer.get("data") or []:
                user = recipient.get("user") or {}
                self._usernames[str(user.get("id"))] = str(user.get("username") or "")

    def ping(self, heartbeat: str) -> None:
        if self.capabilities == _JSM:
            raise Rejected(f"{_JSM.name} takes no heartbeats from an integration key")
        self._call(lambda hook, bounds: hook.heartbeat_api_instance.ping(heartbeat, **bounds))

    def _request(self, call: Call) -> str:
        answer = self._call(call)
        request_id = answer.get("requestId")
        if not request_id:
            raise DeliveryFailed("Opsgenie: the answer names no request", uncertain=True)
        return str(request_id)

    def _read(self, call: Call) -> Any:
        """What the far side shows; None when there is no such thing. Raises NotAllowed without the right to read."""
        try:
            return self._call(call, reading=True)
        except LockedOut as error:
            raise NotAllowed(f"{error}; the key needs the right to read (Read Access)") from None

    def _call(self, call: Call, *, reading: bool = False) -> Any:
        access, hook = self._connected.use()
        from oncall.adapters.opsgenie_client import failure, status_of

        # Whole numbers: the SDK silently ignores others.
        bounds = {"_request_timeout": (CONNECT_S, access.answer_s)}
        try:
            return self._calls.run(access.total_s, lambda: call(hook, bounds))
        except DeliveryFailed:
            raise
        except Exception as error:  # noqa: BLE001 - no exception of a library leaves an adapter
            if reading and status_of(error) == 404:
                return None
            raise failure(error, access) from None  # the SDK's own text may repeat the key


def _action(note: str, user: str = "") -> dict[str, str]:
    body = {"source": SOURCE, "note": cut(note, _NOTE), "user": cut(user, _NAME)}
    return {name: value for name, value in body.items() if value}


def is_jsm(url: str) -> bool:
    """Whether the address is Jira Service Management's integration API."""
    return "/jsm/ops/integration" in url or url.startswith("https://api.atlassian.com")


def _build(access: Access) -> SafeOpsgenieHook:
    from oncall.adapters.opsgenie_client import SafeOpsgenieHook

    return SafeOpsgenieHook(access)
