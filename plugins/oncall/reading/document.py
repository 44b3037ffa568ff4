"""A YAML text as fields that know their file, key and line. Knows YAML; refuses to know what the fields are for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from oncall.core.errors import Problem


@dataclass(frozen=True)
class Source:
    """A file, the line its YAML begins on, and what is wrong with it so far."""

    file: str
    first_line: int = 1
    problems: list[Problem] = field(default_factory=list)

    def complain(self, key: str, found: str, write: str, line: int | None = None) -> None:
        """Add a problem; `line` counts from 0 within the YAML."""
        place = self.file if line is None else f"{self.file}:{line + self.first_line}"
        self.problems.append(Problem(place, key, found, write))


@dataclass(frozen=True)
class Field:
    """One value of a file, or the place where it is missing (`node` is None)."""

    source: Source
    key: str
    line: int
    node: Node | None

    @property
    def missing(self) -> bool:
        """Nothing is written here, or `null`."""
        return self.node is None or self.node.tag == "tag:yaml.org,2002:null"

    @property
    def found(self) -> str:
        """What is written here, in a word."""
        if self.node is None or self.missing:
            return "nothing"
        if isinstance(self.node, ScalarNode):
            return repr(str(self.node.value))
        return "a list" if isinstance(self.node, SequenceNode) else "a mapping"

    def complain(self, write: str, found: str | None = None) -> None:
        """Add a problem with this field."""
        self.source.complain(self.key or "(file)", found or self.found, write, self.line)

    def text(self, write: str) -> str | None:
        """The text of a scalar; None, with a complaint, when there is none."""
        if isinstance(self.node, ScalarNode) and not self.missing and self.node.value.strip():
            return str(self.node.value).strip()
        self.complain(write)
        return None

    def optional_text(self, write: str) -> str | None:
        """The text of a scalar; None, without complaint, when nothing is written."""
        return None if self.missing else self.text(write)

    def one_of(self, choices: Iterable[str], what: str) -> str | None:
        """The text when it is one of `choices`; else None, with a complaint that suggests the nearest."""
        known = list(choices)
        text = self.text(suggestion("", known, what))
        if text is None or text in known:
            return text
        self.complain(suggestion(text, known, what))
        return None

    def date(self) -> dt.date | None:
        """A date, YYYY-MM-DD."""
        write = "a date such as 2026-03-02"
        text = self.text(write)
        try:
            return dt.date.fromisoformat(text) if text else None
        except ValueError:
            self.complain(write)
            return None

    def time(self) -> dt.time | None:
        """A time of day, HH:MM or HH:MM:SS."""
        write = 'a time of day such as "09:00"'
        text = self.text(write)
        for form in ("%H:%M", "%H:%M:%S") if text else ():
            try:
                return dt.datetime.strptime(text or "", form).time()  # noqa: DTZ007 - a wall clock has no zone
            except ValueError:
                continue
        if text:
            self.complain(write)
        return None

    def items(self, write: str) -> list[Field]:
        """The entries of a list; nothing written is an empty list."""
        if isinstance(self.node, SequenceNode):
            return [
                Field(self.source, f"{self.key}[{n}]", node.start_mark.line, node)
                for n, node in enumerate(self.node.value)
            ]
        if not self.missing:
            self.complain(write)
        return []

    def fields(self, write: str, known: Iterable[str] | None = None) -> Fields:
        """The entries of a mapping by key; complains of keys not in `known` or written twice, and leaves them out."""
        found: dict[str, Field] = {}
        if not isinstance(self.node, MappingNode):
            if not self.missing:
                self.complain(write)
            return Fields(self, found)
        names = None if known is None else list(known)
        for key, value in self.node.value:
            name = str(key.value) if isinstance(key, ScalarNode) else "?"
            entry = Field(self.source, self._path(name), key.start_mark.line, value)
            if names is not None and name not in names:
                entry.complain(suggestion(name, names, "one of"), found="an unknown key")
            elif name in found:
                first = found[name].line + self.source.first_line
                entry.complain(f"{name} once; it stands in line {first} too", found="the same key again")
            else:
                found[name] = entry
        return Fields(self, found)

    def _path(self, name: str) -> str:
        return f"{self.key}.{name}" if self.key else name


@dataclass(frozen=True)
class Fields:
    """The fields of one mapping; asking for one that is not written gives the place where it is missing."""

    parent: Field
    by_name: dict[str, Field]

    def __getitem__(self, name: str) -> Field:
        missing = Field(self.parent.source, self.parent._path(name), self.parent.line, None)
        return self.by_name.get(name, missing)


def read_yaml(text: str, source: Source) -> Field | None:
    """The document of a YAML text; None, with a complaint, when it does not parse."""
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else None
        said = ", ".join(str(part).strip() for part in (error.context, error.problem) if part)
        source.complain("(file)", said or "no YAML", "YAML that parses", line)
        return None
    except YAMLError as error:
        source.complain("(file)", str(error).splitlines()[0], "YAML that parses")
        return None
    return Field(source, "", 0, node)


def suggestion(text: str, known: list[str], what: str) -> str:
    """`what`, the choices, and which of them was probably meant."""
    near = get_close_matches(text, known, n=1, cutoff=0.6)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"{what} {', '.join(known)}{hint}"
