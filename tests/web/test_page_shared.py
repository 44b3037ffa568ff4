"""What many readers ask at once: made once for all who may see the same, in one line, without the others' threads."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient

from oncall.usecases.history import SystemHealth
from oncall.web.permissions import limited
from oncall.web.response_cache import MOST_KEPT, shared
from oncall.web.snapshot import PageSnapshot
from oncall.web.teams import of_team
from tests.web.example_page import Example, calm, morning, two_teams


class Kitchen:
    """Makes answers, and counts them."""

    def __init__(self) -> None:
        self.made = 0

    def ask(self, seen: PageSnapshot, path: str = "/oncall/", query: str = "") -> bytes:
        scope = {"type": "http", "path": path, "query_string": query.encode(), "headers": [], "root_path": ""}
        scope["server"] = ("airflow.test", 80)
        return bytes(shared(Request(scope), seen, self._make).body)

    def _make(self) -> Response:
        self.made += 1
        return Response(str(self.made))


def test_the_same_question_is_answered_once() -> None:
    """Of one look; of the next look anew, though nothing else has changed."""
    kitchen, seen = Kitchen(), morning()
    assert kitchen.ask(seen) == kitchen.ask(seen) == b"1"
    assert kitchen.ask(replace(seen)) == b"2"


def test_another_address_team_or_reader_is_another_question() -> None:
    """Nobody is shown what another may see."""
    kitchen, seen = Kitchen(), two_teams()
    mine, theirs = of_team(seen, ""), of_team(seen, "growth")
    some = limited(mine, frozenset({"profit_etl"}))
    questions = [(mine, "/oncall/", ""), (mine, "/oncall/rota", ""), (mine, "/oncall/", "at=2026-12-24")]
    questions += [(theirs, "/oncall/", ""), (some, "/oncall/", "")]
    answers = [kitchen.ask(*question) for question in questions]
    assert len(set(answers)) == len(questions)
    again = limited(of_team(seen, ""), frozenset({"profit_etl"}))
    assert kitchen.ask(again) == answers[-1]


def test_a_look_keeps_only_so_many_answers() -> None:
    """Whoever asks for one instant after the other fills no memory; what is kept stays kept."""
    kitchen, seen = Kitchen(), calm()
    for number in range(MOST_KEPT + 5):
        kitchen.ask(seen, query=f"at={number}")
    assert len(vars(seen)["_answers"]) == MOST_KEPT
    assert kitchen.ask(seen, query="at=0") == b"1"


class Slow(Example):
    """A database that answers when it is told to; knows how many ask it at once."""

    def __init__(self, seen: PageSnapshot) -> None:
        super().__init__(seen, beat=SystemHealth())
        self.entered, self.answer = threading.Event(), threading.Event()
        self.inside = self.most = 0

    def read(self) -> PageSnapshot:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.entered.set()
        assert self.answer.wait(10)
        self.inside -= 1
        return self.seen


@pytest.fixture
def slow(mounted: tuple[FastAPI, FastAPI], app: FastAPI) -> Slow:
    source = Slow(morning())
    mounted[1].state.source = source
    return source


def test_readers_stand_in_line_and_nobody_else_does(
    viewer: TestClient, slow: Slow, mounted: tuple[FastAPI, FastAPI]
) -> None:
    """While a database is slow one thread waits for it, the others' requests wait in line; monitors are answered."""
    with ThreadPoolExecutor(4) as browsers:
        asked = [
            browsers.submit(viewer.get, path) for path in ("/oncall/", "/oncall/rota", "/oncall/api/now")
        ]
        assert slow.entered.wait(10)
        until = time.monotonic() + 10
        while mounted[1].state.turn.statistics().tasks_waiting < 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert viewer.get("/oncall/health").json()["watcher"] == "never"
        slow.answer.set()
        assert [one.result().status_code for one in asked] == [200, 200, 200]
    assert slow.most == 1
