"""Boot docker-compose.yaml with two of what may be many, kill one of each, and see nothing lost.

Then it upgrades it, loses the databases and restores them, with the very commands of docs/OPERATIONS.md.

It makes a Compose project of its own on free ports and takes it away again, volumes and all, whatever happens.
"""

from __future__ import annotations

import datetime as dt
import signal

import httpx

from tests.compose import compose_accident, compose_handbook, compose_night, compose_warehouse
from tests.compose.compose_ground import Ground
from tests.compose.compose_project import NAME, ComposeFailed, Project
from tests.compose.compose_settings import process_environment, variables

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
    compose_night.boot(ground, pull)
    compose_night.nothing_else_is_writable(ground)
    day = compose_warehouse.newest_day(ground)
    compose_night.publish(ground, day)
    compose_night.send_a_test_page(ground)
    compose_night.scale(ground)
    # A day that no real promise is about any more.
    compose_accident.kill_one_of_each(ground, day - dt.timedelta(days=3))
    compose_night.nothing_is_lost(ground)
    compose_handbook.upgrade(ground)
    compose_handbook.lose_the_databases(ground)
    compose_night.nobody_was_bothered(ground)
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
