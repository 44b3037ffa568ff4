"""`make compose-check`: boot docker-compose.yaml with two of what may be many, kill one of each, and see nothing lost.

Then it upgrades it, loses the databases and restores them, with the very commands of docs/OPERATIONS.md.

It makes a Compose project of its own on free ports and takes it away again, volumes and all, whatever happens. Needs
Docker with Compose 2.20 or newer, about 4 GB of memory, and about twenty minutes.

COMPOSE_CHECK_PULL=missing|always|never says whether images are pulled (never: images of the same names are here).
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import signal
import sys

import httpx

from sandbox.compose import accident, handbook, night, warehouse
from sandbox.compose.ground import Ground
from sandbox.compose.project import NAME, ComposeFailed, Project, turn
from sandbox.compose.settings import process_environment, variables

PULLS = ("missing", "always", "never")
TAIL = 40
WITHOUT_ILL = ("scheduler", "triggerer", "worker")  # where to look when all are well and something is missing


def check(pull: str, *, keep: bool) -> None:
    """Play the whole story. Raises ComposeFailed after it has printed what the containers say."""
    project = Project(process_environment(variables()))
    print(f"Docker Compose {project.require_docker()}, project {NAME}", flush=True)
    project.down()  # what a check that was killed has left behind
    ground = Ground(project)
    try:
        _play(ground, pull)
    except (ComposeFailed, httpx.HTTPError) as trouble:
        ground.say(f"FAILED: {trouble}")
        _show_logs(ground)
        raise ComposeFailed(str(trouble)) from None
    finally:
        if keep:
            ground.say(
                f"left standing: {ground.api.url}, admin / {ground.api.password}, inbox {ground.inbox.url}"
            )
        else:
            ground.say("taking everything away")
            _take_away(project)


def _take_away(project: Project) -> None:
    """A second Ctrl-C must not leave half of it standing."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        project.down()
    finally:
        signal.signal(signal.SIGINT, before)


def _play(ground: Ground, pull: str) -> None:
    night.boot(ground, pull)
    night.nothing_else_is_writable(ground)
    day = warehouse.newest_day(ground)
    night.publish(ground, day)
    night.send_a_test_page(ground)
    night.scale(ground)
    # A day that no real promise is about any more.
    accident.kill_one_of_each(ground, day - dt.timedelta(days=3))
    night.nothing_is_lost(ground)
    handbook.upgrade(ground)
    handbook.lose_the_databases(ground)
    night.nobody_was_bothered(ground)
    ground.say("PASSED: it boots, scales, survives, is upgraded and restored")


def _show_logs(ground: Ground) -> None:
    """The end of the logs of whatever is not well."""
    try:
        everything = ground.project.containers()
        ill = ground.ill() or [one for one in everything if one.service in WITHOUT_ILL]
        for one in everything:
            print(f"  {one!s:<20} {one.state} {one.health} {one.exit_code or ''}")
        for one in ill:
            print(f"\n--- {one}: the last {TAIL} lines\n{ground.project.logs(one, TAIL)}", flush=True)
    except ComposeFailed as silent:
        print(silent)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.compose",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--pull", choices=PULLS, default=os.environ.get("COMPOSE_CHECK_PULL", "missing"), help="see above"
    )
    parser.add_argument("--keep", action="store_true", help=f"leave it running (project {NAME})")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    try:
        with turn():
            check(asked.pull, keep=asked.keep)
    except KeyboardInterrupt:
        sys.exit("\nbroken off")
    except ComposeFailed as trouble:
        sys.exit(f"\nthe check failed: {trouble}")


if __name__ == "__main__":
    main()
