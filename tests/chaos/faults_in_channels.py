"""What goes wrong with Opsgenie and Slack: each hears without the other, and hears once."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from oncall.usecases.retry_and_rate_limit import SETTLES_S
from tests.chaos.chaos_far_side import FIRST_PAGE
from tests.chaos.chaos_fault import CHOICE, Act, fault
from tests.chaos.chaos_ground import Ground, Promised
from tests.chaos.chaos_outcome import Outcome

OUTAGE_S = {"full": 120}.get(CHOICE, 25)
# A watcher that has just begun asks before it sends, and each call takes its 8 s: two tries are 18 s apart.
HANG_S = max(OUTAGE_S, 45)
BOTH_DOWN_S = 300 if CHOICE == "full" else 60
# What Slack may have taken is tried again after SETTLES_S, and a call that hangs takes 8 s besides: an outage that is
# over by then passes without a word.
SLACK_OUTAGE_S = {"full": 120}.get(CHOICE, round(SETTLES_S * 2))
# Its second try, too, asks before it sends, and each call takes its 8 s.
SLACK_HANG_S = max(SLACK_OUTAGE_S, 75)
SPOKEN_OF_S = 20  # a shorter outage may pass without a word
SIDE_BY_SIDE_S = 10  # the channel that works is not held up by the one that does not
AGAIN_S = SETTLES_S + 15  # the longest wait between two tries, and a look
FACES = {"opsgenie": "Opsgenie", "slack": "Slack"}


def failing(face: str, operation: str, kind: str, **how: Any) -> Act:
    """One far side fails from just before due on: for a number of calls, or for `seconds` (then it is spoken of)."""

    def act(ground: Ground) -> Outcome:
        promised = ground.promise()
        ground.until(promised.due, before_s=2)
        ground.far.fail(face, operation, kind, **how)
        back = dt.datetime.now(ground.zone) + dt.timedelta(seconds=how.get("seconds", 0))
        other = _other_s(ground, promised, face)
        assert other < SIDE_BY_SIDE_S, f"the other channel had to wait {other:.0f} s"
        seen = ground.paged(
            promised, since=_later(promised.due, back, face), within_s=how.get("seconds", 0) + 90
        )
        words = f"{seen.seen}; the other channel {other:.1f} s after due"
        if how.get("seconds", 0) >= SPOKEN_OF_S:
            words += f"; said there: {_spoken_of(ground, face)}"
        return replace(seen, seen=words)

    return act


def _later(due: dt.datetime, back: dt.datetime, face: str) -> dt.datetime:
    return max(due, back) if face == "opsgenie" else due


def _other_s(ground: Ground, promised: Promised, face: str) -> float:
    """Seconds from due until the channel that works has the message."""
    if face == "opsgenie":
        said = ground.wait_for("the thread in Slack", lambda: ground.far.said(promised.key, FIRST_PAGE), 60)
        return float(said[0].ts) - promised.due.timestamp()
    alert = ground.wait_for("the page in Opsgenie", lambda: ground.far.page(promised.key), 60)
    return alert.created_at - promised.due.timestamp()


def _spoken_of(ground: Ground, face: str) -> str:
    """The working channel heard that the other fails, and that it is back."""
    if face == "opsgenie":
        down, back = ground.wait_for(
            "back, in Slack",
            lambda: ground.far.said("channel-pager")[1:] and ground.far.said("channel-pager"),
            AGAIN_S,
        )
        assert "cannot be reached since" in down.text
        assert "can be reached again after" in back.text
        return f"“{down.text}”, “{back.text}”"
    alerts = ground.wait_for(
        "down, in Opsgenie",
        lambda: [alert for alert in ground.far.alerts() if alert.alias.startswith("channel-chat:")],
        AGAIN_S,
    )
    assert "Slack cannot be reached since" in alerts[0].message
    return f"“{alerts[0].message}”"


ONCE: dict[str, Any] = {"count": 1}
FOR_A_WHILE: dict[str, Any] = {"seconds": OUTAGE_S}
SLACK_FOR_A_WHILE: dict[str, Any] = {"seconds": SLACK_OUTAGE_S}
LATER: dict[str, Any] = {"status": 429, "retry_after": 5, "count": 1}

for words, kind, how in (
    ("answers 429, try again in 5 s", "status", LATER),
    (f"answers 500 for {OUTAGE_S} s", "status", {"status": 500} | FOR_A_WHILE),
    (f"hangs for {HANG_S} s", "hang", FOR_A_WHILE | {"seconds": HANG_S}),
    (f"refuses connections for {OUTAGE_S} s", "refuse", FOR_A_WHILE),
    (f"refuses the key for {OUTAGE_S} s", "status", {"status": 403} | FOR_A_WHILE),
    ("takes the page, its answer is lost", "lose_answer", ONCE),
    ("answers 202, then fails", "process_failed", ONCE),
):
    act = failing("opsgenie", "create" if "count" in how else "*", kind, **how)
    fault(f"Opsgenie {words}", group="opsgenie")(act)

for words, kind, how in (
    ("answers 429, try again in 5 s", "status", LATER),
    (
        f"answers with an error for {SLACK_OUTAGE_S} s",
        "slack_error",
        {"error": "internal_error"} | SLACK_FOR_A_WHILE,
    ),
    (
        f"refuses the token for {SLACK_OUTAGE_S} s",
        "slack_error",
        {"error": "invalid_auth"} | SLACK_FOR_A_WHILE,
    ),
    (f"hangs for {SLACK_HANG_S} s", "hang", SLACK_FOR_A_WHILE | {"seconds": SLACK_HANG_S}),
    ("takes the message, its answer is lost", "lose_answer", ONCE),
):
    act = failing("slack", "chat.postMessage" if "count" in how else "*", kind, **how)
    fault(f"Slack {words}", group="slack")(act)


@fault("the answers of both are lost", group="opsgenie", short=True)
def both_answers_lost(ground: Ground) -> Outcome:
    promised = ground.promise()
    ground.until(promised.due, before_s=2)
    ground.far.fail("opsgenie", "create", "lose_answer", count=1)
    ground.far.fail("slack", "chat.postMessage", "lose_answer", count=1)
    return ground.paged(promised)


@fault(f"both down for {BOTH_DOWN_S} s, then back", group="opsgenie")
def both_down(ground: Ground) -> Outcome:
    promised = ground.promise()
    ground.until(promised.due, before_s=2)
    ground.far.fail("*", "*", "refuse", seconds=BOTH_DOWN_S)
    back = dt.datetime.now(ground.zone) + dt.timedelta(seconds=BOTH_DOWN_S)
    ground.until(back)
    seen = ground.paged(promised, since=back)
    return replace(seen, seen=f"{seen.seen}; measured from when they were back")


def killed_while(ground: Ground, face: str, operation: str, kind: str) -> Outcome:
    """`kill -9` to the triggerer while its call waits for an answer; another one takes over after the lease."""
    promised = ground.promise()
    ground.until(promised.due, before_s=2)
    ground.far.fail(face, operation, kind, count=1)
    ground.wait_for("the call", lambda: ground.far.calls(face=face, operation=operation), 60)
    ground.stack.kill("triggerer")
    ground.stack.start("triggerer")
    seen = ground.paged(promised, within_s=120)
    ground.recorded(promised)
    return seen


@fault("killed with -9 between claim and send, to Opsgenie", group="opsgenie")
def killed_before_paging(ground: Ground) -> Outcome:
    return killed_while(ground, "opsgenie", "create", "hang")


@fault("killed with -9 between send and record, to Opsgenie", group="opsgenie")
def killed_after_paging(ground: Ground) -> Outcome:
    return killed_while(ground, "opsgenie", "create", "hang_after")


@fault("killed with -9 between claim and send, to Slack", group="slack")
def killed_before_posting(ground: Ground) -> Outcome:
    return killed_while(ground, "slack", "chat.postMessage", "hang")


@fault("killed with -9 between send and record, to Slack", group="slack")
def killed_after_posting(ground: Ground) -> Outcome:
    return killed_while(ground, "slack", "chat.postMessage", "hang_after")


@fault(
    "Opsgenie accepts the page and never makes an alert of it",
    group="opsgenie",
    heard="P1 to the primary, or to the next one in their place",
)
def never_processed(ground: Ground) -> Outcome:
    """A 202 is a receipt. The request pends for ever; whoever is called next, or made anew, is woken in time."""
    promised = ground.promise()
    ground.until(promised.due, before_s=2)
    ground.far.fail("opsgenie", "create", "process_never", count=1)
    return ground.someone_paged(promised)


@fault(
    f"Opsgenie accepts everything for {OUTAGE_S} s and makes nothing of it",
    group="opsgenie",
    heard="P1 to the primary, or to the next one in their place",
)
def nothing_processed(ground: Ground) -> Outcome:
    promised = ground.promise()
    ground.until(promised.due, before_s=2)
    ground.far.fail("opsgenie", "create", "process_never", seconds=OUTAGE_S)
    back = dt.datetime.now(ground.zone) + dt.timedelta(seconds=OUTAGE_S)
    seen = ground.someone_paged(promised, since=back, within_s=OUTAGE_S + 90)
    return replace(seen, seen=f"{seen.seen}; measured from when it made alerts again")


@fault(
    "Opsgenie's key may not read (403)",
    group="opsgenie",
    heard="P1 to the primary; Slack: acknowledgements are not heard",
)
def may_not_read(ground: Ground) -> Outcome:
    ground.far.settings(key_may_read=False)
    seen = ground.paged(ground.promise())

    def told() -> str:
        said = [message for message in ground.far.messages() if "are not heard" in message.text]
        return said[0].text if said and "read" in str(said[0].blocks) else ""

    return replace(seen, seen=f"{seen.seen}; Slack: {ground.wait_for('a word on the key', told, 60)}")
