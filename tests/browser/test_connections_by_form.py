"""Each connection made by hand, in the form of the real Airflow: what it stores is what the adapters take."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

from sandbox.stack.environment import LOGINS, REPOSITORY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from sandbox.stack.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.timeout(600)]

PATIENCE_MS = 60_000
# What a process of Airflow makes of the three: a page, a post, a query. It prints the extras as they are stored.
USE = """
import json
from airflow.sdk import BaseHook
from oncall.adapters.opsgenie.pager import Opsgenie
from oncall.adapters.postgres.database import connect_by
from oncall.adapters.postgres.lasting_connections import LastingConnection
from oncall.adapters.slack.chat import Slack
from oncall.core.message import Message, Recipient

message = Message("by-form:1", "page", "Made in the form", recipients=(Recipient("DE-001", "de-001@example.com"),))
told = {"page": Opsgenie.from_connection("opsgenie_by_form").page(message)}
told["post"] = Slack.from_connection("slack_by_form").post(message, "#de-oncall").ts
with LastingConnection(connect_by("warehouse_by_form"), "warehouse").cursor() as cursor:
    told["rows"] = cursor.execute("select 1").fetchall()
names = ("opsgenie_by_form", "slack_by_form", "warehouse_by_form")
print(json.dumps(told | {name: BaseHook.get_connection(name).extra for name in names}))
"""


@pytest.fixture
def form(browser: Browser, stack: Stack) -> Iterator[Page]:
    """Airflow's list of connections, signed in through its own form."""
    context = browser.new_context(viewport={"width": 1440, "height": 1200})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(f"{stack.airflow_url}/")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", LOGINS["admin"])
    page.keyboard.press("Enter")
    page.locator("section[aria-label='On-call']").wait_for()  # the panel on Home: signed in
    page.goto(f"{stack.airflow_url}/connections")
    yield page
    context.close()


def make(
    page: Page, name: str, kind: str, standard: Mapping[str, str], extra: Mapping[str, str] | None = None
) -> None:
    """Fill in the form and save it; every field that is not named stays as the form has it."""
    page.get_by_role("button", name="Add Connection").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("input[name=connection_id]").fill(name)
    dialog.get_by_role("combobox").first.fill(kind)
    page.get_by_role("option", name=kind, exact=True).click()
    for field, value in standard.items():
        dialog.locator(f"input[name={field}]").fill(value)
    if extra:
        dialog.get_by_role("button", name="Extra Fields", exact=True).click()
        for field, value in extra.items():
            dialog.locator(f"input[name=element_{field}]").fill(value)
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="hidden")


def test_connections_made_in_airflows_form_work(form: Page, stack: Stack) -> None:
    """Opsgenie, Slack with its empty extra fields, PostgreSQL: a page and a post arrive, a query is answered."""
    environment = stack.env()
    ours = {name: json.loads(environment[f"AIRFLOW_CONN_{name}"]) for name in
            ("OPSGENIE_DEFAULT", "SLACK_API_DEFAULT", "WAREHOUSE")}  # fmt: skip
    opsgenie, slack, warehouse = ours.values()
    make(form, "opsgenie_by_form", "Opsgenie", {"host": opsgenie["host"], "password": opsgenie["password"]})
    make(form, "slack_by_form", "Slack API", {"password": slack["password"]},
         {"base_url": slack["extra"]["base_url"]})  # fmt: skip
    make(
        form, "warehouse_by_form", "Postgres", {name: warehouse[name] for name in ("host", "login", "schema")}
    )
    used = subprocess.run(
        [sys.executable, "-c", USE],
        cwd=REPOSITORY,
        env={**environment, "_AIRFLOW_PROCESS_CONTEXT": "server"},  # as the api-server and the triggerer ask
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert used.returncode == 0, used.stderr[-2000:]
    told = json.loads(used.stdout.splitlines()[-1])
    assert told["page"]
    assert told["post"]
    assert told["rows"] == [[1]]
    assert json.loads(told["slack_by_form"]) == {
        "timeout": None,
        "base_url": slack["extra"]["base_url"],
        "proxy": None,
    }


def test_a_shell_where_airflow_runs_finds_connections_that_were_made_in_its_form(
    form: Page, stack: Stack
) -> None:
    """The runbooks' commands need no variable beside Airflow's own settings."""
    environment = stack.env()
    for name in ("oncall_db", "warehouse"):
        database = json.loads(environment.pop(f"AIRFLOW_CONN_{name.upper()}"))
        make(form, name, "Postgres", {field: database[field] for field in ("host", "login", "schema")})
    asked = subprocess.run(
        [sys.executable, "-m", "oncall", "incidents", "--json"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "cannot be read" not in asked.stderr
    assert isinstance(json.loads(asked.stdout), list)
