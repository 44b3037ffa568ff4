"""Turns a runbook's markdown into plain text and into Slack's mrkdwn. Knows no message."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from oncall.core.runbook import may_link

_FENCE = "```"
_CALLS_ALL = re.compile(r"(?i)@(?=(?:here|channel|everyone|group)\b)")
_NO_BREAK = "\u2060"  # not seen, and no name begins with it
_FIRST = 3  # lines that tell what to do first
# of a line that is a sentence of its own, not the beginning of a longer one
_ENDS = (".", "!", "?", ":", ";")
_IN_RUNBOOK = "→ in the runbook, to copy"
_MOST = 20_000  # characters; no far side takes more, and brackets cost the parser their square


def length(text: str) -> int:
    """Characters as the far sides count them, in UTF-16: an emoji is two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, ending in an ellipsis when something is missing."""
    return text if length(text) <= limit else _head(text, limit - 1).rstrip() + "…"


def plain(markdown: str) -> str:
    """The markdown as a person would type it into a plain text field; links keep their address."""
    return _rendered(markdown, _PLAIN)


def plain_steps(markdown: str) -> tuple[tuple[str, ...], str]:
    """A section for a proportional font: what to do first, line by line, and the rest, each code as `_IN_RUNBOOK`,
    in the line that it belongs to."""
    first, rest = _divided(markdown, replace(_PLAIN, code_block=_IN_RUNBOOK))
    return first, re.sub(rf"(?:\n\n{_IN_RUNBOOK})+", f" {_IN_RUNBOOK}", rest)


def mrkdwn_steps(markdown: str) -> tuple[str, ...]:
    """What to do first, in Slack's own dialect."""
    return _divided(markdown, _SLACK)[0]


def mrkdwn(markdown: str) -> str:
    """The markdown in Slack's own dialect, with `& < >` escaped everywhere but in our links."""
    return _rendered(markdown, _SLACK)


def escape(text: str) -> str:
    """Plain text for a mrkdwn field: it can neither mention anybody, `@here` included, nor become a link of ours."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _CALLS_ALL.sub(f"@{_NO_BREAK}", escaped)


def slack_link(label: str, url: str) -> str:
    """A mrkdwn link that the characters of its label and address cannot end early; text where it may be none."""
    if not may_link(url):
        return escape(_plain_link(label, url))
    address = escape(url.replace("|", "%7C").replace("<", "%3C").replace(">", "%3E").replace(" ", "%20"))
    shown = escape(" ".join(label.split()).replace("|", "/"))
    return f"<{address}|{shown}>" if shown else f"<{address}>"


def split(text: str, limit: int) -> list[str]:
    """Cuts mrkdwn at line ends into pieces of at most `limit` characters; a fence is closed and opened again."""
    pieces: list[str] = []
    piece, in_fence = "", False
    room = limit - 2 * (len(_FENCE) + 1)
    for line in (part for whole in text.split("\n") for part in _short(whole, room)):
        if piece and length(piece) + 1 + length(line) > room + len(_FENCE):
            pieces.append(f"{piece}\n{_FENCE}" if in_fence else piece)
            piece = f"{_FENCE}\n{line}" if in_fence else line
        else:
            piece = f"{piece}\n{line}" if piece else line
        if line.strip().startswith(_FENCE):
            in_fence = not in_fence
    return [kept for kept in [*pieces, piece] if kept.strip()]


def _head(text: str, limit: int) -> str:
    """The beginning that fits."""
    head = text[:limit]
    while (over := length(head) - limit) > 0:
        head = head[: -((over + 1) // 2)]  # each character is two at most
    return head


def _short(line: str, limit: int) -> list[str]:
    """A line in parts no longer than `limit`, broken at spaces where there are any."""
    parts = []
    while length(line) > limit:
        head = _head(line, limit)
        at = head.rfind(" ", 1)
        at = at if at > 0 else len(head)
        parts.append(line[:at])
        line = line[at:].lstrip()
    return [*parts, line]


@dataclass(frozen=True)
class _Dialect:
    """What marks a style in one kind of text; an empty mark leaves the words alone."""

    escape: Callable[[str], str]
    link: Callable[[str, str], str]
    strong: str = ""
    em: str = ""
    s: str = ""
    code: str = ""
    fence: str = ""
    code_block: str | None = None  # what stands in the place of a block of code


def _plain_link(label: str, url: str) -> str:
    return url if label in {"", url} else f"{label} ({url})"


_PLAIN = _Dialect(escape=str, link=_plain_link)
_SLACK = _Dialect(escape=escape, link=slack_link, strong="*", em="_", s="~", code="`", fence=_FENCE)


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _rendered(markdown: str, dialect: _Dialect) -> str:
    markdown = cut(markdown, _MOST)
    try:
        root = SyntaxTreeNode(_parser().parse(markdown))
        return "\n\n".join(_blocks(root, dialect))
    except Exception:  # noqa: BLE001 - a page with its steps as they were typed is better than none
        return dialect.escape(markdown)


def _divided(markdown: str, dialect: _Dialect) -> tuple[tuple[str, ...], str]:
    markdown = cut(markdown, _MOST)
    try:
        nodes = list(SyntaxTreeNode(_parser().parse(markdown)).children)
        first = next(
            (node for node in nodes if node.type in ("paragraph", "bullet_list", "ordered_list")), None
        )
        if first is None:
            return (), "\n\n".join(text for node in nodes if (text := _block(node, dialect)))
        if first.type == "paragraph":
            nodes.remove(first)
            lines = _sentences(first, dialect)[1]
        else:
            lines = [_inline(item.children[0], dialect) for item in first.children if item.children]
        return tuple(lines[:_FIRST]), "\n\n".join(text for node in nodes if (text := _block(node, dialect)))
    except Exception:  # noqa: BLE001 - steps as they were typed are better than none
        return (), dialect.escape(markdown)


def _sentences(node: SyntaxTreeNode, dialect: _Dialect) -> tuple[str, list[str]]:
    """A paragraph by its lines, where each ends as a sentence does, and the bold label that it begins with."""
    inlines = (child for whole in node.children for child in whole.children)
    parts, label = [child for child in inlines if child.type != "text" or child.content], ""
    if parts and parts[0].type == "strong" and (said := _inline(parts[0], dialect)).rstrip("*").endswith(":"):
        label, parts = said, parts[1:]
    lines = [""]
    for part in parts:
        if part.type in ("softbreak", "hardbreak") and lines[-1].rstrip().endswith(_ENDS):
            lines.append("")
        else:
            lines[-1] += _inline(part, dialect)
    return label, [line.strip() for line in lines if line.strip()]


def _paragraph(node: SyntaxTreeNode, dialect: _Dialect) -> str:
    """As it was typed: lines that are sentences stay apart, as a list."""
    label, lines = _sentences(node, dialect)
    if len(lines) < 2:
        return _inline(node, dialect)
    return "\n".join(filter(None, [label, *(f"• {line}" for line in lines)]))


def _blocks(parent: SyntaxTreeNode, dialect: _Dialect) -> list[str]:
    return [text for child in parent.children if (text := _block(child, dialect))]


def _block(node: SyntaxTreeNode, dialect: _Dialect) -> str:
    match node.type:
        case "heading":
            # Slack knows no nesting of its marks: a bold word in a bold heading would end it.
            return f"{dialect.strong}{_inline(node, replace(dialect, strong=''))}{dialect.strong}"
        case "fence" | "code_block" if dialect.code_block is not None:
            return dialect.code_block
        case "fence" | "code_block":
            code = dialect.escape(node.content.rstrip("\n"))
            return f"{dialect.fence}\n{code}\n{dialect.fence}" if dialect.fence else code
        case "paragraph" if node.parent and node.parent.type == "root":
            return _paragraph(node, dialect)
        case "bullet_list" | "ordered_list":
            return "\n".join(_list_lines(node, dialect))
        case "blockquote":
            return _indented("\n".join(_blocks(node, dialect)), "> ", "> ")
        case "table":
            rows = (row for part in node.children for row in part.children)
            return "\n".join(" | ".join(_inline(cell, dialect) for cell in row.children) for row in rows)
        case "hr":
            return "———"
        case "html_block":
            return "" if node.content.startswith("<!--") else dialect.escape(node.content.rstrip("\n"))
        case _:
            return _inline(node, dialect)


def _list_lines(node: SyntaxTreeNode, dialect: _Dialect) -> list[str]:
    first = int(node.attrs.get("start", 1))
    lines = []
    for number, item in enumerate(node.children, first):
        mark = f"{number}. " if node.type == "ordered_list" else "• "
        lines.append(_indented("\n".join(_blocks(item, dialect)), mark, "   "))
    return lines


def _indented(text: str, first: str, rest: str) -> str:
    return first + text.replace("\n", f"\n{rest}")


def _inline(node: SyntaxTreeNode, dialect: _Dialect) -> str:
    match node.type:
        case "text" | "html_inline":
            return dialect.escape(node.content)
        case "softbreak":
            return " "
        case "hardbreak":
            return "\n"
        case "code_inline":
            return f"{dialect.code}{dialect.escape(node.content)}{dialect.code}"
        case "image":
            return dialect.link(node.content, str(node.attrs["src"]))
        case "link":
            label = "".join(_inline(child, _PLAIN) for child in node.children)
            return dialect.link(label, str(node.attrs["href"]))
        case "strong" | "em" | "s":
            mark: str = getattr(dialect, node.type)
            return mark + "".join(_inline(child, dialect) for child in node.children) + mark
        case _:
            return "".join(_inline(child, dialect) for child in node.children)
