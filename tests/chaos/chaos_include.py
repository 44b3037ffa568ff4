"""An include folder of its own, whose promises and roster are rewritten while the stack reads them."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from oncall.config.oncall_config import OncallConfig, load
from sandbox.stack.environment import REPOSITORY

PROMISED = ("profit_etl", "engagement_etl", "growth_etl")
RosterFile = dict[str, Any]


def past_of_today(now: dt.datetime) -> dt.time:
    """A due time that is over for today: two hours ago, in the first hours of a day its first second.

    Were it yesterday's, the next one would be today's, and a run that has not come since 00:00 is told of.
    """
    today = now.replace(hour=0, minute=0, second=1, microsecond=0)
    return max(now - dt.timedelta(hours=2), today).time().replace(microsecond=0)


class Include:
    """A copy of the repository's include/. Every file changes in one stroke: whoever reads it reads all or nothing."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(REPOSITORY / "include", folder)
        self.folder = folder
        for dag_id in PROMISED:
            # No run but those that a fault starts, at any hour; and before whatever due time a fault writes. A run that
            # takes no time is not too late before it is due.
            self._head(dag_id, "schedule", '"0 0 * * *"\nusually: 0m')
        self._original = {
            path: path.read_text(encoding="utf-8")
            for path in (folder / "roster.yaml", *(folder / "runbooks").glob("*.md"))
        }

    @property
    def setup(self) -> OncallConfig:
        """What the folder says. Raises ConfigError."""
        return load(self.folder)

    def restore(self) -> None:
        """The roster and the runbooks of the repository, with no promise due within hours."""
        for path, text in self._original.items():
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                self._write(path, text)
        idle = past_of_today(dt.datetime.now(self.setup.roster.tz))
        for dag_id in PROMISED:
            self.promise(dag_id, idle, idle)

    def promise(self, dag_id: str, due: dt.time, warn: dt.time) -> None:
        """Another due and warning time, wall clock of the roster's zone, to the second."""
        times = f'{{due: "{due.isoformat()}", warn_upstream_at: "{warn.isoformat()}"}}'
        self._head(dag_id, "promise", times)

    def roster(self, change: Callable[[RosterFile], None]) -> None:
        """Change the roster as a hand would."""
        path = self.folder / "roster.yaml"
        roster: RosterFile = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(roster)
        self._write(path, yaml.safe_dump(roster, sort_keys=False, allow_unicode=True))

    def break_roster(self) -> None:
        """A slip of the keyboard that leaves no YAML."""
        path = self.folder / "roster.yaml"
        self._write(path, path.read_text(encoding="utf-8").replace("people:", "people: ]", 1))

    def mend_roster(self) -> None:
        path = self.folder / "roster.yaml"
        self._write(path, self._original[path])

    def _head(self, dag_id: str, key: str, value: str) -> None:
        path = self.folder / "runbooks" / f"{dag_id}.md"
        text = path.read_text(encoding="utf-8")
        self._write(path, re.sub(rf"^{key}: .*$", f"{key}: {value}", text, count=1, flags=re.M))

    def _write(self, path: Path, text: str) -> None:
        written = path.with_name(f".{path.name}.new")
        written.write_text(text, encoding="utf-8")
        os.replace(written, path)
