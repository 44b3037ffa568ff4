"""A runbook's markdown as HTML with an anchor for each section. HTML in the markdown stays text."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.token import Token
from markupsafe import Markup

from oncall.core.runbook import INSTEAD, SECTIONS, Runbook, for_day, led_by, may_link

_ANCHORS = {title: key.replace("_", "-") for key, title in SECTIONS.items()}


@dataclass(frozen=True)
class Rendered:
    """`html` without the title; `sections` are (anchor, heading) in order."""

    html: Markup
    sections: tuple[tuple[str, str], ...]


def rendered(
    runbook: Runbook, report_date: dt.date | None = None, section: str = "", do: str = ""
) -> Rendered:
    """Anchors are the keys of SECTIONS with dashes (`#upstream-late`), other headings' own words.

    `report_date`: what the queries and commands are about (None: yesterday, as they are written). `do`: what is known
    to come first in this section, as the alert tells it.
    """
    steps, body = runbook.section(section) if do else "", runbook.body
    if steps:
        body = body.replace(steps, led_by(steps, do), 1)
    return _rendered(for_day(body, report_date) if report_date else body)


def section_of(runbook: Runbook, cause: str) -> str:
    """The key of the section that says what to do for a cause; "" where there is none."""
    return next((key for key in (cause, INSTEAD.get(cause, "")) if runbook.sections.get(key)), "")


@lru_cache(maxsize=100)
def section_html(markdown: str) -> Markup:
    """One section without its heading."""
    return _rendered(markdown).html


@lru_cache(maxsize=100)
def _rendered(body: str) -> Rendered:
    markdown = _Markdown("commonmark", {"html": False, "linkify": False}).enable("table")
    markdown.add_render_rule("image", _picture)
    tokens = markdown.parse(body)
    sections = []
    for heading, text in pairwise(tokens):
        if heading.type == "heading_open" and heading.tag != "h1":
            anchor = _ANCHORS.get(text.content, _slug(text.content))
            heading.attrSet("id", anchor)
            if heading.tag == "h2":
                sections.append((anchor, text.content))
    shown = _without_title(tokens)
    html = markdown.renderer.render(shown, markdown.options, {})
    return Rendered(Markup(html), tuple(sections))  # noqa: S704 - HTML in the source was escaped by the renderer


class _Markdown(MarkdownIt):
    """Commonmark whose links lead to a place on the web, to a mailbox, or to a section of the runbook itself."""

    def validateLink(self, url: str) -> bool:  # noqa: N802 - the library's name
        return url.startswith("#") or may_link(url)


def _picture(_: Any, tokens: Sequence[Token], at: int, *__: Any) -> str:
    """A link to it: the page shows nothing from elsewhere."""
    source = escapeHtml(str(tokens[at].attrs["src"]))
    return f'<a href="{source}">{escapeHtml(tokens[at].content) or source}</a>'


def _without_title(tokens: list[Token]) -> list[Token]:
    """The page shows the title itself."""
    if len(tokens) > 2 and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        return tokens[3:]
    return tokens


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
