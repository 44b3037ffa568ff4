"""Adds entries to the text of `roster.yaml`, every other character staying as it is; refuses to judge the entries.

The text is cut at the marks of the YAML parser instead of being dumped anew: a round trip through a dumper keeps
comments, but not every alignment, quote and fold that its authors gave it.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from oncall.core.rota.roster import Leave, Override, Roster
from oncall.core.wall_time import at_wall, in_zone, utc

_PLAIN = re.compile(r"[A-Za-z][\w.-]*(?: [\w./-]+)*", re.ASCII)
_RESERVED = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}


def with_entries(
    text: str, roster: Roster, leave: Sequence[Leave] = (), overrides: Sequence[Override] = ()
) -> str:
    """The text with the entries at the end of its lists. The caller reads it again: what is odd stays its author's."""
    for entry in leave:
        fields = {"person": _scalar(entry.person), **_stretch(entry, roster), **_reason(entry.reason)}
        text = _insert(text, "leave", _flow(fields))
    for override in overrides:
        seats = {"primary": override.primary, "secondary": override.secondary}
        fields = {
            **_stretch(override, roster),
            **{seat: _scalar(person) for seat, person in seats.items() if person},
            **_reason(override.reason),
        }
        text = _insert(text, "overrides", _flow(fields))
    return text


def without_leave(text: str, number: int) -> str:
    """The text without the entry of this number of the list `leave`, and the rest of the lines that it is on.

    A comment above the entry stays: nobody knows whether it is about that one alone.
    """
    shift = len(text) - len(text.removeprefix("\ufeff"))
    root = YAML(typ="safe", pure=True).compose(text.removeprefix("\ufeff"))
    pairs = root.value if isinstance(root, MappingNode) else []
    node = next((node for name, node in pairs if name.value == "leave"), None)
    if not isinstance(node, SequenceNode) or number >= len(node.value):
        return text
    entries = node.value
    start, end = entries[number].start_mark.index + shift, _end(text, entries[number], shift)
    if node.flow_style:
        if number:
            start = _end(text, entries[number - 1], shift)
        elif len(entries) > 1:
            end = entries[1].start_mark.index + shift
        return text[:start] + text[end:]
    start = text.rindex("\n", 0, start) + 1
    end = text.find("\n", end) + 1 or len(text)
    if len(entries) > 1:
        return text[:start] + text[end:]
    newline = "\r\n" if "\r\n" in text else "\n"
    key = next(name for name, _ in pairs if name.value == "leave").end_mark.index + shift
    colon = text.index(":", key) + 1
    return f"{text[:colon]} []{text[colon:start].rstrip() or ''}{newline}{text[end:]}"


def read_text(path: Path) -> str:
    """The file's text with its line ends and its byte-order mark as they are."""
    return path.read_bytes().decode("utf-8")


def replace_text(path: Path, before: str, after: str) -> None:
    """Put `after` in the file's place at one stroke, with its mode. Raises OSError when it is not `before` any more."""
    path = path.resolve()  # a link stays a link
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(after.encode("utf-8"))
            file.flush()
            os.fchmod(file.fileno(), path.stat().st_mode & 0o7777)
            os.fsync(file.fileno())
        if read_text(path) != before:
            raise OSError(f"{path} was changed by somebody else meanwhile; try again")
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _flow(fields: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in fields.items()) + "}"


def _reason(reason: str) -> dict[str, str]:
    return {"reason": _scalar(reason)} if reason else {}


def _scalar(text: str) -> str:
    plain = _PLAIN.fullmatch(text) and text.lower() not in _RESERVED
    return text if plain else json.dumps(text, ensure_ascii=False)


def _stretch(entry: Leave | Override, roster: Roster) -> dict[str, str]:
    """Dates where the ends are handoff hours (rule 2: the last day is included), else times.

    After a time an end is a time too: "from 30 Nov 05:45 until 29 Nov" is true of a shift, and reads like a slip.
    """
    first, last = (in_zone(at, roster.tz) for at in (entry.start, entry.end))
    from_day, until_day = (
        at.date() if utc(roster.day_starts(at.date())) == utc(at) else None for at in (first, last)
    )
    return {
        "from": from_day.isoformat() if from_day else _moment(first, roster),
        "until": (until_day - dt.timedelta(days=1)).isoformat()
        if from_day and until_day
        else _moment(last, roster),
    }


def _moment(at: dt.datetime, roster: Roster) -> str:
    clock = at.replace(tzinfo=None)
    sure = utc(at_wall(clock.date(), clock.time(), roster.tz)) == utc(at)  # not the hour a clock shows twice
    written = clock if sure else at
    return json.dumps(written.isoformat(" ", "minutes" if at.second == 0 else "seconds"))


def _insert(text: str, key: str, entry: str) -> str:
    """The text with the entry at the end of the list `key`."""
    newline = "\r\n" if "\r\n" in text else "\n"
    root = YAML(typ="safe", pure=True).compose(text.removeprefix("\ufeff"))
    shift = len(text) - len(text.removeprefix("\ufeff"))
    pairs = root.value if isinstance(root, MappingNode) else []
    pair = next((pair for pair in pairs if pair[0].value == key), None)
    if pair is None:
        ended = text if text.endswith("\n") else text + newline
        return f"{ended}{newline}{key}:{newline}  - {entry}{newline}"
    name, node = pair
    if isinstance(node, SequenceNode) and node.value and node.flow_style:
        at = _end(text, node.value[-1], shift)
        return f"{text[:at]}, {entry}{text[at:]}"
    if isinstance(node, SequenceNode) and node.value:
        return _new_line(text, _end(text, node.value[-1], shift), node.start_mark.column, entry, newline)
    colon = text.index(":", name.end_mark.index + shift) + 1
    # [] or null: what is written goes, a comment behind it stays
    if node.end_mark.index > node.start_mark.index:
        text = text[:colon] + text[node.end_mark.index + shift :]
    return _new_line(text, colon, _list_indent(pairs), entry, newline)


def _new_line(text: str, at: int, indent: int, entry: str, newline: str) -> str:
    """The text with `- entry` on a line of its own below the one that `at` is in."""
    end = text.find("\n", at)
    head, tail = (text, "") if end < 0 else (text[: end + 1], text[end + 1 :])
    head = head if head.endswith("\n") else head + newline
    return f"{head}{' ' * indent}- {entry}{newline}{tail}"


def _list_indent(pairs: Sequence[tuple[Node, Node]]) -> int:
    """How far the file's other lists are indented."""
    lists = (node for _, node in pairs if isinstance(node, SequenceNode) and not node.flow_style)
    return next((node.start_mark.column for node in lists), 2)


def _end(text: str, node: Node, shift: int) -> int:
    """Where a node's own text ends: a block's mark lies behind the comments and blank lines that follow it."""
    if isinstance(node, (MappingNode, SequenceNode)) and not node.flow_style and node.value:
        last = node.value[-1]
        if isinstance(last, tuple):
            name, value = last
            empty = isinstance(value, ScalarNode) and not value.value
            return _end(text, name if empty else value, shift)
        return _end(text, last, shift)
    return len(text[: node.end_mark.index + shift].rstrip())
