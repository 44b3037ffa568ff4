"""`runbooks/<dag_id>.md`: its text in, the pipeline's contract and its sections out, with every problem."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from oncall.config import dates
from oncall.config.near_names import nearest
from oncall.config.roster_file import TEAM, read_channel
from oncall.config.schedule_field import read_schedule
from oncall.config.time_fields import read_duration
from oncall.config.yaml_fields import Field, Source, read_alone, read_yaml
from oncall.core.errors import Problem
from oncall.core.plain_text import shortened
from oncall.core.promises.promise import USUALLY, Pipeline, Promise, Team, starts_at, weekdays_of
from oncall.core.redaction import redacted
from oncall.core.runbook import INSTEAD, SECTIONS, Runbook

_KEYS = (
    *("pipeline", "title", "purpose", "report", "upstream_owner", "downstream_owner"),
    *("schedule", "promise", "upstream", "team", "usually"),
)
# What the Software Engineer Team loads; `master.loads` tells that they have.
MASTER_TABLES = (
    *("customers", "products", "orders", "order_lines", "refunds", "marketing_spend"),
    *("touches", "sessions", "experiment_assignments"),
)
# … and the base models that other pipelines publish, which start whoever is scheduled on them.
BASE_MODELS = ("profit", "engagement", "growth")
# What no pipeline publishes, whatever it is called: the schemas of others, and what a run notes beside its report.
_NEVER_PUBLISHED = ("master", "base", "oncall", "pg_catalog", "information_schema")
_OWN_TABLES = tuple(
    f"investor.{name}" for name in ("publications", "restatements", "late_rows", "checks", "releases")
)
MOST_TITLES = 100  # among which a misspelt one is looked for
# Said in a word: a list that somebody has emptied by mistake would have a run wait for nothing.
NO_UPSTREAM = "none"
UPSTREAM = (*(f"master.{name}" for name in MASTER_TABLES), *(f"base.{name}" for name in BASE_MODELS))


@dataclass(frozen=True)
class RunbookFile:
    """What the file says: the pipeline, still without owners; None where the text cannot tell. `schedule`, by which the
    DAG runs, it may tell also then."""

    pipeline: Pipeline | None = None
    problems: tuple[Problem, ...] = ()
    schedule: str | None = None

    @property
    def promise_is_sure(self) -> bool:
        """Whether it tells what is promised in spite of its problems: a schedule is Airflow's affair."""
        return self.pipeline is not None and all(problem.key == "schedule" for problem in self.problems)

    def problems_under(self, *keys: str) -> tuple[Problem, ...]:
        """What is wrong under these keys of the head, or under one that was probably meant for one of them."""
        return tuple(
            problem for problem in self.problems if nearest(re.split(r"[.\[]", problem.key)[0], _KEYS) in keys
        )


def read_runbook(dag_id: str, text: str) -> RunbookFile:
    """Read the text of a runbook; complains, and never raises."""
    source = Source(f"runbooks/{dag_id}.md", first_line=2)  # the head begins below its first `---`
    pipeline = source.contain(lambda: _read(dag_id, text, source))
    if pipeline is not None:
        return RunbookFile(pipeline, source.problems, pipeline.schedule)
    alone = read_alone(text, "schedule", lambda field: read_schedule(field, None, starts_on_data=False))
    return RunbookFile(None, source.problems, alone)


def _read(dag_id: str, text: str, source: Source) -> Pipeline | None:
    head, body = _parts(text)
    if head is None:
        source.complain(
            "(head)", "no head", "the pipeline's contract between two lines of --- at the top", line=-1
        )
    document = None if head is None else read_yaml(head, source)
    source.complain_of_conflict("\n" * (text.count("\n") - body.count("\n") - 1) + body)
    body = _without_secrets(body)
    sections = _sections(body, source)
    pipeline = _pipeline(document, dag_id) if document else None
    if pipeline is None:
        return None
    return replace(pipeline, runbook=Runbook(body.strip() + "\n", sections))


def _without_secrets(body: str) -> str:
    """The body as alerts, pages and Airflow's DAG docs may show it; each section by itself, so that none is lost."""
    return "".join(map(redacted, re.split(r"(?m)^(?=## )", body)))


def _parts(text: str) -> tuple[str | None, str]:
    """What stands between the first line and the next line of `---`, and what follows; no head when there are none."""
    lines = text.splitlines(keepends=True)
    marks = [n for n, line in enumerate(lines) if line.rstrip() == "---"][:2]
    if len(marks) < 2 or marks[0] != 0:
        return None, text
    return "".join(lines[1 : marks[1]]), "".join(lines[marks[1] + 1 :])


def _pipeline(head: Field, dag_id: str) -> Pipeline | None:
    if head.missing:
        head.complain("the keys " + ", ".join(_KEYS))
        return None
    fields = head.fields("a mapping with pipeline, title, purpose …", _KEYS)
    name = fields["pipeline"].text(f"{dag_id}, as the file is named")
    if name and name != dag_id:
        fields["pipeline"].complain(f"{dag_id}, as the file is named")
    promise, upstream = _read_promise(fields["promise"]), _read_upstream(fields["upstream"])
    on_data = any(table.startswith("base.") for table in upstream)
    schedule = read_schedule(fields["schedule"], promise, starts_on_data=on_data)
    return Pipeline(
        dag_id=dag_id,
        title=fields["title"].text("the pipeline's title") or dag_id,
        purpose=fields["purpose"].text("what the report is for") or "",
        report=_read_report(fields["report"]),
        schedule=schedule,
        upstream=upstream,
        upstream_owner=_read_team(fields["upstream_owner"]),
        downstream_owner=fields["downstream_owner"].text("who reads the report") or "",
        primary_owner="",
        secondary_owner="",
        promise=replace(promise, weekdays=weekdays_of(schedule)) if promise else None,
        runbook=Runbook(""),
        team=_read_folder(fields["team"]),
        usually=_read_usually(fields["usually"], promise, schedule),
    )


def _read_table(field: Field, example: str = "investor.daily_profit") -> str | None:
    return field.matching(
        r"[a-z_][a-z0-9_]{0,62}\.[a-z_][a-z0-9_]{0,62}", f"a table with its schema, such as {example}"
    )


def _read_report(field: Field) -> str:
    """The table that the pipeline publishes: of one of upstream's, or of ours, nobody would ever say that it is."""
    report = _read_table(field) or ""
    if report.partition(".")[0] in _NEVER_PUBLISHED or report in _OWN_TABLES:
        field.complain("the table that this pipeline publishes, such as investor.daily_profit")
    return report


def _read_usually(field: Field, promise: Promise | None, schedule: str | None) -> dt.timedelta:
    """How long a run takes once its upstream is there: until there is a history to tell."""
    found = None if field.missing else read_duration(field)
    usually = USUALLY if found is None else found
    if usually >= dt.timedelta(days=1):
        field.complain("a duration under a day, such as 20m: a report comes every day")
        return USUALLY
    week = (dates.FIRST + dt.timedelta(days=number) for number in range(7))
    starts = next(filter(None, (starts_at(schedule, day, dt.UTC) for day in week)), None)
    if promise and starts and found:
        left = dt.datetime.combine(starts.date(), promise.due, dt.UTC) - starts
        if dt.timedelta() < left <= usually:
            write = f"what ends before {promise.due:%H:%M}, when the report is due: it would be at risk on each day"
            field.complain(write, f"{field.found}, from {starts:%H:%M} on")
    return usually


def _read_folder(field: Field) -> str:
    """The team whose roster is paged for the pipeline: a folder below teams/; nothing: the roster at the top."""
    write = "the folder of a team below teams/, or nothing for the roster at the top"
    return "" if field.missing else field.matching(TEAM, write) or ""


def _read_upstream(field: Field) -> tuple[str, ...]:
    if field.found == repr(NO_UPSTREAM):
        return ()
    entries = field.items("a list of tables such as [master.orders]")
    if not entries and field.found in ("nothing", "a list"):
        field.complain(
            f"the tables that the pipeline waits for, such as [master.orders], or {NO_UPSTREAM} where it is a DAG of"
            " yours that waits for none of them",
            found="no table",
        )
    tables: list[str] = []
    for entry in entries:
        table = _read_table(entry, "master.orders")
        if table is None:
            continue
        if table not in UPSTREAM:
            entry.suggest(table, UPSTREAM, "one of")
        elif table in tables:
            entry.complain("each table once", found=f"{table} again")
        else:
            tables.append(table)
    return tuple(tables)


def _read_promise(field: Field) -> Promise | None:
    if field.missing and field.node is None:
        return None
    keys = ("due", "warn_upstream_at")
    if field.missing:  # somebody began to write one: a report that nobody watches is one without the key
        field.complain(
            'a mapping such as {due: "05:00", warn_upstream_at: "03:30"}, or no such key where none is promised'
        )
        return None
    fields = field.fields('a mapping such as {due: "05:00", warn_upstream_at: "03:30"}', keys)
    due, warn = (fields[key].time() for key in keys)
    if due and warn and warn > due:
        fields["warn_upstream_at"].complain(
            f"a time before {due:%H:%M}, when the report is due: on the day before, no table of that day can have come"
        )
    return Promise(due, warn) if due and warn else None


def _read_team(field: Field) -> Team:
    write = 'a mapping such as {team: Software Engineer Team, slack: "#swe-master-data"}'
    if field.missing:
        field.complain(write)
        return Team("", "")
    fields = field.fields(write, ("team", "slack"))
    if not fields.by_name and field.found != "a mapping":
        return Team("", "")
    return Team(
        fields["team"].text("the team's name") or "",
        read_channel(fields["slack"], 'its Slack channel, such as "#team"') or "",
    )


def _sections(body: str, source: Source) -> dict[str, str]:
    """The markdown below each `## heading` of SECTIONS."""
    headings = {heading: key for key, heading in SECTIONS.items()}
    found: dict[str, str] = {}
    titles: list[str] = []
    cut, fence = _cut(body)
    for title, text in cut:
        titles.append(title)
        key = headings.get(title)
        if key is None:
            continue
        if key in found:
            source.complain(f"## {title}", "the same section again", "each section once")
        elif not text.strip():
            source.complain(f"## {title}", "an empty section", "the steps to take: check, fix, verify")
        found.setdefault(key, text.strip())
    others = [title for title in titles if title not in headings]
    missing = [heading for heading, key in headings.items() if key not in found and key not in INSTEAD]
    if missing and fence:  # it holds them all
        write = f"a line of {fence} below it"
        source.complain(
            f"## {titles[-1] if titles else '…'}",
            f"a block of code that begins with {fence} and never ends",
            write,
        )
    else:
        for heading in missing:
            source.complain(f"## {heading}", "no such section", _missing(heading, others))
    return found


def _missing(heading: str, others: Sequence[str]) -> str:
    near = nearest(heading, others[:MOST_TITLES])
    hint = f" (in place of '## {shortened(near)}'?)" if near else ""
    return f"a section with the heading '## {heading}'{hint}"


def _cut(body: str) -> tuple[list[tuple[str, str]], str]:
    """(heading, text below it) of each second-level heading, and the code fence that is still open at the end; a `##`
    inside a code fence is no heading."""
    cut: list[tuple[str, list[str]]] = []
    fence = ""
    for line in body.splitlines():
        mark = re.match(r"(`{3,}(?=[^`]*$)|~{3,})", line.lstrip())
        if mark and not fence:
            fence = mark[1]
        elif fence and line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
        heading = " ".join(line[2:].split()).rstrip("#").rstrip() if re.match(r"##\s", line) else ""
        if heading and not fence and not mark:
            cut.append((heading, []))
        elif cut:
            cut[-1][1].append(line)
    return [(title, "\n".join(lines)) for title, lines in cut], fence
