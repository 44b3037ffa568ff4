"""`runbooks/<dag_id>.md`: its text in, the pipeline's contract and its sections out, with every problem."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from croniter import croniter  # type: ignore[import-untyped]

from oncall.core.errors import Problem
from oncall.core.promise import Pipeline, Promise, Team
from oncall.core.runbook import SECTIONS, Runbook
from oncall.reading.document import Field, Source, read_yaml, suggestion

_KEYS = (
    *("pipeline", "title", "purpose", "report", "upstream_owner", "downstream_owner"),
    *("schedule", "promise", "upstream", "team"),
)
# What the Software Engineer Team loads; `master.loads` tells that they have.
MASTER_TABLES = (
    *("customers", "products", "orders", "order_lines", "refunds", "marketing_spend"),
    *("touches", "sessions", "experiment_assignments"),
)


@dataclass(frozen=True)
class RunbookFile:
    """What the file says: the pipeline, still without owners; None where the text cannot tell."""

    pipeline: Pipeline | None
    problems: tuple[Problem, ...]


def read_runbook(dag_id: str, text: str) -> RunbookFile:
    """Read the text of a runbook; complains, and never raises."""
    source = Source(f"runbooks/{dag_id}.md", first_line=2)  # the head begins below its first `---`
    parts = re.match(r"---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)(.*)", text, re.DOTALL | re.MULTILINE)
    if parts is None:
        source.complain(
            "(head)", "no head", "the pipeline's contract between two lines of --- at the top", line=-1
        )
        body, head = text, None
    else:
        body, head = parts[2], read_yaml(parts[1], source)
    sections = _sections(body, source)
    pipeline = _pipeline(head, dag_id) if head else None
    if pipeline is not None:
        runbook = Runbook(dag_id, pipeline.title, body.strip() + "\n", sections)
        pipeline = replace(pipeline, runbook=runbook)
    return RunbookFile(pipeline, tuple(source.problems))


def _pipeline(head: Field, dag_id: str) -> Pipeline | None:
    if head.missing:
        head.complain("the keys " + ", ".join(_KEYS))
        return None
    fields = head.fields("a mapping with pipeline, title, purpose …", _KEYS)
    name = fields["pipeline"].text(f"{dag_id}, as the file is named")
    if name and name != dag_id:
        fields["pipeline"].complain(f"{dag_id}, as the file is named")
    return Pipeline(
        dag_id=dag_id,
        title=fields["title"].text("the pipeline's title") or dag_id,
        purpose=fields["purpose"].text("what the report is for") or "",
        report=_read_table(fields["report"]) or "",
        schedule=_read_schedule(fields["schedule"]),
        upstream=_read_upstream(fields["upstream"]),
        upstream_owner=_read_team(fields["upstream_owner"]),
        downstream_owner=fields["downstream_owner"].text("who reads the report") or "",
        primary_owner="",
        secondary_owner="",
        promise=_read_promise(fields["promise"]),
        runbook=Runbook(dag_id, dag_id, ""),
        team=_read_folder(fields["team"]),
    )


def _read_table(field: Field) -> str | None:
    write = "a table with its schema, such as investor.daily_profit"
    text = field.text(write)
    if text is not None and not re.fullmatch(r"[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*", text):
        field.complain(write)
        return None
    return text


def _read_folder(field: Field) -> str:
    """The team whose roster is paged for the pipeline: a folder below teams/; nothing: the roster at the top."""
    write = "the folder of a team below teams/, or nothing for the roster at the top"
    text = field.optional_text(write) or ""
    if text and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", text):
        field.complain(write)
        return ""
    return text


def _read_upstream(field: Field) -> tuple[str, ...]:
    entries = field.items("a list of tables such as [master.orders]")
    if not entries and field.found in ("nothing", "a list"):
        field.complain("the tables that the pipeline waits for, such as [master.orders]", found="no table")
    tables: list[str] = []
    for entry in entries:
        table = _read_table(entry)
        if table is None:
            continue
        schema, _, name = table.partition(".")
        if schema == "master" and name not in MASTER_TABLES:
            entry.complain(suggestion(table, [f"master.{known}" for known in MASTER_TABLES], "one of"))
        elif table in tables:
            entry.complain("each table once", found=f"{table} again")
        else:
            tables.append(table)
    return tuple(tables)


def _read_schedule(field: Field) -> str | None:
    """A cron expression in the roster's zone; None when nothing is written: the pipeline starts on data."""
    write = 'a cron expression of five fields, such as "0 2 * * *"'
    text = field.optional_text(write)
    if text is None:
        return None
    if len(text.split()) != 5 or not croniter.is_valid(text):
        field.complain(write)
        return None
    return text


def _read_promise(field: Field) -> Promise | None:
    if field.missing:
        return None
    keys = ("due", "warn_upstream_at")
    fields = field.fields('a mapping such as {due: "05:00", warn_upstream_at: "03:30"}', keys)
    due, warn = (fields[key].time() for key in keys)
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
        fields["slack"].text('its Slack channel, such as "#team"') or "",
    )


def _sections(body: str, source: Source) -> dict[str, str]:
    """The markdown below each `## heading` of SECTIONS."""
    headings = {heading: key for key, heading in SECTIONS.items()}
    found: dict[str, str] = {}
    titles: list[str] = []
    for title, text in _cut(body):
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
    for heading, key in headings.items():
        if key not in found:
            source.complain(f"## {heading}", "no such section", _missing(heading, others))
    return found


def _missing(heading: str, others: Sequence[str]) -> str:
    near = suggestion(heading, list(others), "").partition("(did you mean ")[2]
    hint = f" (in place of '## {near[:-2]}'?)" if near else ""
    return f"a section with the heading '## {heading}'{hint}"


def _cut(body: str) -> list[tuple[str, str]]:
    """(heading, text below it) of each second-level heading; a `##` inside a code fence is no heading."""
    cut: list[tuple[str, list[str]]] = []
    fence = ""
    for line in body.splitlines():
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        if mark and not fence:
            fence = mark[1]
        elif fence and line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
        heading = re.match(r"##\s+(.+?)\s*#*\s*$", line)
        if heading and not fence and not mark:
            cut.append((heading[1], []))
        elif cut:
            cut[-1][1].append(line)
    return [(title, "\n".join(lines)) for title, lines in cut]
