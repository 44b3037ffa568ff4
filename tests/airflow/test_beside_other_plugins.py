"""Our plugin in a company's plugins folder: beside files of the same names, and copied as people copy folders."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from airflow import plugins_manager

from oncall.adapters.airflow_plugins import say_who_has_the_page
from oncall.core.check_result import CheckResult
from oncall_plugin import OncallPlugin
from tests.airflow.conftest_site import REPOSITORY

(OURS,) = OncallPlugin.fastapi_apps
ASK = """
from airflow import plugins_manager
plugins = [plugin.name for plugin in plugins_manager._get_plugins()[0]]
import oncall.cli.command, pipelines.sql_files
print("loaded", *plugins, *sorted(plugins_manager.get_import_errors().values()))
"""
OF_THAT_NAME = """
from airflow.plugins_manager import AirflowPlugin

class Theirs(AirflowPlugin):
    name = "oncall"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A company's plugins folder into which somebody has copied `plugins/*`: a shell leaves dot files out of that."""
    for path in (REPOSITORY / "plugins").glob("[!.]*"):
        if path.is_dir():
            shutil.copytree(path, tmp_path / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, tmp_path)
    (tmp_path / "company").mkdir()
    return tmp_path


def said(folder: Path, before: str = "", asked: str = ASK, **settings: str) -> str:
    """What a process of Airflow's says when it has loaded the plugins of this folder, and has run `before` first."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= {"AIRFLOW_HOME": str(folder / "home"), "AIRFLOW__CORE__PLUGINS_FOLDER": str(folder)}
    env |= {"AIRFLOW__CORE__LOAD_EXAMPLES": "False", **settings}
    # The arguments of a process of Airflow's: what of ours reads them finds those.
    process = [sys.executable, "-P", "-c", f"{before}\n{asked}", "scheduler"]
    answer = subprocess.run(process, env=env, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.splitlines()[-1]


@pytest.mark.parametrize("syntax", ["glob", "regexp"])
def test_no_module_of_ours_runs_by_itself_where_the_folder_was_copied_without_its_dot_files(
    folder: Path, syntax: str
) -> None:
    """`oncall/__main__.py` ran as the program, found no such command as "scheduler", and ended each process."""
    assert said(folder, AIRFLOW__CORE__DAG_IGNORE_FILE_SYNTAX=syntax) == "loaded investor_oncall"


def test_a_company_may_have_a_plugin_and_files_of_our_names(folder: Path) -> None:
    """Airflow keeps the first plugin of a name, in the order of the disk, and ours was dropped, page and listeners; and
    it runs each file under its bare name, before ours or after it: all our DAG files were import errors."""
    before = "import sys, types\n"
    for name in ("oncall", "pipelines"):
        before += f"sys.modules['{name}'] = types.ModuleType('{name}')\n"
        # What is in a folder comes after the files beside it.
        (folder / "company" / f"{name}.py").write_text("KNOWN = 1\n")
    (folder / "company_oncall.py").write_text(OF_THAT_NAME)
    assert {*said(folder, before).split()} == {"loaded", "oncall", "investor_oncall"}


@pytest.mark.parametrize("prefix", ["/oncall", "/oncall/", "/"])
def test_check_tells_of_a_plugin_that_has_the_pages_address(
    monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    """Airflow mounts both, and the first answers: every link of an alert led to somebody else's page."""
    theirs = {"app": object(), "url_prefix": prefix, "name": "Who is on call"}
    elsewhere = {"app": object(), "url_prefix": "/oncall-rota", "name": "Rota"}
    for apps, told in (
        (
            [elsewhere, theirs, OURS],
            f"problems: another plugin's app 'Who is on call' answers there (url_prefix '{prefix}')",
        ),
        ([elsewhere, OURS, theirs], "good: page /oncall: ours"),
        (
            [elsewhere],
            "unasked: page /oncall: Airflow, as it is set up here, has not loaded oncall_plugin.py",
        ),
    ):
        monkeypatch.setattr(plugins_manager, "get_fastapi_plugins", lambda apps=apps: (apps, []))
        checked = CheckResult()
        say_who_has_the_page(checked)
        said = {
            "good": checked.good,
            "unasked": checked.unasked,
            "problems": [one.found for one in checked.problems],
        }
        assert [f"{kind}: {line}" for kind, lines in said.items() for line in lines] == [told]


OF_AIRFLOW_2 = """
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

class Watches:
    @hookimpl
    def on_task_instance_running(self, previous_state, task_instance, session):
        pass

class Theirs(AirflowPlugin):
    name = "company"
    listeners = [Watches()]

class Again(AirflowPlugin):
    name = "company"
"""
CHECK = """
from airflow import plugins_manager
plugins_manager.get_import_errors()
from oncall.adapters.airflow_plugins import say_whether_listeners_are_called
from oncall.core.check_result import CheckResult

checked = CheckResult()
say_whether_listeners_are_called(checked)
print(*checked.problems, sep=" | ")
"""


OF_ONE_NAME = """
from airflow.plugins_manager import AirflowPlugin

class Watches:
    pass

class Theirs(AirflowPlugin):
    name = "{name}"
    listeners = [Watches]
"""


def test_check_tells_of_a_plugin_that_takes_the_listeners_of_all_others_with_it(folder: Path) -> None:
    """A task that somebody marked as failed was told of by nobody, and no page said that Airflow calls no listener."""
    assert said(folder, asked=CHECK) == ""
    (folder / "company_watches.py").write_text(OF_AIRFLOW_2)
    listener, twice = said(folder, asked=CHECK).split(" | ")
    assert "listener company_watches.Watches: found Airflow refuses it" in listener
    assert "Argument(s) {'session'}" in listener
    assert "Plugin 'company' already registered" in twice


def test_check_tells_of_two_listeners_of_one_name(folder: Path) -> None:
    """A class in the place of an instance goes by its own name, which two plugins may have given it."""
    for name in ("sales", "stock"):
        (folder / f"{name}.py").write_text(OF_ONE_NAME.format(name=name))
    (listener,) = said(folder, asked=CHECK).split(" | ")
    assert "listeners of one name: found Airflow takes one of them" in listener
    assert "already registered: Watches" in listener
