"""The stack's commands: `python -m sandbox up | down | status | env`, and `kill NAME`, `restart NAME` for accidents.

`env` prints the environment of the stack's processes for a shell, with `airflow`, `psql` and WAREHOUSE_DSN for what the
runbooks say: eval "$(make -s env)"; psql "$WAREHOUSE_DSN"
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path

import httpx
import psycopg2

from oncall.config.oncall_config import load
from oncall.core.errors import OncallError
from sandbox.master_data import backfill
from sandbox.stack import status as stack_status
from sandbox.stack.airflow_api import ask
from sandbox.stack.postgres import SandboxError, tools
from sandbox.stack.processes import stop_all
from sandbox.stack.stack import COMPONENTS, Stack

HEARTBEAT_S = 300


def up(stack: Stack) -> None:
    """Start what does not run, or runs with older code, fill what is empty, say where to look. Safe to run again."""
    with stack.coming_up():
        start_and_fill(stack)
    print(stack_status.lines(stack))


def start_and_fill(stack: Stack) -> None:
    """All of `up` but its closing lines."""
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"  {time.monotonic() - began:3.0f}s  {text}", flush=True)

    heartbeat = load(
        stack.include_dir
    ).roster.opsgenie_heartbeat  # a folder that cannot be used is said at once
    stack.remember()
    if outdated := stack.outdated():
        say(f"stopped, to begin again with the code as it is now: {', '.join(outdated)}")
        stop_all([stack.component(name) for name in reversed(outdated)])
    if [name for name in COMPONENTS if stack.component(name).running() is None] or not stack.api().health():
        say("PostgreSQL: databases airflow, warehouse, oncall")
        stack.prepare()
        with backfill.newest(stack, say):
            say("Airflow: its tables")
            stack.migrate(say)
            for name in ("inbox", "api-server", "dag-processor"):
                stack.start(name)
            say("inbox, api-server, dag-processor: started")
        # Only now: without a report that is due the watcher would page.
        for name in ("nightly", "triggerer"):
            stack.start(name)
        say("nightly, triggerer: started")
        stack.wait_until_healthy(but=("scheduler",), say=say)
        page = f"{stack.airflow_url}/{stack_status.PAGE}"
        say(f"{page} can be looked at ({stack_status.login()}), and fills up")
        backfill.history(stack, say)
        stack.start("scheduler")
        stack.wait_until_healthy(say=say)
        stack.refuse_ended(COMPONENTS)
        if heartbeat:
            # In the real Opsgenie somebody makes it once, by hand: it pages when nobody pings it any more.
            made = {"name": heartbeat, "interval_seconds": HEARTBEAT_S, "alert_priority": "P1"}
            ask("POST", f"{stack.inbox_url}/_control/heartbeats", json=made)
        say("scheduler: started; all of Airflow is healthy")
    for name in set(outdated) - set(COMPONENTS):  # a further one, which was started by name
        stack.start(name)
    backfill.recent(stack, say)


def status(stack: Stack) -> None:
    """What runs and how things stand."""
    print(stack_status.lines(stack))


def down(stack: Stack) -> None:
    """Stop everything; nothing running is fine."""
    stopped = stack.stop()
    print(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")


def env(stack: Stack) -> None:
    """The stack's environment as shell commands: what differs from this shell's."""
    for name, value in sorted(stack.env().items()):
        if name.startswith(("AIRFLOW", "ONCALL", "WAREHOUSE", "PYTHONPATH")):
            print(f"export {name}={shlex.quote(value)}")
    folders = (Path(sys.executable).parent, tools(stack.run_dir / "postgres"))
    print(f'export PATH={":".join(shlex.quote(str(folder)) for folder in folders)}:"$PATH"')


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in (up, down, status, env):
        commands.add_parser(command.__name__, help=command.__doc__).set_defaults(run=command)
    for name, method in (("kill", Stack.kill), ("restart", Stack.restart), ("start", Stack.start)):
        accident = commands.add_parser(name, help=method.__doc__)
        accident.add_argument("component", help=f"{', '.join(COMPONENTS)}; triggerer@2 is a second triggerer")
        accident.set_defaults(run=method)
    asked = parser.parse_args()
    try:
        stack = Stack.chosen()
        if "component" in asked:
            asked.run(stack, asked.component)
        else:
            asked.run(stack)
    except KeyboardInterrupt:
        sys.exit(
            "\nBroken off; what was started runs on. The same command goes on from here, `make down` stops all."
        )
    except (SandboxError, OncallError, OSError) as error:  # OSError: a folder that takes no file, a full disk
        sys.exit(f"\n{error}")
    except (httpx.HTTPError, psycopg2.OperationalError) as error:
        sys.exit(
            f"\nA part of the stack does not answer ({str(error).strip() or type(error).__name__}). On a very busy "
            f"machine, run the same command again: it goes on from here. The logs: {stack.run_dir / 'logs'}"
        )


if __name__ == "__main__":
    main()
