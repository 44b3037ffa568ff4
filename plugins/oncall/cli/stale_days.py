"""The subcommand stale: published days whose inputs have changed since; with --rerun they are run again."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from oncall.cli.command import (
    Command,
    UsageError,
    confirm,
    moment_of,
    now,
    show_json,
    show_table,
    tell,
    user_name,
    warn,
    yes_argument,
)
from oncall.config import oncall_config
from oncall.core.data.report_words import run_stale_again
from pipelines import runner
from pipelines.stale_days import Rerun, StaleDay, StalePublications, note_reruns


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rerun", action="store_true", help="run them again, oldest first, here and now")
    parser.add_argument(
        "--reason", default="", metavar="TEXT", help="what the restatements say (default: what has changed)"
    )
    parser.add_argument(
        "--since",
        default="",
        metavar="ISO",
        help="look through what upstream has written or deleted since then (default: since the last search)",
    )
    yes_argument(parser)


def _stale(args: argparse.Namespace) -> int:
    if args.reason and not args.rerun:
        raise UsageError("--reason is for --rerun: without it nothing is written")
    config = oncall_config.load(args.include)
    since = moment_of("--since", args.since, config.roster) if args.since else None
    # Only here: the other commands need no database.
    from oncall.adapters.postgres.database import work_by
    from pipelines.held_reports import partial_loads

    with closing(work_by("warehouse")) as connection:
        runner.install(connection)
        stale = StalePublications(connection, config, partial_loads)
        if not args.rerun:
            return max(_list(args, stale.find(since)), _unsearched(stale))
        confirm(args, "Run every stale day again, oldest first?", "nothing was run")
        run_id = f"stale__{now(config.roster).isoformat()}__{user_name()}"
        say = (lambda _: None) if args.json else tell
        done = stale.rerun(run_id, reason=args.reason, since=since, tell=say)
    if reason := note_reruns([rerun.outcome for rerun in done], user_name(), run_id):
        warn(f"oncall stale: {reason}")
    return max(_done(args, done), _unsearched(stale))


def _unsearched(stale: StalePublications) -> int:
    for line in stale.unsearched_words:
        warn(f"oncall stale: {line}")
    return int(bool(stale.unsearched))


def _list(args: argparse.Namespace, days: Sequence[StaleDay]) -> int:
    if args.json:
        show_json([_as_json(day) for day in days])
    elif not days:
        tell("nothing is stale")
    else:
        rows: list[list[Any]] = [[day.report_date, day.pipeline.dag_id, day.because] for day in days]
        show_table(rows, ("report date", "pipeline", "because"))
        tell(f"\n{run_stale_again(len(days))}")
    return 0


def _done(args: argparse.Namespace, done: Sequence[Rerun]) -> int:
    held = [rerun for rerun in done if rerun.held]
    if args.json:
        show_json([{**_as_json(rerun.day), "restated": rerun.restated, "held": rerun.held} for rerun in done])
    elif not done:
        tell("nothing is stale")
    elif held:
        warn(f"{len(held)} held: the days that depend on them wait until the cause is mended")
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
