"""How a Message looks in Slack: its blocks and its one-line text, within Slack's limits; posts nothing."""

from __future__ import annotations

import json
from typing import Any

from oncall.adapters.markdown import cut, escape, length, mrkdwn_steps, slack_link, split
from oncall.core.message import Message, Recipient
from oncall.core.runbook import may_link

Block = dict[str, Any]

# Slack's limits in characters (https://docs.slack.dev/reference/block-kit/blocks); ours are lower where one long value
# would push out the others.
_HEADER, _SECTION, _ALL, _BLOCKS = 150, 3_000, 13_000, 50
_TITLE, _MENTIONS, _SUMMARY, _LABEL, _VALUE, _FACTS, _LINKS = 300, 2_000, 2_500, 80, 300, 10, 2_000
_STEP = 600
_PLAIN = 3_900  # chat.update refuses more than 4,000


def text(message: Message) -> str:
    """The lines of the notification: the title and who is meant (mentions notify from here, too); then, where there
    is something to do, what first, and the address where it is acknowledged."""
    first = mrkdwn_steps(message.steps)[:1]
    url = (
        [escape(url) for _, url in message.links[:1] if may_link(url) and length(url) <= _STEP]
        if first
        else []
    )
    return "\n".join([_headline(message), *(f"Do: {_shortened(line)}" for line in first), *url])


def blocks(message: Message, *, reply: bool = False) -> list[Block]:
    """Of a first message: header, mentions, what to do first, summary, facts, links. A reply repeats none of them:
    it is one line, and below it only what is new."""
    lead: list[Block] = [_section(_headline(message))] if reply else [_header(_title(message))]
    if message.recipients and not reply:
        lead.append(_section(_mentions(message.recipients)))
    if steps := _steps(message):
        lead.append(_section(steps))
    if message.summary.strip():
        lead.append(_section(_escaped(message.summary, _SUMMARY)))
    facts = [_fields(message.facts[:_FACTS])] if message.facts and not reply else []
    wanted = message.recipients or not reply
    links = [_context(line)] if wanted and (line := _links(message)) else []
    built = [*lead, *facts, *links]
    return [*lead, *links] if _too_long(built) else built


def _steps(message: Message) -> str:
    """What to do first, and where the rest is: a runbook's page, with its queries and commands to copy."""
    lines = [f"• {_shortened(line[:1].upper() + line[1:])}" for line in mrkdwn_steps(message.steps)]
    runbook = next((url for label, url in message.links if label.startswith("Runbook")), "")
    if runbook and message.steps.strip():
        lines.append(slack_link("All steps, with their queries to copy", runbook))
    return "\n".join(lines) if length("\n".join(lines)) <= _SECTION else lines[-1]


def _shortened(line: str) -> str:
    return line if length(line) <= _STEP else f"{cut(line, _STEP - 1)}"


def plain_text(message: Message) -> str:
    """The whole message as one text, for when its blocks are refused: said plainly is better than not at all."""
    facts = "\n".join(
        f"{_escaped(label, _LABEL)}: {_escaped(value, _VALUE)}" for label, value in message.facts[:_FACTS]
    )
    parts = [_headline(message), _steps(message), _escaped(message.summary, 1_000), _links(message), facts]
    return split("\n\n".join(part for part in parts if part), _PLAIN)[0]


def metadata(message: Message) -> dict[str, Any]:
    """What lets the message be found again in the channel's history."""
    return {"event_type": "oncall_step", "event_payload": {"key": message.key, "step": message.step}}


def _headline(message: Message) -> str:
    return " ".join([_escaped(_title(message), _TITLE), _mentions(message.recipients)]).strip()


def _title(message: Message) -> str:
    """One line that is never empty: Slack refuses a header without text."""
    return " ".join(message.title.split()) or message.key


def _mentions(recipients: tuple[Recipient, ...]) -> str:
    """Everybody, or as many as there is room for: half a mention notifies nobody."""
    line = ""
    for number, person in enumerate(recipients):
        longer = f"{line} {_mention(person)}".lstrip()
        if length(longer) > _MENTIONS:
            return f"{line} and {len(recipients) - number} more"
        line = longer
    return line


def _mention(person: Recipient) -> str:
    if not person.slack:
        return _escaped(person.name, _LABEL)
    member = escape(person.slack)
    return f"<!subteam^{member}>" if member.startswith("S") else f"<@{member}>"


def _links(message: Message) -> str:
    line = ""
    for label, url in message.links:
        longer = f"{line} · {slack_link(label, url)}" if line else slack_link(label, url)
        line = longer if length(longer) <= _LINKS else line
    return line


def _escaped(plain: str, limit: int) -> str:
    """Escaped and at most `limit` long; cut before escaping, so that no entity is cut in two."""
    room = limit
    while length(escaped := escape(cut(plain, room))) > limit:
        room -= max(1, (length(escaped) - limit) // 5)
    return escaped


def _header(title: str) -> Block:
    shown = cut(title, _HEADER)
    return {"type": "header", "text": {"type": "plain_text", "text": shown, "emoji": False}}


def _section(body: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": body}}


def _fields(facts: tuple[tuple[str, str], ...]) -> Block:
    texts = (f"*{_escaped(label, _LABEL)}*\n{_escaped(value, _VALUE)}" for label, value in facts)
    return {"type": "section", "fields": [{"type": "mrkdwn", "text": shown} for shown in texts]}


def _context(line: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": line}]}


def _too_long(built: list[Block]) -> bool:
    return len(built) > _BLOCKS or length(json.dumps(built, ensure_ascii=False)) > _ALL
