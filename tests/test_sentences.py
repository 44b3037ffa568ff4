"""A sentence that people are shown comes from a module of words in core: no template, view, use case or command does.

What an adapter says of its far side it says where it hears it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "plugins" / "oncall"
TEMPLATES = sorted((PACKAGE / "web" / "templates").glob("*.html"))
ROOMS = sorted(
    path for room in ("web", "cli", "airflow", "usecases") for path in (PACKAGE / room).rglob("*.py")
)
MOST_WORDS = 4  # of text around what is filled in: a label has no more, a sentence has
# What stands within a piece of text; each other tag ends it. A row of links is no text.
INLINE = re.compile(r"</?(?:a|br|code|em|strong|time)\b[^>]*>")
LINKS = re.compile(r'<span class="links">.*?</span>', re.DOTALL)
FILLED = "\0"


def pieces(template: str) -> Iterator[str]:
    """The texts of a template; FILLED stands for whatever is filled in, or left out."""
    text = re.sub(r"\{#.*?#\}", "", template, flags=re.DOTALL)
    text = re.sub(r"\{\{.*?\}\}", FILLED, text, flags=re.DOTALL)
    text = re.sub(r"\{%.*?%\}", "\1", text, flags=re.DOTALL)
    for attribute in re.findall(r'(?:title|aria-label|placeholder)="([^"]*)"', text):
        yield attribute.replace("\1", FILLED)
    for piece in re.split(r"<[^>]*>", INLINE.sub("", LINKS.sub("", text))):
        # What a condition shows or leaves out as a whole is no part of a sentence.
        yield piece.strip("\1 \n").replace("\1", FILLED)


def is_composed(piece: str) -> bool:
    return FILLED in piece and len(re.findall(r"[^\W\d_]{2,}", piece)) > MOST_WORDS


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_composes_a_sentence(path: Path) -> None:
    """It asks a function of a words module for it, or shows one that is the same at all times."""
    text = path.read_text()
    assert not [" ".join(piece.split()) for piece in pieces(text) if is_composed(piece)]
    assert "capitalize" not in text, "a sentence begins with a capital letter where it is made"


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_outside_the_rules_composes_a_sentence(path: Path) -> None:
    """What is raised, logged or warned of is made where it is found, and an option's help beside the option."""
    assert not list(composed(ast.parse(path.read_text())))


def composed(node: ast.AST) -> Iterator[str]:
    """Each f-string within a function that has more than a label's words."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (sentence for found in strings(child) if (sentence := words_of(found)))
        elif isinstance(child, ast.ClassDef):
            yield from composed(child)


def strings(node: ast.AST) -> Iterator[ast.JoinedStr]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.JoinedStr):
            yield child
        elif not is_told_elsewhere(child):
            yield from strings(child)


def is_told_elsewhere(node: ast.AST) -> bool:
    if isinstance(node, ast.keyword):
        return node.arg == "help"
    called = node.func if isinstance(node, ast.Call) else None
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        return called.value.id in ("log", "logger", "warnings")
    return isinstance(node, ast.Raise) or (
        isinstance(called, ast.Name) and called.id in ("warn", "confirmed")
    )


def words_of(string: ast.JoinedStr) -> str:
    """The text of an f-string that fills something into a sentence; "" of any other."""
    parts = [part.value for part in string.values if isinstance(part, ast.Constant)]
    text = FILLED.join(map(str, parts))
    words = [
        word
        for word in re.split(rf"[\s{FILLED}]+", text)
        if re.fullmatch(r"[^\W\d_]{2,}[.,:;?!’']*\w*", word)
    ]
    return text if len(parts) < len(string.values) and len(words) > MOST_WORDS - 1 else ""


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("<p>Next: {{ name }}, from {{ time }}</p>", False),
        ("<p>Nobody was told of this report yet.</p>", False),
        ("{% if a %}Nobody was told of this report yet.{% endif %}", False),
        ("<p>Wakes {{ name }}, the next one on the escalation.</p>", True),
        ("<p>Wakes <strong>{{ name }}</strong>, the next one of them.</p>", True),
        ("<p>Nobody is told of it again{% if due %}, unless it is missing{% endif %}.</p>", True),
        ('<i title="The last {{ count }} days of this report">x</i>', True),
    ],
)
def test_what_is_refused_in_a_template(text: str, refused: bool) -> None:
    """A label may be filled in, and a whole sentence left out; one that is put together is refused."""
    assert any(map(is_composed, pieces(text))) is refused


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ('f"{late} of {day}, since {clock}"', False),
        ('"The run has started and goes on"', False),
        ('f"{base}/oncall/reports/{report}?done=released"', False),
        ('log.info(f"the run of {day} has started and goes on")', False),
        ('f"The run {run} has started."', True),
        ('", ".join(f"{name} has not arrived until {clock}" for name in names)', True),
    ],
)
def test_what_is_refused_in_a_function(line: str, refused: bool) -> None:
    """The same of f-strings; an address is no sentence."""
    assert any(composed(ast.parse(f"def told():\n    return {line}"))) is refused
