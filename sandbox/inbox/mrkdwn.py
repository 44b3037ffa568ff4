"""Slack's message markup as safe HTML, the way Slack shows it; knows no messages.

The text comes as it was sent: `&amp; &lt; &gt;` stand for themselves, anything in <…> is a link or a mention.
"""

from __future__ import annotations

import re

from markupsafe import Markup, escape

SPECIAL = re.compile(r"```(?P<pre>.+?)```|`(?P<code>[^`\n]+)`|<(?P<angle>[^<>\n]+)>", re.DOTALL)
# A mark opens after a space or punctuation, closes before one, and holds no spaces at its edges.
MARKS = [
    (re.compile(rf"(?<![\w{mark}]){mark}(?=\S)(.+?)(?<=\S){mark}(?![\w{mark}])"), tag)
    for mark, tag in ((r"\*", "b"), ("_", "i"), ("~", "s"))
]


def mrkdwn(text: str) -> Markup:
    """A mrkdwn text as HTML: bold, italic, strike, code, pre, quotes, links, mentions."""
    parts: list[str] = []
    end = 0
    for found in SPECIAL.finditer(text):
        parts.append(_marked(text[end : found.start()]))
        parts.append(_special(found))
        end = found.end()
    parts.append(_marked(text[end:]))
    return Markup(_lines("".join(parts)))  # noqa: S704 - every part was escaped above


def plain(text: str) -> Markup:
    """A plain_text object: line breaks only."""
    return Markup(_escaped(text).replace("\n", "<br>"))  # noqa: S704 - escaped


def _escaped(text: str) -> str:
    """Slack's three entities are one character each; the rest is text."""
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return str(escape(text))


def _marked(text: str) -> str:
    html = _escaped(text)
    for mark, tag in MARKS:
        html = mark.sub(rf"<{tag}>\1</{tag}>", html)
    return html


def _special(found: re.Match[str]) -> str:
    if found["pre"] is not None:
        return f"<pre>{_escaped(found['pre'].strip(chr(10)))}</pre>"
    if found["code"] is not None:
        return f"<code>{_escaped(found['code'])}</code>"
    return _angle(found["angle"])


def _angle(inner: str) -> str:
    target, _, label = inner.partition("|")
    if target[0] in "@#":
        return f'<span class="mention">{target[0]}{_escaped(label or target[1:])}</span>'
    if target[0] == "!":
        name = label or target[1:].removeprefix("subteam^")
        return f'<span class="mention">@{_escaped(name.lstrip("@"))}</span>'
    if not target.startswith(("http://", "https://", "mailto:")):
        return _escaped(f"<{inner}>")
    return f'<a href="{_escaped(target)}" target="_blank" rel="noopener">{_escaped(label or target)}</a>'


def _lines(html: str) -> str:
    """Quotes and line breaks, outside of pre."""
    pieces = re.split(r"(<pre>.*?</pre>)", html, flags=re.DOTALL)
    for place in range(0, len(pieces), 2):
        quoted = re.sub(r"^&gt; ?(.*)$", r"<blockquote>\1</blockquote>", pieces[place], flags=re.MULTILINE)
        pieces[place] = quoted.replace("</blockquote>\n", "</blockquote>").replace("\n", "<br>")
    return "".join(pieces)
