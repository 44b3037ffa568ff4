"""Links that need no sign-in, and what their calendars said before, in `oncall_db`. Knows keys by their hash only."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import secrets
from collections.abc import Callable, Sequence

from oncall.adapters.postgres.database import Connect
from oncall.adapters.postgres.lasting_connections import ConnectionPool
from oncall.usecases.history import FeedLink
from oncall.usecases.notes import instant, mapping, noted

LASTS = dt.timedelta(days=365)  # a link that nobody makes anew ends by itself
_NOTED = dt.timedelta(hours=1)  # how closely the last use is known: calendars ask often
_LINK = "link:"
_SAID = "feed:"


class Feeds:
    """Implements `Feeds` of the page. Any number of threads may use it."""

    def __init__(self, connect: Connect) -> None:
        self._db = ConnectionPool(connect, "oncall_db")

    def make(self, what: str, by: str, at: dt.datetime) -> str:
        """Implements `Feeds`: keeps the digest of the key alone."""
        key = secrets.token_urlsafe(24)
        value = json.dumps({"what": what, "by": by, "at": at.isoformat()})
        named = _LINK + _hash(key), value
        self._db.ask("insert into oncall.memory (name, value) values (%s, %s)", named)
        return key

    def find(self, key: str, at: dt.datetime) -> str | None:
        """Implements `Feeds`."""
        name = _LINK + _hash(key)
        found = self._db.ask("select value from oncall.memory where name = %s", (name,))
        link = _feed_link(name, found[0][0]) if found else None
        if link is None or link.until <= at:
            return None
        if link.used_at is None or at - link.used_at >= _NOTED:
            used = json.dumps({"used": at.isoformat()})
            said = "update oncall.memory set value = (value::jsonb || %s::jsonb)::text where name = %s"
            self._db.ask(said, (used, name))
        return link.what

    def all(self) -> Sequence[FeedLink]:
        """Implements `Feeds`."""
        every = "select name, value from oncall.memory where name like %s order by changed_at, name"
        rows = self._db.ask(every, (f"{_LINK}%",))
        return [link for name, value in rows if (link := _feed_link(name, value))]

    def revoke(self, link_id: str) -> bool:
        """Implements `Feeds`."""
        gone = "delete from oncall.memory where name = %s returning name"
        return bool(self._db.ask(gone, (_LINK + link_id,)))

    def revise(self, what: str, change: Callable[[str], str]) -> str:
        """`change` is given what was said before ("" at first) and returns what is said now; one at a time."""
        with self._db.transaction() as cursor:
            cursor.execute(
                "insert into oncall.memory (name, value) values (%s, '') on conflict do nothing",
                (_SAID + what,),
            )
            cursor.execute("select value from oncall.memory where name = %s for update", (_SAID + what,))
            row = cursor.fetchone()
            before = str(row[0]) if row else ""
            after = change(before)
            if after != before:
                cursor.execute(
                    "update oncall.memory set value = %s, changed_at = now() where name = %s",
                    (after, _SAID + what),
                )
        return after


def _feed_link(name: str, value: str) -> FeedLink | None:
    """The link; None where a hand has made something else of it."""

    def read(text: str) -> FeedLink:
        told = mapping(text)
        at = instant(told["at"])
        used = instant(told["used"]) if "used" in told else None
        what, by = str(told["what"]), str(told["by"])
        return FeedLink(name.removeprefix(_LINK), what, by, at, at + LASTS, used)

    return noted(name, value, read, None)


def _hash(key: str) -> str:
    """Whoever reads the database gets no working link out of it; a key is too random to be guessed back."""
    return hashlib.sha256(key.encode()).hexdigest()[:40]
