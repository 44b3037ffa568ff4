"""The stack under check as its users see it: Airflow's API, the inbox, the databases; and how long to wait for each."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import httpx

from sandbox.drill.inbox import Inbox
from sandbox.inbox.testing import RunningInbox
from sandbox.stack.airflow_api import AirflowApi
from tests.compose.compose_project import ComposeFailed, Container, Project

T = TypeVar("T")
ASK_EVERY_S = 1.0


@dataclass
class Ground:
    """One booted project. `killed`: the containers that were killed on purpose. Prints each step and its seconds."""

    project: Project
    began: float = field(default_factory=time.monotonic)
    killed: list[Container] = field(default_factory=list)

    def __post_init__(self) -> None:
        known = self.project.environment
        self.api = AirflowApi(known["AIRFLOW_BASE_URL"], "admin", known["AIRFLOW_ADMIN_PASSWORD"])
        inbox_url = f"http://127.0.0.1:{known['INBOX_PORT']}"
        self.inbox, self.far_side = Inbox(inbox_url), RunningInbox(inbox_url)

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began:5.0f} s  {text}", flush=True)

    def wait_for(self, what: str, there: Callable[[], T | None], within_s: float) -> T:
        """What `there` answers once it is true. Raises ComposeFailed when that takes longer than `within_s`."""
        began, told = time.monotonic(), False
        while True:
            try:
                if answer := there():
                    took = f"after {time.monotonic() - began:.0f} s" if told else "at once"
                    self.say(f"{what}: {took}")
                    return answer
            except httpx.HTTPError:
                pass  # a busy api-server; it is asked again
            if not told:
                self.say(f"waiting for {what} (at most {within_s:.0f} s)")
                told = True
            if time.monotonic() - began > within_s:
                raise ComposeFailed(f"waited {within_s:.0f} s for {what}, in vain")
            time.sleep(ASK_EVERY_S)

    def ill(self) -> list[Container]:
        """Whatever is not well, but for what was killed on purpose."""
        dead = {container.id for container in self.killed}
        return [one for one in self.project.containers() if not one.well and one.id not in dead]

    def start_run(self, dag_id: str, day: dt.date, run_id: str) -> None:
        """A run for this report date, as a person starts it; as soon as Airflow has read the DAG's file."""
        wish = {"dag_run_id": run_id, "logical_date": None, "partition_key": day.isoformat()}

        def taken() -> bool:
            try:
                self.api.post(f"dags/{dag_id}/dagRuns", wish)
            except httpx.HTTPStatusError as refused:
                if refused.response.status_code != httpx.codes.CONFLICT:
                    raise
                # It was taken before, and the answer was lost.
            return True

        self.wait_for(f"Airflow to take the run {run_id} of {dag_id}", taken, 120)

    def tries(self, dag_id: str, run_id: str, task_id: str) -> list[tuple[str, str]]:
        """(state, host) of each try of a task, the newest last."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/tries"
        found = self.api.get(path)["task_instances"]
        return [
            (str(one["state"]), one["hostname"] or "") for one in sorted(found, key=lambda t: t["try_number"])
        ]

    def watching(self) -> Container | None:
        """The triggerer in which the watcher lives."""
        hosts = self.project.sql(
            "airflow",
            "select job.hostname from trigger join job on job.id = trigger.triggerer_id"
            " where trigger.classpath like '%SlaWatch'",
        )
        here = self.project.running("triggerer")
        return next((one for one in here for (host,) in hosts if one.is_host(host)), None)

    def said_twice(self) -> list[str]:
        """Alerts of one alias, messages of one step and threads of one incident that are there more than once."""
        messages = self.far_side.messages()
        about = [message.metadata.get("event_payload") or {} for message in messages]
        said = [alert.alias for alert in self.far_side.alerts(face="opsgenie")]
        said += [
            f"{payload.get('key')}:{payload.get('step')} in Slack"
            for payload, message in zip(about, messages, strict=True)
            if payload and not message.edited_ts
        ]
        said += [
            f"the thread of {payload.get('key')}"
            for payload, message in zip(about, messages, strict=True)
            if payload and not message.thread_ts
        ]
        return [name for name, count in Counter(said).items() if count > 1]
