"""What stands on an incident's page beside how it stands: what its forms do, and what was sent. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Sequence

from oncall.core.rota.shift_words import seated

CHANNELS = {"pager": "Opsgenie", "chat": "Slack"}  # what they are called in every sentence
NONE_OPEN = "No open incidents."
NONE_OPEN_IN_SIGHT = "No open incidents of the pipelines that you may read."
NONE_READ = "Open incidents cannot be read now."
NO_PAST = "None."
NO_PAST_IN_SIGHT = "None of the pipelines that you may read."
NO_PAST_READ = "Earlier incidents cannot be read now."
NONE_ACKNOWLEDGED = (
    "nothing is acknowledged: no incident can be read now. Acknowledge the alert in Opsgenie: that holds"
)

STALE, _RAN_AGAIN = "Stale: ", " ran the day again"
_NOT_TAKEN = "not taken for 45 s: "
_OPS = {
    "page": "Page",
    "close": "Close the alert",
    "note": "Note on the alert",
    "acknowledge": "Acknowledge the alert",
    "post": "Post",
    "update": "Change the first message",
}
_WITH_TITLE = ("page", "post", "note")
_STATES = {
    "owed": ("…", "not sent yet"),
    "accepted": ("…", "taken, not confirmed yet"),
    "cancelled": ("–", "not needed any more"),
}


def told_together(title: str) -> str:
    """`title`: the incident that speaks for this one."""
    return f"This is told and paged together with {title}: act there."


def pages_now(person: str, seat: str) -> str:
    return (
        f"Wakes {seated(person, seat)}, the next one on the escalation, at once."
        " The escalation does not page them again."
    )


def acknowledged_already(name: str) -> str:
    return f"{name} has acknowledged it already."


def stranger_has_it(name: str) -> str:
    """Who acknowledged at the pager, by a name that tells neither an account nor anybody of the team."""
    return (
        f"The roster knows nobody named “{name}”: the acknowledgement counts as a person's. If it is a policy's or an"
        f" integration's, take it back in {CHANNELS['pager']}: the escalation starts again."
    )


def not_next(person: str, now: str) -> str:
    """Whoever pressed saw an older page."""
    return f"{person} is not next any more: the next one is {now}."


def ran_again(by: str, how: str = "", came_of: str = "") -> str:
    """`how`: the run, or from where; `came_of`: what is known of its end."""
    run = f" ({how})" if how else ""
    end = f": {came_of}" if came_of else ""
    return f"{by}{_RAN_AGAIN}{run}{end}"


def is_run_again(said: Sequence[str]) -> bool:
    """Whether a day that was found stale is so no more, by its timeline: a run has published it since."""
    last = next((what for what in reversed(said) if what.startswith(STALE) or _RAN_AGAIN in what), "")
    return bool(re.search(rf"{_RAN_AGAIN}(?: \(.*?\))?: (?!held: )", last))


def not_carried_out(seconds: float) -> str:
    """Of what the pager has taken, and nobody has felt."""
    return f"taken, and not carried out within {seconds:.0f} s"


def not_taken(reason: str) -> str:
    """Of what the pager has refused to take for so long that the next one is called."""
    return f"{_NOT_TAKEN}{reason}"


def is_not_taken(words: str) -> bool:
    """Whether that is why somebody is not reached: it may be their own trouble, or an outage."""
    return words.startswith(_NOT_TAKEN)


def had_already(name: str, since: str, again: str, *, early: bool) -> str:
    """Why nobody is paged although the promise is broken now. `again`: when whoever has it is asked; `early`: they
    took it before it was due."""
    before = ", before it was due" if early else ""
    return f"{name} acknowledged it at {since}{before}: nobody is paged again. Asked again at {again}."


def sent_to_others(people: Collection[str]) -> str:
    """Whom an alert wakes in the place of the person whom it names."""
    return (
        f"the pager sends it to {', '.join(people) or 'nobody'} instead; use the key of an API integration that no team"
        " owns (an owner team overwrites whom a page is for)"
    )


def made_less_urgent(priority: str) -> str:
    """Of a page whose priority a policy of the far side has lowered to that of a warning."""
    return f"the pager has made {priority} of its P1, which is to wake nobody; let its policies keep the priority"


def kept_silent(how: str) -> str:
    """Of a page that a policy of the far side has closed or snoozed before anybody was woken."""
    return f"the pager has {how} its alert at once, which wakes nobody; let its policies leave it open"


def added_to_another(alias: str, people: Collection[str]) -> str:
    """Whom a page wakes whose alias a policy of the far side has replaced."""
    return (
        f"the pager has added it to its alert “{alias}”, for {', '.join(people) or 'nobody'}; let its integration and"
        " policies keep the alias that it is sent with"
    )


def resolves_by_hand(*, due_ahead: bool, published: bool) -> str:
    """`published`: it is about a run that has failed since."""
    if published:
        return (
            "It resolves by itself when a run publishes the report again. By hand: the alerts are closed, and nobody is"
            " told of this failure again."
        )
    unless = ", unless it is missing when it is due" if due_ahead else ""
    return (
        "A published report resolves by itself. By hand: the alerts are closed, and nobody is told of this report"
        f" again{unless}."
    )


def may_only_look(dag_id: str, act: str = "act") -> str:
    """`act`: what needs the right."""
    return f"You may look, not {act}: that needs the right to change runs of {dag_id}."


def event_sentence(what: str, sent_to: Collection[str]) -> str:
    """What happened; and who really was paged, when the rota had changed until the page went out."""
    sentence = what[:1].upper() + what[1:]
    return f"{sentence}; sent to {' and '.join(sorted(sent_to))}, on call by then" if sent_to else sentence


def delivery_words(op: str, channel: str, people: Sequence[str], title: str) -> str:
    """What was sent: "Page DE-003: Growth ETL, 22 Nov: late since 05:00"."""
    words = _OPS.get(op, op)
    if op == "page" and channel == "pager" and people:
        words = f"{words} {', '.join(people)}"
    return f"{words}: {title}" if op in _WITH_TITLE else words


def delivery_mark(channel: str, count: int, mark: str) -> str:
    """Of so many messages to one channel: "Slack ✓ 0.2 s", "Opsgenie 4 × ✓ 0.9 s"."""
    return f"{channel} {count} × {mark}" if count > 1 else f"{channel} {mark}"


def delivery_result(state: str, took: dt.timedelta | None, attempts: int, error: str) -> tuple[str, str]:
    """What became of it, as a mark and in words. `took`: until the far side had taken it (None: it has not)."""
    if state == "done" and took is not None:
        seconds = max(0.0, took.total_seconds())
        tries = f", at try {attempts}" if attempts > 1 else ""
        return f"✓ {seconds:.1f} s", f"taken after {seconds:.1f} s{tries}"
    mark, words = _STATES.get(state, (state, state))
    tries = f" (tried {attempts} times)" if attempts > 1 else ""
    refused = f": {error}" if error else ""
    return "✗" if state == "owed" and error else mark, f"{words}{tries}{refused}"
