"""What the parser of YAML says of its own grammar, in words of the file: what is found, where, what to write."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml  # its stubs are not worth one more pin

from oncall.core.plain_text import UNSPEAKABLE, odd_sign

_CONFLICT = re.compile(r"^(?:<{7}|[|]{7}|>{7})(?: |$)", re.MULTILINE)
_QUOTE = 'YAML that parses: "…" around what holds a : # @ % * { or a quote, and in one column what stands side by side'
# What the parser says of its own grammar, in words of the file: found, and whether the slip is where it begins (a
# brace or a quote that is left open is noticed in a later line).
_SYNTAX = (
    ("',' or '}'", "a { without its }, or two of its entries without a comma between them", True),
    ("',' or ']'", "a [ without its ], or two of its entries without a comma between them", True),
    ("unexpected end of stream", "a quote that is never closed", True),
    ("unexpected document indicator", "a quote that is never closed before ---", True),
    ("could not find expected ':'", "a line without the colon and space after its key", True),
    (
        "mapping values",
        "a second colon in one value, or a key that is not in one column with the others",
        False,
    ),
    ("cannot start any token", "a value that begins with a sign such as @ ` or %", False),
    (
        "expected '-'",
        "a line that neither begins with - in the column of those before it nor is indented below",
        False,
    ),
    ("expected key", "a line that is not in one column with the keys before it", False),
    ("alphabetic or numeric", "a value that begins with * or &", False),
    ("unknown escape", "a backslash within double quotes", False),
    ("decimal number", "a backslash within double quotes", False),
    ("Unicode character escape", "a backslash within double quotes", False),
    ("a plain scalar", "a colon within a value", False),
    ("a block scalar", "a value that begins with | or >", False),
    ("mapping keys", "a value that begins with ?", False),
    ("a tag", "a value that begins with !", False),
    ("undefined tag", "a value that begins with !", False),
    ("directive", "a line that begins with %", False),
    ("incompatible", "a line that begins with %", False),
    ("node content", "nothing where a value should be: a comma, ? or bracket too many", False),
    ("<document start>", "a second text beside the first, such as a number before each line", False),
    ("block sequence entries", "a - where no list can begin", False),
)


@dataclass(frozen=True)
class Slip:
    """Why a text is no YAML, and what to write; `line` counts from 0, None where it cannot be told."""

    found: str
    write: str
    line: int | None


def conflict(text: str) -> Slip | None:
    """A merge that somebody has still to decide."""
    found = _CONFLICT.search(text)
    write = "what is meant, without the lines that begin with <<<<<<<, ======= and >>>>>>>"
    return Slip("a merge conflict", write, text.count("\n", 0, found.start())) if found else None


def slip(text: str, error: yaml.YAMLError, first_line: int) -> Slip:
    """What is wrong with a text that does not parse. `first_line`: its number in the file, for another line named."""
    if isinstance(error, yaml.MarkedYAMLError):
        found = _grammar(error, first_line)
        return _odd_indent(text, found.line) or found
    if odd := UNSPEAKABLE.search(text):
        line = text.count("\n", 0, odd.start())
        return Slip(f"the control character U+{ord(odd[0]):04X}", "plain text, without it", line)
    return Slip(str(error).splitlines()[0], "plain text, without it", None)


def _grammar(error: yaml.MarkedYAMLError, first_line: int) -> Slip:
    line = error.problem_mark.line if error.problem_mark else None
    begun = error.context_mark.line if error.context_mark else line
    said = ", ".join(str(part).strip() for part in (error.context, error.problem) if part)
    found, there = next(((words, there) for of, words, there in _SYNTAX if of in said), (said, False))
    if line is not None and begun is not None and begun < line:
        line, other = (begun, line) if there else (line, begun)
        noticed = "; it is noticed in line" if there else ", which begin in line"
        found += f"{noticed} {other + first_line}"
    return Slip(found or "no YAML", _QUOTE, line)


def _odd_indent(text: str, line: int | None) -> Slip | None:
    """What stands before the first word of the line, or of the one before it, and is no space."""
    rows = text.split("\n")
    for place in (line, line - 1) if line is not None else ():
        row = rows[place] if 0 <= place < len(rows) else ""
        if odd := row[: len(row) - len(row.lstrip())].replace(" ", ""):
            what = "a tab" if "\t" in odd else "a space"
            return Slip(f"{what} before the first word{odd_sign(odd)}", "spaces in its place", place)
    return None
