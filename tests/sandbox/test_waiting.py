"""Waits of the sandbox: said while they last, ended in words; and a busy api-server is asked again."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from sandbox.stack import stack as stack_module
from sandbox.stack import waiting
from sandbox.stack.airflow_api import TRIES, AirflowApi, ask
from sandbox.stack.environment import environment
from sandbox.stack.postgres import SandboxError, Server
from sandbox.stack.stack import Stack
from sandbox.stack.waiting import SAY_AGAIN_S, wait_until


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_what_is_waited_for_is_said_when_it_changes_and_again_after_a_while() -> None:
    """Nobody looks at a silent terminal for longer than SAY_AGAIN_S."""
    clock, said = Clock(), list[tuple[float, str]]()
    states = ["a, b"] * 5 + ["b"] * 30
    left = wait_until(
        lambda: states.pop(0) if states else "",
        1000,
        lambda text: said.append((clock.now, text)),
        every_s=1,
        clock=clock,
        sleep=clock.sleep,
    )
    assert left == ""
    assert said[:2] == [(0, "waiting for a, b"), (5, "waiting for b")]
    assert len(said) == 3
    assert said[2][0] - said[1][0] <= SAY_AGAIN_S + 1


def test_a_question_that_is_not_answered_for_a_while_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the first question took two minutes, and the terminal looked dead."""
    monkeypatch.setattr(waiting, "SAY_AGAIN_S", 0.02)
    said, twice = list[str](), Event()

    def say(text: str) -> None:
        said.append(text)
        if len(said) == 2:
            twice.set()

    def missing() -> str:
        assert twice.wait(10)
        return ""

    assert wait_until(missing, 30, say) == ""
    assert set(said) == {"waiting for an answer: what is asked answers slowly"}


def test_a_wait_in_vain_ends_with_what_is_missing() -> None:
    """It is told to the caller, who knows what that means."""
    clock = Clock()
    assert wait_until(lambda: "rain", 30, lambda _: None, clock=clock, sleep=clock.sleep) == "rain"
    assert clock.now <= 34


@contextmanager
def serving(*answers: int) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these statuses in turn (0: no answer at all), then 200; its URL and the methods asked."""
    left, asked, over = list(answers), list[str](), Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.command)
            status = left.pop(0) if left else 200
            if status == 0:
                over.wait(5)
            self.send_response(status or 500)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_POST = do_GET  # noqa: N815 - the name that http.server asks for

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        over.set()
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.stack.airflow_api.PAUSE_S", 0.01)


def test_a_late_answer_is_asked_for_again() -> None:
    """A time-out and a 503 of a busy machine are no reason to give up."""
    with serving(0, 503) as (url, asked):
        assert ask("GET", url, timeout=0.3).status_code == 200
    assert len(asked) == 3


def test_asking_ends() -> None:
    """A server that is never well is told of after TRIES tries, a refusal at once."""
    with serving(*[503] * 9) as (url, asked), pytest.raises(httpx.HTTPStatusError):
        ask("GET", url)
    assert len(asked) == TRIES
    with serving(403) as (url, asked), pytest.raises(httpx.HTTPStatusError):
        ask("GET", url)
    assert len(asked) == 1
    with pytest.raises(httpx.ConnectError):
        ask("GET", "http://127.0.0.1:1", tries=2)


def test_the_stack_is_never_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A company's shell names one, and does not always leave this machine out."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with serving() as (url, _):
        assert ask("GET", url, tries=1).status_code == 200


def test_the_stacks_processes_use_no_proxy_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Slack's client sends everything through a proxy that it is told of; only the real Slack may need one."""
    for name in ("HTTP_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://proxy.example.com")
    monkeypatch.setenv("NO_PROXY", "intranet")
    stack, server = Stack(tmp_path), Server(tmp_path, tmp_path)
    alone = environment(stack, server)
    assert not {"HTTP_PROXY", "https_proxy"} & alone.keys()
    assert alone["NO_PROXY"] == "intranet,127.0.0.1,localhost"
    monkeypatch.setenv("AIRFLOW_CONN_SLACK_API_DEFAULT", "slack://:token@")
    assert environment(stack, server)["HTTP_PROXY"] == "http://proxy.example.com"


def test_a_command_at_work_is_told_by_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by those of one that ended: `published 9 reports` stood there while the next one published the rest."""
    monkeypatch.setattr(Stack, "env", lambda _: dict(os.environ))
    monkeypatch.setattr(stack_module, "SAY_AGAIN_S", 0.2)
    stack, said = Stack(tmp_path), list[str]()
    stack.run((sys.executable, "-c", "print('published 9 reports')"), log="history")
    stack.run((sys.executable, "-c", "import time; time.sleep(1)"), log="history", say=said.append)
    assert set(said) == {"history is at work: nothing said yet"}
    with pytest.raises(SandboxError) as failed:
        stack.run((sys.executable, "-c", "exit('no more')"), log="history")
    assert str(failed.value).endswith("history.log:\nno more")


def test_a_command_that_ends_at_once_is_told_by_its_words_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine it has said them before anybody looks at what was there."""

    class OverAtOnce(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.wait()

    monkeypatch.setattr(Stack, "env", lambda _: dict(os.environ))
    monkeypatch.setattr(subprocess, "Popen", OverAtOnce)
    with pytest.raises(SandboxError, match=r"history\.log:\nno more$"):
        Stack(tmp_path).run((sys.executable, "-c", "exit('no more')"), log="history")


def test_a_run_whose_answer_was_lost_is_the_same_run() -> None:
    """Asked again under its id, Airflow answers 409: it is there."""
    with serving(409) as (url, asked):
        api = AirflowApi(url, "admin", "admin")
        api.__dict__["token"] = "a login"
        api.run("growth_etl", dt.date(2026, 11, 29), "make_up__2026-11-29")
    assert asked == ["POST"]
