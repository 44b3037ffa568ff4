"""What was found when every connection was asked once. Knows no connection."""

from __future__ import annotations

from dataclasses import dataclass, field

from oncall.core.errors import Problem


@dataclass
class CheckResult:
    """`good`: what was asked and is in order; `unasked`: what could not be asked, and why that is no fault."""

    problems: list[Problem] = field(default_factory=list)
    good: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)

    def wrong(self, place: str, key: str, found: str, write: str) -> None:
        """Add a problem: what was found where, and what to write instead."""
        self.problems.append(Problem(place, key, found, write))

    @property
    def count(self) -> str:
        return f"{len(self.good)} good, {len(self.unasked)} not asked, {len(self.problems)} to mend"
