"""`check --connections`: asks every connection, table, grant, scope, heartbeat and account once; wakes nobody."""

from __future__ import annotations

import argparse
import datetime as dt
from contextlib import closing, suppress
from dataclasses import asdict

from oncall.cli.command import show_json, show_problems, tell
from oncall.config import oncall_config
from oncall.config.data_contracts import FOLDER, contracts_dir, read
from oncall.config.oncall_config import OncallConfig
from oncall.core.check_result import CheckResult
from oncall.core.data.data_contract import CURRENCY, DataContracts
from oncall.core.data.report_words import currency_taken
from oncall.core.errors import OncallError, Unreadable
from pipelines.sql_files import SqlFiles


def arguments(parser: argparse.ArgumentParser) -> None:
    """The option with which `check` asks the connections too."""
    parser.add_argument(
        "--connections",
        action="store_true",
        help="ask databases, Opsgenie and Slack once for all that is needed of them; nobody is woken",
    )


def check(args: argparse.Namespace) -> int:
    config = oncall_config.load(args.include)
    contracts, _ = read(contracts_dir(args.include))
    checked = ask(config, contracts)
    if args.json:
        show_json(asdict(checked))
    else:
        for line in checked.good:
            tell(f"good       {line}")
        for line in checked.unasked:
            tell(f"not asked  {line}")
        show_problems(checked.problems)
        tell(checked.count)
    return 1 if checked.problems else 0


def ask(config: OncallConfig, contracts: DataContracts) -> CheckResult:
    """Ask all four connections. Never raises for what they answer."""
    # Only here: the other commands need neither databases nor HTTP.
    from oncall.adapters.airflow_plugins import say_whether_listeners_are_called, say_who_has_the_page
    from oncall.adapters.dag_ids import say_ids_given_twice
    from oncall.adapters.http.connections import say_where_links_lead
    from oncall.adapters.opsgenie.check import OpsgenieCheck
    from oncall.adapters.postgres.check import LOADS, Database, made_by
    from oncall.adapters.postgres.database import connect_by
    from oncall.adapters.postgres.oncall_db import SCHEMA
    from oncall.adapters.slack.check import SlackCheck
    from oncall.airflow.composition import base_url
    from oncall.airflow.dag_files import ON_CALL_DAGS

    checked = CheckResult()
    people = {person.id: person for roster in config.rosters for person in roster.people.values()}.values()
    Database("oncall_db", lambda: connect_by("oncall_db"), checked).ask(
        made_by(SCHEMA.read_text(encoding="utf-8"))
    )
    upstream = {name for pipeline in config.pipelines.values() for name in pipeline.upstream}
    Database("warehouse", lambda: connect_by("warehouse"), checked).ask(
        made_by(SqlFiles().text("warehouse.sql")),
        {LOADS, *(name for name in upstream if name.startswith("master."))},
        _may_lack(contracts),
        sorted({pipeline.report for pipeline in config.pipelines.values() if pipeline.promise}),
    )
    if not any(problem.file == "connection warehouse" for problem in checked.problems):
        _ask_contracts(contracts, checked)
        _ask_sql(checked)
    OpsgenieCheck(checked).ask(
        config.heartbeats, sorted({person.opsgenie for person in people if person.opsgenie})
    )
    SlackCheck(checked).ask(
        [channel for channel in config.channels if channel],
        sorted({roster.slack_usergroup for roster in config.rosters if roster.slack_usergroup}),
        sorted({person.slack for person in people if person.slack}),
    )
    say_where_links_lead(checked, base_url())
    say_who_has_the_page(checked)
    say_whether_listeners_are_called(checked)
    say_ids_given_twice(checked, [*config.pipelines, *ON_CALL_DAGS])
    return checked


def _ask_contracts(contracts: DataContracts, checked: CheckResult) -> None:
    """Name what of the contracts the warehouse could not be asked tonight."""
    from oncall.adapters.postgres.database import work_by
    from oncall.adapters.postgres.publication_rows import TYPES
    from pipelines.contract_check import unaskable

    with suppress(Unreadable), closing(work_by("warehouse")) as connection:
        connection.left_s = 8.0
        if connection.execute(f"select {TYPES}").fetchone() == (None,):
            checked.unasked.append(
                "contracts: what the warehouse can be asked of them: the first run of a report makes tables for it"
            )
            return
        # of any day
        day = {"report_date": dt.date(2026, 1, 1), "day_start": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}
        day["day_end"] = day["day_start"] + dt.timedelta(days=1)
        for key, found in unaskable(connection, contracts, day):
            checked.wrong(
                FOLDER, key, found, "what the warehouse can be asked: the run would fail, or hold the report"
            )


def _ask_sql(checked: CheckResult) -> None:
    """Name each statement of `sql/` that PostgreSQL cannot read. None is executed, and no table has to be there."""
    from oncall.adapters.postgres.database import work_by

    with suppress(OncallError), closing(work_by("warehouse")) as connection:
        connection.left_s = 20.0
        for place, found in SqlFiles().slips(connection):
            checked.wrong(
                f"sql/{place}", "(statement)", found, "SQL that PostgreSQL reads: the run would fail"
            )


def _may_lack(contracts: DataContracts) -> dict[str, dict[str, str]]:
    """By upstream table and optional column what it means that the table has none."""
    money = currency_taken(contracts.currency)
    return {
        name: {
            column.name: money if column.name == CURRENCY else "which its contract lets it lack"
            for column in contract.columns
            if column.optional
        }
        for name, contract in contracts.tables.items()
    }
