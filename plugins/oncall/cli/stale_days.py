"""The subcommand stale: published days whose inputs have changed since; with --rerun they are run again."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence
from contextlib import closing, redirect_stdout
from typing import Any

from oncall.cli.command import Command, UsageError, moment_of, now, show_json, show_table
from oncall.config import oncall_config
from oncall.core.errors import OncallError
from pipelines import runner
from pipelines.stale_days import Rerun, StaleDay, find_stale_days, rerun_stale_days

WAREHOUSE = "warehouse"
HOW = "Run them again, oldest first: python -m oncall stale --rerun, or trigger the DAG oncall_rerun_stale in Airflow."


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rerun", action="store_true", help="run them again, oldest first, here and now")
    parser.add_argument(
        "--reason", default="", metavar="TEXT", help="what the restatements say (default: what has changed)"
    )
    parser.add_argument(
        "--since",
        default="",
        metavar="ISO",
        help="look through what upstream has written since then (default: since the last search)",
    )


def _stale(args: argparse.Namespace) -> int:
    if args.reason and not args.rerun:
        raise UsageError("--reason is for --rerun: without it nothing is written")
    config = oncall_config.load(args.include)
    since = moment_of("--since", args.since, config.roster) if args.since else None
    try:
        from oncall.adapters.postgres.database import (
            work_by,  # only here: the other commands need no database
        )

        with redirect_stdout(sys.stderr):  # where Airflow says what it likes: the answer is ours alone
            opened = work_by(WAREHOUSE)
        with closing(opened) as connection:
            runner.install(connection)
            if not args.rerun:
                return _list(args, find_stale_days(connection, config, since))
            run_id = f"stale__{now(config.roster).isoformat()}__{getpass.getuser()}"
            tell = (lambda _: None) if args.json else (lambda rerun: print(rerun, flush=True))
            done = rerun_stale_days(connection, config, run_id, reason=args.reason, since=since, tell=tell)
    except (OncallError, ModuleNotFoundError) as error:  # the latter: no Airflow, which knows the connection
        print(f"oncall stale: {error}", file=sys.stderr)
        return 1
    return _done(args, done)


def _list(args: argparse.Namespace, days: Sequence[StaleDay]) -> int:
    if args.json:
        show_json([_as_json(day) for day in days])
    elif not days:
        print("nothing is stale")
    else:
        rows: list[list[Any]] = [[day.report_date, day.pipeline.dag_id, day.because] for day in days]
        show_table(rows, ("report date", "pipeline", "because"))
        print(f"\n{HOW}")
    return 0


def _done(args: argparse.Namespace, done: Sequence[Rerun]) -> int:
    held = [rerun for rerun in done if rerun.held]
    if args.json:
        show_json([{**_as_json(rerun.day), "restated": rerun.restated, "held": rerun.held} for rerun in done])
    elif not done:
        print("nothing is stale")
    elif held:
        print(
            f"{len(held)} held: what depends on them was left for when the cause is mended", file=sys.stderr
        )
    return 1 if held else 0


def _as_json(day: StaleDay) -> dict[str, str]:
    return {
        "report_date": day.report_date.isoformat(),
        "pipeline": day.pipeline.dag_id,
        "report": day.pipeline.report,
        "because": day.because,
    }


STALE_COMMAND = Command(
    "stale", "Published days whose inputs have changed since; --rerun runs them again.", _arguments, _stale
)
