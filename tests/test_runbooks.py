"""The shipped runbooks are test subjects: whoever is woken at five can paste every line of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pendulum
import psycopg2
import pytest
import yaml  # its stubs are not worth one more pin

from oncall.cli.main import _parser
from oncall.config.runbook_file import read_runbook
from oncall.core.runbook import SECTIONS

ROOT = Path(__file__).parents[1]
RUNBOOKS = sorted((ROOT / "include/runbooks").glob("*.md"))
PROMISED = {"profit_etl", "engagement_etl", "growth_etl"}
WITHOUT_PROMISE = {"unit_profit_experiments", "daily_growth_experiments"}

HEAD_KEYS = [
    "pipeline",
    "title",
    "purpose",
    "report",
    "upstream_owner",
    "downstream_owner",
    "schedule",
    "promise",
    "upstream",
]
CAUSES = ["upstream_late", "running", "stuck", "failed", "not_started", "held", "unknown"]
LONGEST_CAUSE = 3_000  # characters: what somebody who was just woken reads through

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]\n]+\]\(([^)\s]+)\)")
NAMED_SECTION = re.compile(r"(?<!\*)\*([A-Z][^*\n]*)\*(?!\*)")

# The shell runs each block itself, so that quotes and variables are tested too; only the programs are replaced.
STAND_INS = r"""
airflow() { printf '%s\037' "$@"; printf '\036'; }
psql() { :; }
python() { airflow python "$@"; }
date() { echo 2026-11-22; }
"""
PARSE = """
import json, sys
from airflow.cli.cli_parser import get_parser
parser, wrong = get_parser(), []
for words in json.load(sys.stdin):
    try:
        parser.parse_args(words)
    except SystemExit:
        wrong.append(" ".join(words))
print(json.dumps(wrong))
"""


def head_of(path: Path) -> dict[str, Any]:
    """The front matter between the two `---` lines."""
    _, head, _ = path.read_text().split("---\n", 2)
    return dict(yaml.safe_load(head))


def body_of(path: Path) -> str:
    return path.read_text().split("---\n", 2)[2]


def sections_of(path: Path) -> dict[str, str]:
    """Heading → markdown, in the order of the page."""
    parts = re.split(r"^## (.+)\n", body_of(path), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def blocks(text: str, language: str) -> list[str]:
    return [code for kind, code in FENCE.findall(text) if kind == language]


def inline(text: str) -> list[str]:
    return INLINE.findall(FENCE.sub("", text))


def queries_of(path: Path) -> list[str]:
    """Every query of the page, in its own block or within a sentence."""
    body = body_of(path)
    short = [code.replace("PID", "0") for code in inline(body) if code.startswith("select ")]
    return blocks(body, "sql") + short


def airflow_commands_of(path: Path) -> list[list[str]]:
    """The words each `airflow` of the page would get from the shell."""
    return [words for words in _commands_of(path) if words[0] != "python"]


def _commands_of(path: Path) -> list[list[str]]:
    """The same of each program: those of `python` with its name before them."""
    calls: list[list[str]] = []
    for section in sections_of(path).values():
        # One shell per section: a block may use the DAY that an earlier block of its own section has set.
        script = "\n".join([STAND_INS, *blocks(section, "sh"), *_inline_airflow(section)])
        shell = subprocess.run(
            [shutil.which("bash") or "bash", "-euc", script],
            env={"PATH": os.environ["PATH"], "WAREHOUSE_DSN": ""},
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert shell.returncode == 0, f"{path.name}: {shell.stderr}\n{script}"
        calls += [call.split("\037")[:-1] for call in shell.stdout.split("\036")[:-1]]
    return calls


def _inline_airflow(section: str) -> list[str]:
    return [code for code in inline(section) if code.startswith("airflow ")]


runbooks = pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)


@pytest.fixture
def warehouse(fresh_database: str) -> Iterator[Any]:
    """A cursor on a new, empty warehouse in which nothing can be written any more."""
    with closing(psycopg2.connect(fresh_database)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for schema in ("sandbox/master_data/master.sql", "include/sql/warehouse.sql"):
                cursor.execute((ROOT / schema).read_text())
            cursor.execute("set default_transaction_read_only = on")
            yield cursor


def test_every_pipeline_has_a_runbook() -> None:
    """The five pipelines, and nothing else, have a page."""
    assert {path.stem for path in RUNBOOKS} == PROMISED | WITHOUT_PROMISE


@runbooks
def test_the_head_has_exactly_the_contract(path: Path) -> None:
    """The head holds the keys of the contract in their order; only the investor reports have a promise.

    What another report sets off has no schedule.
    """
    head = head_of(path)
    may_lack = set() if path.stem in PROMISED else {"schedule", "promise"}
    assert list(head) == [key for key in HEAD_KEYS if key in head or key not in may_lack]
    assert ("promise" in head) == (path.stem in PROMISED)
    assert head["pipeline"] == path.stem
    assert set(head["upstream_owner"]) == {"team", "slack"}
    if path.stem in PROMISED:
        assert head["promise"]["due"] == "05:00"


@runbooks
def test_the_pager_reads_the_page_without_a_complaint(path: Path) -> None:
    """What the on-call reads at start takes the head and finds every section."""
    assert read_runbook(path.stem, path.read_text()).problems == ()


@runbooks
def test_every_section_is_there_in_order(path: Path) -> None:
    """Each page has the sections that alerts cut from it, under exactly those headings, and none is empty."""
    sections = sections_of(path)
    assert list(sections) == list(SECTIONS.values())
    assert all(text.strip() for text in sections.values())


@runbooks
@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_stands_alone_in_an_alert(path: Path, cause: str) -> None:
    """A cause opens with what to do, then checks, fixes and verifies; it fits an alert and holds no table."""
    text = sections_of(path)[SECTIONS[cause]].strip()
    assert text.startswith("**Do:** ")
    places = [text.find(f"\n**{part}**\n") for part in ("Check", "Fix", "Verify")]
    assert -1 not in places
    assert places == sorted(places)
    assert len(text) <= LONGEST_CAUSE
    assert not re.search(r"^\|", text, re.MULTILINE)
    assert not re.search(r"^[ \t]+```", text, re.MULTILINE), "an indented code block is lost in Slack"


@runbooks
def test_steps_are_numbered_through(path: Path) -> None:
    """Steps count on from 1 within a section, over its parts, so that "I am at step 4" can be said on the phone."""
    for heading, text in sections_of(path).items():
        numbers = [int(number) for number in re.findall(r"^(\d+)\. ", text, re.MULTILINE)]
        assert numbers == list(range(1, len(numbers) + 1)), heading
        assert numbers, heading


@runbooks
def test_every_name_of_a_section_and_every_link_leads_somewhere(path: Path) -> None:
    """A section named in the text exists on the page, and a linked file exists beside it."""
    body = FENCE.sub("", body_of(path))
    sections_text = body.split("\n## ", 1)[1]
    assert set(NAMED_SECTION.findall(sections_text)) <= set(SECTIONS.values())
    anchors = {heading.lower().replace(" ", "-") for heading in SECTIONS.values()}
    for target in LINK.findall(body):
        file, _, anchor = target.partition("#")
        assert not file or target.startswith("https://") or (path.parent / file).exists(), target
        assert not anchor or anchor in anchors, target


@runbooks
def test_every_query_runs_and_none_can_write(path: Path, warehouse: Any) -> None:
    """Every query is true to the tables of the warehouse, in a session that refuses to write."""
    queries = queries_of(path)
    assert len(queries) >= 5
    for query in queries:
        warehouse.execute(query)


OF_THE_DAY = "coalesce(current_setting('oncall.day', true)::date, current_date - 1)"


@runbooks
def test_the_head_says_what_another_day_and_airflows_clock_are(path: Path) -> None:
    """A drill is practised with the page's own queries; whoever goes on in Airflow is not misled by UTC."""
    head = " ".join(body_of(path).split("\n## ", 1)[0].split())
    assert "`set oncall.day = '2026-11-20';` once in `psql`" in head
    assert "Airflow's pages, logs and commands show UTC: 05:00 here is 22:00 of the day before there." in head


@runbooks
def test_whatever_means_yesterday_means_a_drills_day_when_that_is_set(path: Path, warehouse: Any) -> None:
    """The row that proves a repair is that of the day, not the newest one."""
    for query in queries_of(path):
        assert "current_date" not in query.replace(OF_THE_DAY, ""), query
    report = head_of(path)["report"]
    warehouse.execute("set default_transaction_read_only = off")
    warehouse.execute(
        "insert into investor.publications (report, report_date, published_at, run_id, rows)"
        " values (%s, '2019-05-06', now(), 'r', 1)",
        (report,),
    )
    [verified] = {q for q in queries_of(path) if "select published_at from investor.publications" in q}
    warehouse.execute(verified)
    assert warehouse.fetchall() == [], "yesterday's is not there"
    warehouse.execute("set oncall.day = '2019-05-06'")
    warehouse.execute(verified)
    assert len(warehouse.fetchall()) == 1
    for query in queries_of(path):
        warehouse.execute(query)


MISSING = {
    "profit_etl": (
        "insert into master.orders values (7, 3, '2019-05-06 12:00+07', 'paid', now())",
        {("order without lines", "7"), ("customer of order", "7")},
    ),
    "engagement_etl": ("insert into master.sessions values (9, 3, '2019-05-06 12:00+07', 60, 'chat', now())", {(3, 1)}),
    "growth_etl": ("insert into master.sessions values (9, 3, '2019-05-06 12:00+07', 60, 'chat', now())", {(3, 1)}),
    "unit_profit_experiments": (
        "insert into master.experiment_assignments values ('x', 3, 'control', '2019-05-06', now())", {("x", 3)},
    ),
    "daily_growth_experiments": (
        "insert into master.experiment_assignments values ('x', 3, 'control', '2019-05-06', now())", {("x", 3)},
    ),
}  # fmt: skip


@runbooks
def test_a_held_report_names_the_keys_that_are_missing(path: Path, warehouse: Any) -> None:
    """By one query of its section, for the report's day."""
    row, missing = MISSING[path.stem]
    warehouse.execute("set default_transaction_read_only = off")
    warehouse.execute(row)
    warehouse.execute("set oncall.day = '2019-05-06'")
    [query] = [q for q in blocks(sections_of(path)["Held by a check"], "sql") if "not exists" in q]
    warehouse.execute(query)
    assert set(warehouse.fetchall()) == missing


@runbooks
def test_a_query_that_says_yesterday_says_whose(path: Path) -> None:
    """`current_date` is the session's: at 05:00 in UTC+7 a session in UTC is still in yesterday."""
    for query in blocks(body_of(path), "sql"):
        if re.search(r"current_date|::date|_at\b", query):
            assert query.startswith("set time zone 'Asia/Bangkok';\n"), query


def test_every_airflow_command_exists(tmp_path: Path) -> None:
    """Airflow's own parser takes every command of every page, with its flags and its dates."""
    commands = [words for path in RUNBOOKS for words in airflow_commands_of(path)]
    assert len(commands) >= 10 * len(RUNBOOKS)
    # Another process: importing Airflow writes its configuration into AIRFLOW_HOME, and stays imported.
    parsed = subprocess.run(
        [sys.executable, "-c", PARSE],
        input=json.dumps(commands),
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert parsed.returncode == 0, parsed.stderr
    assert json.loads(parsed.stdout.splitlines()[-1]) == [], parsed.stderr


@runbooks
def test_whoever_pastes_a_block_has_nothing_to_fill_in(path: Path) -> None:
    """A name to put in the place of another one is read past at five; and our own commands know their words."""
    for block in blocks(body_of(path), "sh"):
        assert not re.search(r"\b[A-Z]+_ID\b|\b(?:NAME|DATE)\b", block), block
    ours = [words[3:] for words in _commands_of(path) if words[:3] == ["python", "-m", "oncall"]]
    assert ours.count(["why", path.stem, "--date", "2026-11-22"]) == 3
    for words in ours:
        _parser().parse_args(words)


@runbooks
def test_commands_touch_one_day_of_their_own_pipeline(path: Path) -> None:
    """A page starts its own DAG only, for a named day, and never clears: that cannot name one run, only all."""
    commands = airflow_commands_of(path)
    assert ["tasks", "clear"] not in [words[:2] for words in commands]
    for words in commands:
        if words[:2] in (["dags", "trigger"], ["dags", "unpause"]):
            assert words[2] == path.stem
        if words[:2] == ["dags", "trigger"]:
            assert json.loads(words[words.index("--conf") + 1]) == {"report_date": "2026-11-22"}
        if words[:2] == ["backfill", "create"]:
            assert words[words.index("--dag-id") + 1] == path.stem


@pytest.mark.skipif(sys.platform != "linux", reason="the pages are for the Airflow host: GNU date")
def test_the_day_of_the_commands_is_the_report_date() -> None:
    """`DAY` is yesterday in UTC+7, also on a host without time zone data."""
    lines = {line for path in RUNBOOKS for line in re.findall(r"^DAY=.*$", path.read_text(), re.MULTILINE)}
    assert lines == {"DAY=$(TZ=ICT-7 date -d yesterday +%F)"}
    before = pendulum.yesterday("Asia/Bangkok").to_date_string()
    said = subprocess.run(
        ["bash", "-c", f"{lines.pop()}; echo $DAY"], capture_output=True, text=True, check=True, timeout=20
    ).stdout.strip()
    assert said in (before, pendulum.yesterday("Asia/Bangkok").to_date_string())
