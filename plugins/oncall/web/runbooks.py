"""A runbook's markdown as HTML with an anchor for each section. HTML in the markdown stays text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from oncall.core.runbook import SECTIONS, Runbook

_ANCHORS = {title: key.replace("_", "-") for key, title in SECTIONS.items()}


@dataclass(frozen=True)
class Rendered:
    """`html` without the title; `sections` are (anchor, heading) in order."""

    html: Markup
    sections: tuple[tuple[str, str], ...]


def rendered(runbook: Runbook) -> Rendered:
    """Anchors are the keys of SECTIONS with dashes (`#upstream-late`), other headings' own words."""
    return _rendered(runbook.body)


@lru_cache(maxsize=100)
def _rendered(body: str) -> Rendered:
    markdown = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")
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


def _without_title(tokens: list[Token]) -> list[Token]:
    """The page shows the title itself."""
    if len(tokens) > 2 and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        return tokens[3:]
    return tokens


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
