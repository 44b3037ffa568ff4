"""The commands of docs/OPERATIONS.md, typed word for word: upgrade, backup, restore."""

from __future__ import annotations

import datetime as dt
import re
import tempfile
from dataclasses import replace
from pathlib import Path

from sandbox.stack.environment import REPOSITORY
from tests.compose import compose_night
from tests.compose.compose_ground import Ground
from tests.compose.compose_project import NAME, ComposeFailed
from tests.compose.compose_settings import IMAGE

UPGRADE, BACK_UP, RESTORE = "Upgrade it", "Back it up", "Restore it"
TYPED_S = 900
TICK_S = 180
KEPT = {
    "oncall": "select count(*), count(resolved_at), (select count(*) from oncall.deliveries) from oncall.incidents",
    "warehouse": "select count(*), max(published_at), (select sum(profit) from investor.daily_profit)"
    " from investor.publications",
    "airflow": "select count(*), count(distinct run_id) from dag_run where end_date < '{until}'",
}


def commands(heading: str) -> str:
    """The shell commands of one of the chapters. Raises ComposeFailed when there are none."""
    page = (REPOSITORY / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
    chapter = re.search(rf"^## {heading}$(.*?)(?=^## )", f"{page}\n## ", re.MULTILINE | re.DOTALL)
    found = re.findall(r"^```sh\n(.*?)^```$", chapter[1], re.MULTILINE | re.DOTALL) if chapter else []
    if not found:
        raise ComposeFailed(f"docs/OPERATIONS.md has no commands under “{heading}”")
    return "".join(found)


def upgrade(ground: Ground) -> None:
    """To an image of another name, by which every container is replaced: the watcher looks again, nobody was woken."""
    ground.project = replace(
        ground.project, environment={**ground.project.environment, "AIRFLOW_IMAGE": f"{IMAGE}-next"}
    )
    _type(ground, UPGRADE)
    ground.killed = []
    _watches(ground)


def lose_the_databases(ground: Ground) -> None:
    """Back up, lose PostgreSQL with its volume, restore: what was known is known again, and said to nobody."""
    # A restore of an hour would be paged for by the heartbeat, and rightly: not what is checked here.
    compose_night.let_the_heartbeat_lapse_after(ground, 3600)
    with tempfile.TemporaryDirectory() as folder:
        until = dt.datetime.now(dt.UTC)
        _type(ground, BACK_UP, Path(folder))
        before = _kept(ground, until)
        ground.project.compose("rm", "--stop", "--force", "postgres", within_s=120)
        ground.project.remove_volume("postgres")
        ground.say("PostgreSQL and its volume are gone")
        _type(ground, RESTORE, Path(folder))
    if (after := _kept(ground, until)) != before:
        raise ComposeFailed(f"before the loss: {before}; restored: {after}")
    ground.say(f"  all three databases are as they were: {after}")
    _watches(ground)


def _type(ground: Ground, chapter: str, folder: Path = REPOSITORY) -> None:
    ground.say(f"“{chapter}”, as docs/OPERATIONS.md has it (at most {TYPED_S} s)")
    began = dt.datetime.now(dt.UTC)
    ground.project.typed(commands(chapter), folder, TYPED_S)
    if ill := ground.ill():
        raise ComposeFailed(f"not well after “{chapter}”: {', '.join(map(str, ill))}")
    ground.say(f"  done in {(dt.datetime.now(dt.UTC) - began).total_seconds():.0f} s")


def _kept(ground: Ground, until: dt.datetime) -> dict[str, list[list[str]]]:
    """What each database knows of the time before `until`."""
    return {
        database: ground.project.sql(database, query.format(until=until)) for database, query in KEPT.items()
    }


def _watches(ground: Ground) -> None:
    """A look that ended after now."""
    now = dt.datetime.now(dt.UTC)

    def looked() -> bool:
        rows = ground.project.sql("oncall", "select value from oncall.memory where name = 'tick'")
        return bool(rows) and dt.datetime.fromisoformat(rows[0][0]) > now

    ground.wait_for(f"the watcher of {NAME} to look", looked, TICK_S)
