"""Every text that a person reads is plain English: the documents, the templates, and the strings of the code."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
CODE = ("plugins", "sandbox", "dags")
OLD_NAMES = {
    "plugins/oncall/adapters/postgres/incident_rows.py",
    "docs/adr/0004-tables-without-numbered-migrations.md",
}

RULES = {
    "write 'the person who', 'everybody who'": re.compile(r"\bwho(?:m)?ever\b", re.IGNORECASE),
    # A sentence, not a question and not a heading. "What it costs." in bold is one of these.
    "begin with a noun, not with a relative 'who' or 'what'": re.compile(
        r"(?:^|[.!?:;]\s+|^\s*[-*|>] |(?<!\*)\*\*)(?:Who|What|Whose|Whom)\b(?! it costs\.)"
        r"(?:(?!\n\n)[^.?!:|])*\.(?=\s|$|\*)",
        re.MULTILINE,
    ),
    "one blank between words": re.compile(r"[a-z,.;)] {2,}[a-z(]"),
    "words of nobody else's": re.compile(
        r"another one than|kept from you|\b(?:ladder|rung)s?\b|by the second\b", re.IGNORECASE
    ),
}


def tracked(*suffixes: str) -> Iterator[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    yield from (
        name for name in listed.stdout.splitlines() if name.endswith(suffixes) and name not in OLD_NAMES
    )


def strings(path: Path) -> Iterator[str]:
    """The string literals of a module, without its docstrings and its SQL; {…} stands where a value goes."""
    tree = ast.parse(path.read_text())
    stated = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {
        id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)
    }
    for node in ast.walk(tree):
        text = ""
        if isinstance(node, ast.JoinedStr):
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{…}" for part in node.values
            )
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in stated | parts
        ):
            text = node.value
        if not re.search(r"\b(?:select|insert|update) ", text):
            yield text


def faults(text: str) -> list[str]:
    return [
        f"{rule}: {found.group()[:80]!r}" for rule, said in RULES.items() for found in said.finditer(text)
    ]


@pytest.mark.parametrize("name", tracked(".md"))
def test_the_documents_are_plain_english(name: str) -> None:
    """Without the code that they show."""
    assert not faults(re.sub(r"```.*?```", "", (REPOSITORY / name).read_text(), flags=re.DOTALL))


@pytest.mark.parametrize("name", tracked(".yaml", ".yml", ".env.example"))
def test_the_settings_are_plain_english(name: str) -> None:
    """Their comments and descriptions; what stands in columns may have blanks."""
    text = re.sub(r"^\s*# ?", "", (REPOSITORY / name).read_text(), flags=re.MULTILINE)
    assert not [fault for fault in faults(text) if "one blank" not in fault]


@pytest.mark.parametrize("name", tracked(".html"))
def test_the_pages_are_plain_english(name: str) -> None:
    """The words between the tags."""
    words = re.sub(r"\{[#%].*?[#%]\}|<[^>]*>", "|", (REPOSITORY / name).read_text(), flags=re.DOTALL)
    assert not faults(re.sub(r"\s+", " ", re.sub(r"\{\{.*?\}\}", "{…}", words)))


@pytest.mark.parametrize("name", [name for name in tracked(".py") if name.startswith(CODE)])
def test_messages_are_plain_english(name: str) -> None:
    """What a page, an alert, a message in Slack, an error or the command line says."""
    assert not [fault for text in strings(REPOSITORY / name) for fault in faults(text)]


@pytest.mark.parametrize(
    "text",
    [
        "Who is paged is told.", "Done. What failed is said.", "- What is open stays.", "whoever reads it",
        "two  blanks", "the next rung",
    ],
)  # fmt: skip
def test_what_the_rules_refuse(text: str) -> None:
    """Each rule sees its fault."""
    assert faults(text)


@pytest.mark.parametrize(
    "text", ["Who is on call?", "What to do", "Tells who is on call.", "**What it costs.** Time."]
)
def test_what_the_rules_let_through(text: str) -> None:
    """Questions, headings, and a relative clause that is no subject."""
    assert not faults(text)
