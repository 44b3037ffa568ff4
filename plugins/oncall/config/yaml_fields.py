"""A YAML text as fields that know their file, key and line. Knows YAML; refuses to know what the fields are for.

Whatever the text is like, reading it ends soon, with at most 100 problems: nesting, the number of values (each use of
an alias counts in full), the length of a value and the number of problems have limits.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import yaml  # its stubs are not worth one more pin

from oncall.config import dates, yaml_syntax
from oncall.config.near_names import suggestion
from oncall.config.yaml_nodes import BeyondMeasure, Node, NodeComposer
from oncall.config.yaml_syntax import Slip
from oncall.core.errors import Problem
from oncall.core.plain_text import (
    JOINING,
    LONGEST_KEY,
    LONGEST_TEXT,
    UNSPEAKABLE_ON_A_LINE,
    odd_sign,
    shortened,
    speakable,
)
from oncall.core.redaction import redacted

T = TypeVar("T")

MOST_PROBLEMS = 100
MORE = "(more)"  # the key of the problem that stands for those beyond the hundredth

_CURLY = "“”„‟«»‘’"  # the quotes of a word processor


@dataclass
class Source:
    """A file, the line its YAML begins on, and what is wrong with it so far."""

    file: str
    first_line: int = 1
    found: list[Problem] = field(default_factory=list)
    count: int = 0

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The first hundred, and how many there are besides."""
        return capped(self.found, self.count - len(self.found), self.file)

    @property
    def is_full(self) -> bool:
        """Nobody will read one problem more."""
        return self.count > MOST_PROBLEMS

    def complain(self, key: str, found: str, write: str, line: int | None = None) -> None:
        """Add a problem; `line` counts from 0 within the YAML."""
        self.count += 1
        if self.count <= MOST_PROBLEMS:
            place = self.file if line is None else f"{self.file}:{line + self.first_line}"
            self.found.append(Problem(place, *(speakable(text) for text in (key, found, write))))

    def tells_of(self, key: str) -> bool:
        """Whether something is said of that very key."""
        return any(problem.key == key for problem in self.found)

    def complain_of(self, slip: Slip | BeyondMeasure) -> None:
        """Complain of the text as a whole."""
        self.complain("(file)", slip.found, slip.write, slip.line)

    def complain_of_conflict(self, text: str) -> bool:
        """Complain of a merge that somebody has still to decide; whether there is one."""
        if found := yaml_syntax.conflict(text):
            self.complain_of(found)
        return found is not None

    def contain(self, read: Callable[[], T]) -> T | None:
        """What `read` gives. What it did not foresee becomes a problem of the file, like any other."""
        try:
            return read()
        except Exception as error:  # noqa: BLE001 - whatever it is, the other files are still read
            self.complain("(file)", failure(error), "it another way; begin with what was changed last")
            return None


def failure(error: Exception) -> str:
    """What is found where the reader met something that it did not foresee."""
    return f"something new, the reader failed on it: {type(error).__name__}: {error}"


def capped(problems: Sequence[Problem], left_out: int = 0, file: str = "(all files)") -> tuple[Problem, ...]:
    """At most a hundred problems, and one more that says how many are left out: here, before, and of single files."""
    told = [problem for problem in problems if problem.key != MORE]
    left_out += sum(int(problem.found.split()[0]) for problem in problems if problem.key == MORE)
    left_out += len(told[MOST_PROBLEMS:])
    if not left_out:
        return tuple(told)
    more = Problem(file, MORE, f"{left_out} more problem{'s' * (left_out != 1)}", "what these ask for first")
    return (*told[:MOST_PROBLEMS], more)


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
        return self.node is None or self.node.is_null

    @property
    def found(self) -> str:
        """What is written here, in a word."""
        if self.node is None or self.missing:
            return "nothing"
        if isinstance(self.node.value, str):
            return repr(shortened(self.node.value))
        return f"a {self.node.kind}"

    def complain(self, write: str, found: str | None = None) -> None:
        """Add a problem with this field."""
        self.source.complain(self.key or "(file)", found or self.found, write, self.line)

    @property
    def unspoken(self) -> Field:
        """The same place, of which nothing more is said: what is wrong with it is told already."""
        return replace(self, source=Source(self.source.file, self.source.first_line))

    def text(self, write: str) -> str | None:
        """The text of a scalar, on one line; None, with a complaint, when there is none that a far side takes."""
        value = self.node.value if self.node and not self.missing else None
        text = value.strip() if isinstance(value, str) else ""
        text = " ".join(text.split()) if "\n" in text else text  # a block of several lines says one thing
        if not text:
            self.complain(write)
        elif len(text) > LONGEST_TEXT:
            self.complain(f"{write}, in at most {LONGEST_TEXT} characters", f"{len(text)} characters")
        elif UNSPEAKABLE_ON_A_LINE.search(text):
            self.complain(f"{write}, without control characters and those that nobody sees")
        elif text[0] in _CURLY and text[-1] in _CURLY:
            self.complain(f"{write}, without the quotes of a word processor")
        elif redacted(text) != text:  # not repeated: these files are read by many
            looks = "what looks like a password or a key"
            self.complain(f"{write}, and the secret into a connection of Airflow", looks)
        else:
            return text
        return None

    def optional_text(self, write: str) -> str | None:
        """The text of a scalar; None, without complaint, when nothing is written."""
        return None if self.missing else self.text(write)

    def matching(self, pattern: str, write: str) -> str | None:
        """The text when all of it is as the pattern says; else None, with a complaint."""
        text = self.text(write)
        if text is None or re.fullmatch(pattern, text, re.ASCII):
            return text
        self.complain(write)
        return None

    def one_of(self, choices: Collection[str], write: str) -> str | None:
        """The text when it is one of `choices`; else None, with a complaint that suggests the nearest."""
        value = self.node.value if self.node and not self.missing else None
        if isinstance(value, str) and value.strip() in choices:
            return value.strip()
        self.suggest(value if isinstance(value, str) else "", choices, write)
        return None

    def suggest(self, text: str, choices: Iterable[str], what: str, found: str | None = None) -> None:
        """Complain that `text` is none of the choices; the nearest is not looked for when nobody will read it."""
        self.complain(what if self.source.is_full else suggestion(text, choices, what), found)

    def date(self) -> dt.date | None:
        """A date, YYYY-MM-DD."""
        return self.parsed(dates.date, dates.WRITE_DATE)

    def time(self) -> dt.time | None:
        """A time of day, HH:MM or HH:MM:SS."""
        return self.parsed(_clock, 'a time of day such as "09:00"')

    def parsed(self, parse: Callable[[str], T], write: str) -> T | None:
        """What `parse` makes of the text; None, with a complaint, when it raises ValueError."""
        text = self.text(write)
        try:
            return None if text is None else parse(text)
        except ValueError:
            self.complain(write, self.found + odd_sign(text or ""))
            return None

    def items(self, write: str) -> list[Field]:
        """The entries of a list; nothing written is an empty list."""
        if self.node is not None and self.node.kind == "list":
            return [
                Field(self.source, f"{self.key}[{n}]", node.line, node)
                for n, node in enumerate(self.node.value)
                if isinstance(node, Node)
            ]
        if not self.missing:
            self.complain(write)
        return []

    def fields(self, write: str, known: Iterable[str] | None = None) -> Fields:
        """The entries of a mapping by key; complains of keys not in `known` or written twice, and leaves them out.

        Of what is no mapping this alone is said, and not of each key that it therefore lacks.
        """
        found: dict[str, Field] = {}
        if self.node is None or self.node.kind != "mapping":
            if self.missing:
                return Fields(self, found)
            self.complain(write)
            return Fields(self.unspoken, found)
        names = None if known is None else list(known)
        for pair in self.node.value:
            assert isinstance(pair, tuple)
            self._add(found, pair, names)
        return Fields(self, found)

    def _add(self, found: dict[str, Field], pair: tuple[Node, Node], names: list[str] | None) -> None:
        key, value = pair
        name = key.value.strip() if isinstance(key.value, str) else ""
        entry = Field(self.source, self._path(shortened(name) or "?"), key.line, value)
        if name == "<<":
            entry.complain("each key itself", found="a merge key")
        elif names is not None and name not in names:
            entry.suggest(name, names, "one of", found="an unknown key")
        elif (
            not name or len(name) > LONGEST_KEY or UNSPEAKABLE_ON_A_LINE.search(name) or JOINING.search(name)
        ):
            entry.complain(
                f"a name of 1 to {LONGEST_KEY} characters on one line, each of which is seen",
                found=f"a key that is no name{name and f': {shortened(name)!a}'}",
            )
        elif name in found:
            first = found[name].line + self.source.first_line
            entry.complain(f"{name} once; it stands in line {first} too", found="the same key again")
        else:
            found[name] = entry

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
    """The document of a YAML text; None, with a complaint, when it does not parse or is beyond all measure."""

    def tagged(tag: str, line: int) -> None:
        written = tag.replace("tag:yaml.org,2002:", "!!")
        source.complain("(file)", f"the tag {written}", "the value without it", line)

    if source.complain_of_conflict(text):
        return None
    text = unicodedata.normalize("NFC", text)  # é is one letter, however a keyboard writes it
    try:
        node = NodeComposer(tagged).document(text)
    except yaml.YAMLError as error:
        source.complain_of(yaml_syntax.slip(text, error, source.first_line))
        return None
    except BeyondMeasure as refused:
        source.complain_of(refused)
        return None
    return Field(source, "", 0, node)


def read_alone(text: str, key: str, read: Callable[[Field], T]) -> T | None:
    """What a text says under one of its first keys, whatever is wrong elsewhere in it: it may be no YAML as a whole.
    None where that cannot be told either."""
    lines = re.search(rf"^{key}:.*(?:\n[ \t]+\S.*)*", text, re.MULTILINE)
    source = Source(key)

    def alone() -> T | None:
        document = read_yaml(lines[0], source) if lines else None
        return read(document.fields("", (key,))[key]) if document else None

    found = source.contain(alone)
    return None if source.problems else found


def _clock(text: str) -> dt.time:
    if not re.fullmatch(r"\d?\d:\d\d(:\d\d)?", text, re.ASCII):
        raise ValueError(text)
    return dt.time.fromisoformat(text.rjust(len(text) + (text[1] == ":"), "0"))
