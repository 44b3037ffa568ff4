"""Asks Opsgenie once whether key, heartbeats and accounts are as they must be. Reads only: nobody is woken."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from urllib.parse import quote

from oncall.adapters.airflow_connections import NotDefined
from oncall.adapters.http.answers import record
from oncall.adapters.http.calls import bounded
from oncall.adapters.http.connections import Connected
from oncall.adapters.http.exchange import Answer, Exchange
from oncall.adapters.opsgenie.errors import heartbeat_refused, is_opsgenies, refusal, unreadable
from oncall.adapters.opsgenie.pager import DEFAULT_URL, NO_REQUEST, is_jsm
from oncall.core.check_result import CheckResult
from oncall.core.errors import DeliveryFailed, OncallError

PAGER, ACCOUNT = "opsgenie_default", "opsgenie_api"

# What is asked for stands under `data`.
_NOT_OPSGENIE = "somebody answers with success and shows nothing of what was asked; is the address right?"


class OpsgenieCheck:
    """What `python -m oncall check --connections` asks of Opsgenie or Jira Service Management."""

    far_side = "Opsgenie"

    def __init__(self, checked: CheckResult) -> None:
        self.checked = checked
        build = partial(Exchange, far_side=self.far_side)
        self._pager, self._account = (
            Connected(conn_id, build, address="host", default_url=DEFAULT_URL) for conn_id in (PAGER, ACCOUNT)
        )

    def ask(self, heartbeats: Collection[str], usernames: Collection[str]) -> None:
        """Ask for the key, the heartbeats and the accounts; what was found is in the result."""
        place = f"connection {PAGER}"
        try:
            jsm = self._ask_key()
        except OncallError as error:
            self.checked.wrong(place, "key", str(error), "the key of an API integration that no team owns")
            return
        self.checked.good.append(f"{place}: the key is taken")
        self.checked.unasked.append(
            f"{place}: whether an alert wakes the person that it names (a key of a team's integration wakes that team):"
            " the DAG oncall_drill tries it"
        )
        if jsm:
            self.checked.unasked.append(
                f"{place}: heartbeats and accounts: no integration key may ask for them there"
            )
            return
        for name in heartbeats:
            self._report(place, f"heartbeat {name}", partial(self._ask_heartbeat, name))
        self._ask_people(usernames)

    @bounded
    def _ask_key(self) -> bool:
        """Whether it is Jira Service Management's. Raises OncallError when the key is refused or may not read."""
        access, _ = self._pager.use()
        if is_jsm(access.url):
            answer = self._get(self._pager, f"/v2/alerts/requests/{NO_REQUEST}")
            if answer.status >= 400 and not (answer.status == 404 and is_opsgenies(answer)):
                raise refusal(answer, access)
            return True
        answer = self._get(self._pager, "/v2/alerts?limit=1")
        if answer.status >= 400:
            raise unreadable(answer, access)
        if not isinstance(answer.data.get("data"), list):
            raise DeliveryFailed(f"{access.at}: {_NOT_OPSGENIE}")
        return False

    @bounded
    def _ask_heartbeat(self, name: str) -> None:
        access, _ = self._pager.use()
        answer = self._get(self._pager, f"/v2/heartbeats/{quote(name, safe='')}")
        if answer.status >= 400:
            raise heartbeat_refused(answer, access, name)
        if not (shown := record(answer.data.get("data"))):
            raise DeliveryFailed(f"{access.at}: {_NOT_OPSGENIE}")
        if shown.get("enabled") is False:
            raise DeliveryFailed(f"heartbeat {name!r} is switched off")

    def _ask_people(self, usernames: Collection[str]) -> None:
        place = f"connection {ACCOUNT}"
        try:
            self._account.use()
        except NotDefined as missing:
            self.checked.unasked.append(f"{place}: whether Opsgenie knows each person: {missing}")
            return
        except OncallError as error:
            self.checked.wrong(place, "connect", str(error), "a connection that can be read")
            return
        for username in usernames:
            self._report(place, f"user {username}", partial(self._ask_person, username))

    @bounded
    def _ask_person(self, username: str) -> None:
        access, _ = self._account.use()
        answer = self._get(self._account, f"/v2/users/{quote(username, safe='')}")
        if answer.status == 404 and is_opsgenies(answer):
            raise DeliveryFailed(f"{access.at}: 404: {answer.words}")
        if answer.status >= 400:
            raise unreadable(answer, access)
        if not (shown := record(answer.data.get("data"))):
            raise DeliveryFailed(f"{access.at}: {_NOT_OPSGENIE}")
        if shown.get("blocked") is True:
            raise DeliveryFailed("the account is blocked: no page would be sent to it")

    def _report(self, place: str, key: str, ask: Callable[[], None]) -> None:
        try:
            ask()
        except OncallError as error:
            write = (
                "the name of one that is there and enabled"
                if key.startswith("heartbeat")
                else "a username of Opsgenie"
            )
            self.checked.wrong(place, key, str(error), f"{write} into roster.yaml, or add it in Opsgenie")
        else:
            self.checked.good.append(f"{place}: {key}")

    def _get(self, connected: Connected[Exchange], path: str) -> Answer:
        access, exchange = connected.use()
        return exchange.send("GET", f"{access.url}{path}", {"Authorization": f"GenieKey {access.key}"})
