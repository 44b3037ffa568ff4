"""What is broken in the on-call system itself, said first and in red. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from oncall.core.notices import page_words
from oncall.usecases.history import WATCHER_SILENT_AFTER
from oncall.web.snapshot import SLA_WATCH, PageSnapshot
from oncall.web.views.incidents import unread
from oncall.web.views.models import Banner


def banners(seen: PageSnapshot) -> tuple[Banner, ...]:
    """In the order of what hurts most: nobody watches, nobody can be reached, nobody outside listens, the files, what
    cannot be read."""
    return tuple(
        Banner.model_validate({"kind": kind, "title": title, "lines": lines})
        for kind, (title, lines) in _told(seen)
    )


def _told(seen: PageSnapshot) -> Iterator[tuple[str, page_words.Told]]:
    say = seen.say
    if nobody_looks(seen):
        yield "watcher", watcher_gone(seen)
    for trouble in seen.channels:
        yield "channel", page_words.channel_gone(trouble.name, trouble.since, trouble.reason, say)
    for trouble in seen.heartbeats:
        yield "heartbeat", page_words.heartbeat_refused(trouble.name, trouble.since, trouble.reason, say)
    for trouble in seen.warnings:
        reason = trouble.reason
        if trouble.name == SLA_WATCH and not nobody_looks(seen):
            reason = page_words.WATCHER_PAGES
        yield "warning", page_words.does_not_work(trouble.name, trouble.since, reason, say)
    if seen.problems:
        yield "configuration", page_words.files_broken(seen.problems, some_hidden=bool(seen.hidden))
    for reason in dict.fromkeys(seen.unreadable):
        yield "source", page_words.source_unread(reason, _blind_since(seen, reason), say)


def nobody_looks(seen: PageSnapshot) -> bool:
    """Whether the watcher is gone. (That nobody can tell is another banner.)"""
    return not unread(seen) and (seen.tick is None or seen.at - seen.tick > WATCHER_SILENT_AFTER)


def watcher_gone(seen: PageSnapshot) -> page_words.Told:
    """That the watcher does not look, since when, and who does."""
    looks = all(trouble.name != SLA_WATCH for trouble in seen.warnings)
    return page_words.watcher_gone(seen.tick, seen.say, sla_watch_looks=looks)


def _blind_since(seen: PageSnapshot, reason: str) -> dt.datetime | None:
    """Since when the watcher has not been able to read it (None: not known, it notes that in `oncall_db`)."""
    blind = (one.facts for one in seen.statuses if one.facts.blind and reason in one.facts.unreadable)
    return min((facts.blind_since for facts in blind if facts.blind_since), default=None)
