"""What Slack refuses in a message's blocks; knows nothing of channels or of HTTP.

Complaints are worded as Slack words them, each with a JSON pointer. Unknown properties are refused, as in the original;
so are the kinds of blocks that nobody here posts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sandbox.inbox.limits import length

MOST_BLOCKS = 50
ALL_TEXT = 13_200
PROPERTIES = {
    "section": {"text", "fields"},
    "header": {"text"},
    "context": {"elements"},
}


def complaints(blocks: list[Any]) -> list[str]:
    """Everything wrong with the blocks, in Slack's words; empty when they may be posted."""
    if len(blocks) > MOST_BLOCKS:
        return [f"no more than {MOST_BLOCKS} items allowed [json-pointer:/blocks]"]
    return [wrong for place, block in enumerate(blocks) for wrong in _block(block, f"/blocks/{place}")]


def text_in(thing: Any) -> int:
    """Characters of all texts in the blocks; more than ALL_TEXT is msg_blocks_too_long."""
    if isinstance(thing, list):
        return sum(text_in(item) for item in thing)
    if isinstance(thing, dict):
        own = length(thing["text"]) if isinstance(thing.get("text"), str) else 0
        return own + sum(text_in(item) for item in thing.values())
    return 0


def _block(block: Any, at: str) -> Iterator[str]:
    if not isinstance(block, dict):
        yield f"must be an object [json-pointer:{at}]"
        return
    kind = block.get("type")
    if kind not in PROPERTIES:
        yield f"unsupported type: {kind} [json-pointer:{at}/type]" if kind else _missing("type", at)
        return
    yield from _additional(block, PROPERTIES[kind] | {"type", "block_id"}, at)
    if len(str(block.get("block_id", ""))) > 255:
        yield f"must be less than 256 characters [json-pointer:{at}/block_id]"
    yield from CHECKS[kind](block, at)


def _section(block: dict[str, Any], at: str) -> Iterator[str]:
    if "text" not in block and "fields" not in block:
        yield _missing("text or fields", at)
    if "text" in block:
        yield from _text(block["text"], f"{at}/text", 3000)
    if "fields" in block:
        yield from _each(block, "fields", at, 10, lambda field, where: _text(field, where, 2000))


def _header(block: dict[str, Any], at: str) -> Iterator[str]:
    if "text" not in block:
        yield _missing("text", at)
    else:
        yield from _text(block["text"], f"{at}/text", 150, kinds=("plain_text",))


def _context(block: dict[str, Any], at: str) -> Iterator[str]:
    return _each(block, "elements", at, 10, lambda element, where: _text(element, where, 3000))


def _text(text: Any, at: str, most: int, kinds: tuple[str, ...] = ("mrkdwn", "plain_text")) -> Iterator[str]:
    if not isinstance(text, dict):
        yield f"must be an object [json-pointer:{at}]"
        return
    kind = text.get("type")
    if kind not in kinds:
        yield f"must be one of {', '.join(kinds)} [json-pointer:{at}/type]"
        return
    yield from _additional(text, {"type", "text", "emoji" if kind == "plain_text" else "verbatim"}, at)
    words = text.get("text")
    if not isinstance(words, str):
        yield _missing("text", at)
    elif not words:
        yield f"must be more than 0 characters [json-pointer:{at}/text]"
    elif length(words) > most:
        yield f"must be less than {most + 1} characters [json-pointer:{at}/text]"


def _each(
    block: dict[str, Any], name: str, at: str, most: int, check: Callable[[Any, str], Iterator[str]]
) -> Iterator[str]:
    """What is wrong with a list of the block, and with each of its items."""
    if name not in block:
        yield _missing(name, at)
        return
    items, at = block[name], f"{at}/{name}"
    if not isinstance(items, list):
        yield f"must be an array [json-pointer:{at}]"
    elif not items:
        yield f"no fewer than 1 items allowed [json-pointer:{at}]"
    elif len(items) > most:
        yield f"no more than {most} items allowed [json-pointer:{at}]"
    for place, item in enumerate(items if isinstance(items, list) else []):
        yield from check(item, f"{at}/{place}")


def _additional(thing: dict[str, Any], known: set[str], at: str) -> Iterator[str]:
    for name in sorted(set(thing) - known):
        yield f"invalid additional property: {name} [json-pointer:{at}]"


def _missing(name: str, at: str) -> str:
    return f"missing required field: {name} [json-pointer:{at}]"


CHECKS = {
    "section": _section,
    "header": _header,
    "context": _context,
}
