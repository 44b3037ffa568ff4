"""`python -m oncall check --connections`: whatever is missing is named, with what to do about it; nobody is woken."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import psycopg
import pytest

from oncall.adapters.http.connections import say_where_links_lead
from oncall.adapters.postgres import check
from oncall.airflow.composition import base_url
from oncall.cli.main import main
from oncall.core.check_result import CheckResult
from sandbox.inbox.testing import RunningInbox
from tests.airflow.conftest_site import REPOSITORY, Site
from tests.airflow.test_dag_ids import bundles


@pytest.fixture
def whole(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site with the account's connection and every table."""
    account = {
        "conn_type": "generic",
        "host": site.inbox.opsgenie_host,
        "password": site.inbox.opsgenie_account_key,
    }
    monkeypatch.setenv("AIRFLOW_CONN_OPSGENIE_API", json.dumps(account))
    site.inbox.tell("slack/usergroups", id="S0DEONCALL", handle="de-oncall")
    return site


def checked(site: Site, capsys: pytest.CaptureFixture[str], code: int) -> dict[str, Any]:
    assert main(["check", "--connections", "--include", str(site.include), "--json"]) == code
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def found(answer: dict[str, Any]) -> dict[str, str]:
    return {problem["key"]: f"{problem['found']} | {problem['write']}" for problem in answer["problems"]}


def woken(inbox: RunningInbox) -> list[Any]:
    return [*inbox.alerts(), *inbox.messages(), *(call for call in inbox.calls() if call.method != "GET")]


def test_when_all_is_in_order_nothing_is_to_mend_and_nobody_hears_of_it(
    whole: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each thing that was asked is told; only reads went out."""
    bundles(monkeypatch, REPOSITORY / "dags")
    answer = checked(whole, capsys, 0)
    assert answer["problems"] == []
    said = "\n".join(answer["good"])
    for part in (
        "connection oncall_db: database", "connection warehouse: table investor.publications",
        "upstream table master.loads", "the key is taken", "heartbeat investor-sla-watch", "user de-001@example.com",
        "the token is taken", "scope chat:write", "channel #de-oncall", "user group S0DEONCALL", "member U0DE001",
        f"DAG files in {REPOSITORY / 'dags'}: each id in one",
    ):  # fmt: skip
        assert part in said
    assert woken(whole.inbox) == []
    assert main(["check", "--connections", "--include", str(whole.include)]) == 0
    assert "0 to mend" in capsys.readouterr().out


def test_a_large_table_that_is_looked_up_without_an_index_is_named(
    whole: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run would read all of it for each customer of the day; a small one may be read so."""
    whole.query(
        "drop index master.sessions_customer_started_at; alter table master.products drop constraint products_pkey"
    )
    assert checked(whole, capsys, 0)["problems"] == []
    monkeypatch.setattr(check, "LARGE", 0)
    told = found(checked(whole, capsys, 1))
    assert {*told} == {"master.sessions", "master.products"}
    assert "create index on master.sessions (customer_id)" in told["master.sessions"]


def test_before_the_first_run_nothing_is_to_mend(whole: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """A run makes the tables of its reports: that they are not there yet is no fault of anybody's."""
    whole.query("drop schema base, investor, experiments cascade")
    answer = checked(whole, capsys, 0)
    assert answer["problems"] == []
    assert "the first run of a report makes tables" in " ".join(answer["unasked"])


@pytest.mark.parametrize(
    ("was", "now", "key", "said"),
    [
        ("where line.discount >", "where line.discont >", "order_lines: discounts_are_within_the_line", "line.discont"),
        ("where line.discount >", "where selec line.discount >", "discounts_are_within_the_line", "syntax error"),
        ("where line.discount >", "where no_such(line.discount) >", "discounts_are_within_the_line", "no_such("),
        ("'^(?!.{101})[!-~]+( [!-~]+)*$'", r"'^(?=(a))\1$'", "pattern", "invalid regular expression"),
        ("name: quantity, logicalType: integer", "name: quantity, logicalType: string", "order_lines", "type text"),
        ("unless, value: \"d.status = 'cancelled'\"", 'unless, value: "d.state = 1"', "orders_have_lines", "d.state"),
    ],
)  # fmt: skip
def test_what_the_warehouse_cannot_be_asked_of_a_contract_is_named(
    whole: Site, capsys: pytest.CaptureFixture[str], was: str, now: str, key: str, said: str
) -> None:
    """In the day, not by the night's run; no row is read for it."""
    contract = whole.include / "contracts/master.odcs.yaml"
    text = contract.read_text(encoding="utf-8")
    assert was in text
    contract.write_text(text.replace(was, now, 1), encoding="utf-8")
    told = found(checked(whole, capsys, 1))
    assert any(key in named and said in words for named, words in told.items()), told


@pytest.mark.parametrize(
    ("file", "was", "now", "line", "said"),
    [
        ("growth_etl/15_draft.sql", "select", "zselect", 7, 'syntax error at or near "zselect"'),
        ("profit_etl/20_checks.sql", "from ", "frum ", 1, 'syntax error at or near "base"'),
        ("growth_etl/30_publish.sql", "(", "((", 1, "at end of input"),
        ("experiments/70_odd_rows.sql", "'", "''", 1, "unterminated quoted string"),
    ],
)
def test_a_slip_in_the_sql_of_a_report_is_named(
    whole: Site, capsys: pytest.CaptureFixture[str], file: str, was: str, now: str, line: int, said: str
) -> None:
    """It was named by the night's run alone; whatever a statement would do is not done."""
    path = whole.include / "sql" / file
    path.write_text(path.read_text(encoding="utf-8").replace(was, now, 1), encoding="utf-8")
    path.with_name(f".#{path.name}").symlink_to("me@host.123")  # somebody edits it
    (problem,) = checked(whole, capsys, 1)["problems"]
    assert said in problem["found"]
    assert problem["file"] == f"sql/{file}:{line}"


def test_what_the_far_sides_lack_is_named(whole: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Scopes, members, accounts, heartbeats: each by its name."""
    whole.inbox.settings(
        unknown_users=["de-001@example.com", "U0DE002"],
        slack_scopes=["chat:write", "channels:read", "users:read"],
    )
    for path in whole.include.glob("roster.yaml"):
        text = (
            path.read_text()
            .replace("investor-sla-watch", "no-such-heartbeat")
            .replace("#de-oncall", "#nowhere")
        )
        path.write_text(text)
    wrong = found(checked(whole, capsys, 1))
    assert "does not exist" in wrong["heartbeat no-such-heartbeat"]
    assert "does not exist" in wrong["user de-001@example.com"]
    assert "may be said twice" in wrong["scope channels:history"]
    assert "user group" in wrong["scope usergroups:write"]
    assert "no such channel" in wrong["channel #nowhere"]
    assert "user_not_found" in wrong["member U0DE002"]
    assert woken(whole.inbox) == []


@pytest.mark.parametrize(
    ("settings", "key", "words"),
    [
        ({"key_may_read": False}, "key", "right to read"),
        ({"slack_scopes": ["users:read"]}, "scope chat:write", "said"),
    ],
)
def test_a_right_that_is_missing_is_named(
    whole: Site, capsys: pytest.CaptureFixture[str], settings: dict[str, Any], key: str, words: str
) -> None:
    """A key that may not read hears no acknowledgement; a token that may not write says nothing."""
    whole.inbox.settings(**settings)
    assert words in found(checked(whole, capsys, 1))[key]


def test_what_cannot_be_asked_is_no_fault(
    whole: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the account's key, on Jira Service Management, with a token of few scopes."""
    monkeypatch.delenv("AIRFLOW_CONN_OPSGENIE_API")
    whole.inbox.settings(slack_scopes=["chat:write", "channels:history", "usergroups:write"])
    answer = checked(whole, capsys, 0)
    said = "\n".join(answer["unasked"])
    for part in ("opsgenie_api", "channels:read", "users:read", "usergroups:read"):
        assert part in said
    jsm = {
        "conn_type": "opsgenie",
        "host": whole.inbox.jsm_host,
        "password": "0a1b2c3d-0000-4000-8000-0000000000aa",
    }
    monkeypatch.setenv("AIRFLOW_CONN_OPSGENIE_DEFAULT", json.dumps(jsm))
    assert "key" in found(checked(whole, capsys, 1))


def test_tables_that_say_no_currency_are_named(whole: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to mend: their money is taken to be in the contract's."""
    lacking = "upstream table master.refunds; no column currency, so its money is taken to be in USD"
    assert lacking not in "\n".join(checked(whole, capsys, 0)["good"])
    with closing(psycopg.connect(whole.warehouse, autocommit=True)) as admin:
        admin.execute("alter table master.refunds drop column currency")
    assert lacking in "\n".join(checked(whole, capsys, 0)["good"])


@pytest.mark.parametrize("name", ["ORDERS", " orders", '"orders"', "master.Orders", "orders\u200b"])
def test_a_table_that_its_loads_call_by_almost_its_name_is_named(
    whole: Site, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """No load of it would ever be seen, and each night its reports were "waiting on master.orders"."""
    with closing(psycopg.connect(whole.warehouse, autocommit=True)) as upstream:
        upstream.execute("delete from master.loads where table_name in ('orders', 'master.orders')")
        load = "insert into master.loads values (%s, current_date - 1, now(), 1)"
        upstream.execute(load, [name])
        assert repr(name) in found(checked(whole, capsys, 1))["master.orders"]
        upstream.execute(load, ["orders"])
        assert checked(whole, capsys, 0)["problems"] == []


def as_role(site: Site, monkeypatch: pytest.MonkeyPatch, role: str, *grants: str) -> None:
    """The warehouse from now on by a role with these grants."""
    with closing(psycopg.connect(site.warehouse, autocommit=True)) as admin:
        admin.execute(f"drop role if exists {role}")
        admin.execute(f"create role {role} login")
        for grant in grants:
            admin.execute(f"{grant} to {role}")
    info = psycopg.conninfo.conninfo_to_dict(site.warehouse)
    value = {"conn_type": "postgres", "host": info["host"], "schema": info["dbname"], "login": role}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(value))


def test_grants_that_are_missing_are_named(
    whole: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As statements for whoever runs the database."""
    grants = (
        *(f"grant usage on schema {schema}" for schema in ("investor", "experiments", "master")),
        "grant select, insert, update, delete on all tables in schema experiments",
        "grant select on all tables in schema investor",
        "grant select on master.loads",
    )
    as_role(whole, monkeypatch, "reader_of_little", *grants)
    try:
        wrong = found(checked(whole, capsys, 1))
    finally:
        with closing(psycopg.connect(whole.warehouse, autocommit=True)) as admin:
            admin.execute("drop owned by reader_of_little; drop role reader_of_little")
    assert "grant usage, create on schema base to reader_of_little" in wrong["base"]
    assert (
        "grant insert, update, delete on investor.publications to reader_of_little"
        in wrong["investor.publications"]
    )
    assert "grant select on master.orders to reader_of_little" in wrong["master.orders"]
    assert "master.loads" not in wrong
    assert "experiments.unit_profit" not in wrong


def test_a_warehouse_without_loads_and_a_table_of_another_name_are_named(
    whole: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """A false page of a report that was there, before it is one."""
    whole.query("alter table master.loads rename column row_count to number; drop table master.sessions")
    wrong = found(checked(whole, capsys, 1))
    assert "no column row_count" in wrong["master.loads"]
    assert "no such table" in wrong["master.sessions"]
    whole.query(
        "alter table master.loads rename column number to row_count; alter table master.loads"
        " alter business_day type text, alter loaded_at type timestamp"
    )
    said = found(checked(whole, capsys, 1))["master.loads"]
    assert "business_day of type text, loaded_at of type timestamp without time zone" in said
    assert "business_day as date, loaded_at as timestamp with time zone" in said
    whole.query("drop table master.loads")
    assert "no load is known" in found(checked(whole, capsys, 1))["master.loads"]


def test_connections_that_lead_nowhere_are_named_without_secrets(
    whole: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All four, each by its name; no traceback."""
    postgres = "postgres://u:s3cr3t-of-ours@127.0.0.1:1/d"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", postgres)
    monkeypatch.setenv("AIRFLOW_CONN_ONCALL_DB", f"{postgres}?sslmode=sideways")
    for name in ("OPSGENIE_DEFAULT", "SLACK_API_DEFAULT", "OPSGENIE_API"):
        nowhere = {
            "host": "https://127.0.0.1:1",
            "password": "s3cr3t-of-ours",
            "extra": {"base_url": "https://127.0.0.1:1/api/"},
        }
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(nowhere))
    answer = checked(whole, capsys, 1)
    places = {problem["file"] for problem in answer["problems"]}
    assert {
        f"connection {name}" for name in ("oncall_db", "warehouse", "opsgenie_default", "slack_api_default")
    } == places
    assert "s3cr3t" not in json.dumps(answer)
    write = {
        problem["file"]: problem["write"] for problem in answer["problems"] if problem["key"] == "connect"
    }
    assert write["connection oncall_db"].startswith("disable, allow, prefer, require, ")
    assert write["connection warehouse"] == "the connection so that its server takes it, and ask again"


@pytest.mark.parametrize(
    ("written", "list_of", "said"),
    [
        ("https://airflow.example.com/", "good", "links of alerts begin with https://airflow.example.com"),
        ("http://localhost:8080", "unasked", "http://localhost:8080, and so a link of an alert leads to its reader"),
        ("http://[::1]:8080", "unasked", "its reader's own machine"),
        ("airflow.example.com", "problems", "'airflow.example.com'"),
        ("", "problems", "''"),
        ("/airflow", "problems", "'/airflow'"),
        ('"https://airflow.example.com"', "problems", "https://airflow.example.com"),
        ("https://airflow.example.com\n", "problems", "https://airflow.example.com"),
        ("https://me:s3cret@airflow.example.com", "problems", "https://"),
        ("https://[::1", "problems", "'https://[::1'"),
    ],
)  # fmt: skip
def test_where_the_links_of_alerts_lead_is_told(
    monkeypatch: pytest.MonkeyPatch, written: str, list_of: str, said: str
) -> None:
    """They led a phone at five in the morning to itself: the address was never set, or not wholly written."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", written)
    checked = CheckResult()
    say_where_links_lead(checked, base_url())
    (told,) = [*checked.good, *checked.unasked, *map(str, checked.problems)]
    assert getattr(checked, list_of)
    assert said in told
    assert "s3cret" not in told
