"""What hands do to files: whoever reads them says the same, in words that help, and goes on with what was good."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

from oncall.adapters.memory_store import MemoryStore
from oncall.airflow import dag_settings
from oncall.cli.main import main
from oncall.config import oncall_config
from oncall.config.roster_file import read_roster
from oncall.core.incidents.wording import Links, Scene
from oncall.core.rota.on_call import who_is_on_call
from oncall.usecases import current_config
from oncall.usecases.current_config import BROKEN, config_in_force, say_configuration
from tests.include_folder import write_include

AT = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)
ROSTER, RUNBOOK, SQL = "roster.yaml", "runbooks/sales_etl.md", "sql/sales_etl/publish.sql"
MERGE = "<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> theirs\n"
QUOTES = 'write YAML that parses: "…" around what holds'
EDITS = [
    (ROSTER, "  ANN: {", "\tANN: {", "roster.yaml:5: (file): found a tab before the first word; write spaces"),
    (ROSTER, "manager: BOSS\n", MERGE.format("manager: BOSS", "manager: ANN"), "roster.yaml:3: (file): found a merge"),
    (ROSTER, '"#alerts"', "#alerts", "a comma between them; it is noticed in line 21; " + QUOTES),
    (ROSTER, '"#alerts"', '"@ann"', "slack.channel: found '@ann'; write the Slack channel"),
    (ROSTER, "name: Ann,", "name: 'Ann O'Hara',", "roster.yaml:5: (file): found a { without its }, or two of its"),
    (ROSTER, "name: Ann,", "name: Ann: lead,", QUOTES),
    (ROSTER, "name: Ann,", "name: @ann,", QUOTES),
    (ROSTER, "name: Ann,", "name: {{ name }},", "people.ANN.name: found a mapping; write the person's name"),
    (ROSTER, "  BEN: {", "   BEN: {", "roster.yaml:6: (file)"),
    (ROSTER, "  BEN: {name: Ben", "  ann: {name: Ben", "people.ann: found ANN once more; write an id that differs"),
    (ROSTER, "ann@example.com", "mailto:ann@example.com", "found 'mailto:ann@example.com'; write the Opsgenie"),
    (ROSTER, "[[ANN, BEN], [BEN, ANN]]", "[ANN, BEN]", "weeks[0]: found 'ANN'; write a row of two people"),
    (ROSTER, "2025-12-29", "2025-W53-1", "found '2025-W53-1'; write a date such as"),
    (ROSTER, "2026-01-12", "2027-02-29", "leave[0].from: found '2027-02-29'; write a date"),
    (ROSTER, "2026-01-18", "2026-01-11", "leave[0].until: found '2026-01-11'; write an end after from"),
    (ROSTER, "2026-01-12", "“2026-01-12”", "found '“2026-01-12”'; write a date"),
    (ROSTER, "reason: holiday", "reason: holiday, to: x", "leave[0].to: found an unknown key"),
    (ROSTER, "primary: BOSS", "primary: GONE", "overrides[0].primary: found 'GONE'; write one of the people"),
    (ROSTER, "after: 15m", "after: -15m", "escalation[1].after: found '-15m'; write a duration"),
    (ROSTER, "country: VN", "country: Vietnam", "found 'Vietnam'; write an ISO 3166 country code"),
    (ROSTER, "name: Ann,", "name: Ann #1,", "roster.yaml:5: (file): found a { without its }"),
    (ROSTER, '"09:00"}', '"09:00}', "roster.yaml:2: (file): found a { without its }"),
    (ROSTER, "manager: BOSS", "manager BOSS", "roster.yaml:3: (file): found a line without the colon and space"),
    (ROSTER, "manager: BOSS", "'manager: BOSS", "roster.yaml:3: (file): found a quote that is never closed"),
    (ROSTER, "manager: BOSS", "manager: @BOSS", "found a value that begins with a sign such as @ ` or %; write YAML"),
    (ROSTER, "reason: holiday", "reason: *", "found a value that begins with * or &; write YAML"),
    (ROSTER, "reason: holiday}", "reason: holiday},", "found a line that neither begins with - in the column"),
    (ROSTER, "reason: holiday", ", reason: x", "found nothing where a value should be: a comma, ?"),
    (ROSTER, "  BEN: {", "\u00a0\u00a0BEN: {", "roster.yaml:6: (file): found a space before the first word, with"),
    (ROSTER, "2025-12-29", "2025\u201112\u201129", "with NON-BREAKING HYPHEN in it; write a date such as"),
    (ROSTER, '"09:00"', '"09\uff1a00"', "with FULLWIDTH COLON in it; write a time of day"),
    (ROSTER, "until: 2026-01-18", "until: 2026\u201101-18", "with NON-BREAKING HYPHEN in it; write a date such as"),
    (ROSTER, "after: 15m", "after: 15\uff4d", "with FULLWIDTH LATIN SMALL LETTER M in it; write a duration"),
    (ROSTER, "2026-02-04 09:00", "2206-02-04 09:00", "write an end within a year; for good, a new"),
    (ROSTER, "heartbeat: beat", "heartbeat: no", "opsgenie.heartbeat: found 'no'; write the Opsgenie heartbeat"),
    (ROSTER, "team: data", "team: N/A", "opsgenie.team: found 'N/A'; write the Opsgenie team"),
    (ROSTER, '"#alerts"', "U0123456", "slack.channel: found 'U0123456', the id of a person; write the Slack channel"),
    (ROSTER, '"#alerts"', '"#C0123456"', "slack.channel: found '#C0123456'; write C0123456, a channel's id, without"),
    (ROSTER, "ANN: {name", "null: {name", "people.null: found null; write an id that does not read as nothing"),
    (RUNBOOK, 'promise: {due: "05:00", warn_upstream_at: "03:30:30"}', "promise:", "or no such key where none is"),
    (ROSTER, "pipelines:\n  s", "pipelines:\n  - s", "pipelines: found a list; write a mapping"),
    (RUNBOOK, "title: Sales ETL", "title: Sales: ETL", "runbooks/sales_etl.md:3: (file): found a second colon"),
    (RUNBOOK, "## Stuck\n", MERGE.format("## Stuck", "## Stuck!"), "runbooks/sales_etl.md:31: (file): found a merge"),
    (RUNBOOK, "promise: {", "promise:\n\tdue: {", "sales_etl.md:10: (file): found a tab before the first word"),
    (RUNBOOK, 'due: "05:00"', "due: 300", "promise.due: found '300'; write a time of day"),
    (RUNBOOK, '"0 2 * * *"', "* 2 * * *", QUOTES),
    (RUNBOOK, "investor.daily_sales", "master.orders", "report: found 'master.orders'; write the table that this"),
    (SQL, "select 1", MERGE.format("select 1", "select 2"), "sql/sales_etl/publish.sql:1: (file): found a merge"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "was", "now", "said"), EDITS, ids=range(len(EDITS)))
def test_whoever_reads_a_careless_edit_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    name: str, was: str, now: str, said: str,
) -> None:  # fmt: skip
    """The check, the watcher, the health and the DAG's page; whoever was on call and what was promised stay."""
    folder = write_include(tmp_path / "include")
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(folder))
    monkeypatch.setattr(current_config, "_folders", {})
    store = MemoryStore()
    good, none = config_in_force(store)
    assert none == ()
    text = (folder / name).read_text()
    (folder / name).write_text(text.replace(was, now, 1))
    in_force, problems = config_in_force(store)
    assert who_is_on_call(in_force.roster, AT) == who_is_on_call(good.roster, AT)
    assert in_force.pipelines["sales_etl"].promise == good.pipelines["sales_etl"].promise
    broken = text != (folder / name).read_text()
    assert bool(problems) is broken
    assert main(["check"]) == int(broken)
    shown = capsys.readouterr().out
    assert all(str(problem) in shown for problem in problems)
    assert said in shown
    assert main(["who", "--at", AT.isoformat()]) in (0, 1)
    assert "Traceback" not in "".join(capsys.readouterr())
    say_configuration(store, Scene(in_force.roster, Links("http://x"), AT), problems)
    assert bool(store.get_note(BROKEN)) is broken
    dag_settings._terms_of.cache_clear()
    terms = dag_settings.terms_of("sales_etl")
    assert terms.dag_id == "sales_etl"
    assert set(terms.problems) <= set(problems)


def test_a_letter_is_the_same_however_a_keyboard_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """é as one sign and as e with an accent: one person."""
    folder = write_include(tmp_path / "include")
    monkeypatch.setattr(current_config, "_folders", {})
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(folder))
    roster = folder / ROSTER
    text = roster.read_text().replace("ANN", "Ange\u0301").replace("U0Ange\u0301", "U0ANN")
    roster.write_text(text.replace("Ange\u0301:", "Ang\u00e9:"))
    assert "Ang\u00e9" in config_in_force(MemoryStore())[0].roster.people


ONE_EACH = [
    ("slack: U0ANN", "slack: [U0ANN]", "people.ANN.slack: found a list; write the Slack member id, such as U0DE001"),
    ("{person: ANN, from: 2026-01-12, until: 2026-01-18, reason: holiday}", "ANN 2026-01-12", "leave[0]: found 'ANN"),
    ("{after: 15m, page: secondary}", "secondary", "escalation[1]: found 'secondary'; write a mapping such as {after"),
    ('{channel: "#alerts", usergroup: S0GROUP}', '"#alerts"', "slack: found '#alerts'; write a mapping such as"),
    ("{primary_owner: ANN, secondary_owner: BEN}", "ANN", "pipelines.sales_etl: found 'ANN'; write a mapping such as"),
    ("{country: VN, extra: [{date: 2026-12-31, name: Company day}]}", "VN", "public_holidays: found 'VN'; write a"),
]  # fmt: skip


@pytest.mark.parametrize(("was", "now", "said"), ONE_EACH, ids=range(len(ONE_EACH)))
def test_one_slip_is_one_problem(tmp_path: Path, was: str, now: str, said: str) -> None:
    """Of what has the wrong shape it is not said, besides, that each of its parts is missing."""
    folder = write_include(tmp_path / "include")
    roster = folder / ROSTER
    roster.write_text(roster.read_text().replace(was, now, 1))
    (problem,) = oncall_config.check(folder)
    assert said in str(problem)


@pytest.mark.parametrize(
    "text", ["- a list", "TODO", "<html>404</html>", "version https://git-lfs\noid sha256"]
)
def test_a_file_that_is_no_roster_at_all_is_one_problem(tmp_path: Path, text: str) -> None:
    """Not one for each key that it lacks."""
    (problem,) = read_roster(text).problems
    assert "write a mapping with timezone, people, rotation" in str(problem)


def test_nobody_else_is_proposed_in_the_place_of_a_person(tmp_path: Path) -> None:
    """DE-001 has left: to write DE-004 for it would have another person paged. A slip of the pen is still seen."""
    text = (Path(__file__).resolve().parents[2] / "include" / ROSTER).read_text()
    gone = "".join(row for row in text.splitlines(keepends=True) if not row.startswith("  DE-001:"))
    problems = read_roster(gone).problems
    assert problems
    assert not any("did you mean" in str(problem) for problem in problems)
    for slip in ("de-001", "DE_001", "DE-O01", "DE-1"):
        (problem,) = read_roster(text.replace("primary_owner: DE-001", f"primary_owner: {slip}")).problems
        assert "did you mean DE-001?" in str(problem)


def test_a_folder_that_may_not_be_looked_into_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what is in it nobody says that it is gone; it stays in force."""
    folder = write_include(tmp_path / "include")
    monkeypatch.setattr(current_config, "_folders", {})
    monkeypatch.setenv("ONCALL_INCLUDE_DIR", str(folder))
    store = MemoryStore()
    config_in_force(store)
    (folder / "runbooks").rename(folder / "away")
    (folder / "runbooks").symlink_to("runbooks")
    in_force, (problem,) = config_in_force(store)
    assert list(in_force.pipelines) == ["sales_etl"]
    assert str(problem).startswith(
        "runbooks/: (folder): found Too many levels of symbolic links; write a folder that"
    )


SIGNS = [
    *"{}[]:,-'\"#&*!|>%@`?\t\\=~",
    "- ", "? ", "\n---", "\n...", "&a ", "*a ", "!!", "!<", "|9", ">0", '"\\q"', '"\\x"',
    "%YAML 9\n", "%TAG ! x\n", "\n%\n", "{{ x }}", "${X}", "\r", "\u00a0", "\u3000", "''", '"""', "<<", ">>",
]  # fmt: skip


@pytest.mark.parametrize("sign", SIGNS, ids=range(len(SIGNS)))
def test_nobody_has_to_know_the_parser_s_grammar(sign: str) -> None:
    """Wherever in a line a sign too many stands: what is found is said in words of the file."""
    text = (Path(__file__).resolve().parents[2] / "include" / ROSTER).read_text()
    for place in range(0, len(text), 29):
        for problem in read_roster(text[:place] + sign + text[place:]).problems:
            grammar = re.search(
                r"\b(while|expected|did not|token|scalar|context|directive|2002)\b", problem.found
            )
            assert not (problem.key == "(file)" and grammar), problem
