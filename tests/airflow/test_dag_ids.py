"""Two DAG files that define one id: Airflow runs whichever it has read last, so somebody is told."""

from __future__ import annotations

import datetime as dt
import json
import runpy
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from oncall.adapters import dag_ids
from oncall.adapters.dag_ids import defined_twice, say_ids_given_twice
from oncall.airflow.composition import Wiring
from oncall.airflow.dag_files import watch_dag_ids
from oncall.airflow.page_reading import PageReading
from oncall.airflow.run_once import send_once
from oncall.core.check_result import CheckResult
from oncall.usecases import channel_health
from oncall.web.views.banners import banners

REPOSITORY = Path(__file__).parents[2]
ZONE = dt.timezone(dt.timedelta(hours=7))
OURS = (REPOSITORY / "dags/profit_etl.py").read_text()
COPIES = {
    "a copy of our file": OURS,
    "an id as it stands": 'from airflow.sdk import DAG\nwith DAG("profit_etl"):\n    ...\n',
    "an id by its name": "import airflow.sdk as af\naf.DAG(schedule=None, dag_id='profit_etl')\n",
    "a constant with its type": 'from airflow.sdk import DAG\nNAME: str = "profit_etl"\ndag = DAG(NAME)\n',
    "a constant": 'from airflow.sdk import DAG\nNAME = "profit_etl"\ndag = DAG(NAME)\n',
    "a function": "from airflow.sdk import dag\n@dag(schedule=None)\ndef profit_etl(): ...\nprofit_etl()\n",
    "a bare decorator": "from airflow.sdk import dag\n@dag\ndef profit_etl(): ...\nprofit_etl()\n",
    "a named function": "from airflow.sdk import dag\n@dag('profit_etl')\ndef nightly(): ...\nnightly()\n",
    "one of two": 'from airflow.sdk import DAG\nDAG("profit_etl" if True else "x")\n',
    "an odd escape": 'from airflow.sdk import DAG\nx = "\\d"\nDAG("profit_etl")\n',
}
NO_COPIES = {
    "a comment": '# from airflow.sdk import DAG: as DAG("profit_etl")\n',
    "another DAG that waits for it": (
        'from airflow.sdk import DAG\nwith DAG("mine"):\n    ExternalTaskSensor(external_dag_id="profit_etl")\n'
    ),
    "a function of another id": (
        "from airflow.sdk import dag\n@dag('mine')\ndef profit_etl(): ...\nprofit_etl()\n"
    ),
    "an id that has it within": 'from airflow.sdk import DAG\nDAG("mine_" + "profit_etl")\n',
    "a condition": 'from airflow.sdk import DAG\nDAG("x" if "profit_etl" in known else "z")\n',
    "a task of that name": "from airflow.sdk import dag, task\n@task\ndef profit_etl(): ...\n",
    "what is no Python": 'from airflow.sdk import DAG\nDAG("profit_etl"\n',
    "what is no text": b"airflow dag profit_etl \x00\xff\xfe",
    "an id that is made": 'from airflow.sdk import DAG\nDAG("profit" + "_etl")  # profit_etl\n',
    "what is nested beyond measure": "airflow_dag = profit_etl = " + "(" * 5000 + ")" * 5000,
    "what is longer than Python follows": "airflow_dag = profit_etl = 1" + "+1" * 100_000,
}


@pytest.fixture
def dags(tmp_path: Path) -> Path:
    """A folder of DAG files with ours in it."""
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "profit_etl.py").write_text(OURS)
    return folder


def bundles(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """Airflow reads these folders."""
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    listed = [
        {"name": f"b{n}", "classpath": local, "kwargs": {"path": str(folder)}}
        for n, folder in enumerate(folders)
    ]
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps(listed))
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")


@pytest.mark.parametrize("text", COPIES.values(), ids=COPIES)
def test_a_second_file_of_the_same_id_is_seen(dags: Path, text: str) -> None:
    """In a folder beside it, too."""
    (dags / "old").mkdir()
    (dags / "old/profit.py").write_text(text)
    assert defined_twice(dags, ["profit_etl", "growth_etl"]) == {
        "profit_etl": "old/profit.py and profit_etl.py"
    }


@pytest.mark.parametrize("text", NO_COPIES.values(), ids=NO_COPIES)
def test_a_file_that_only_speaks_of_the_id_defines_it_not(dags: Path, text: str | bytes) -> None:
    """Nor is anything raised by a file that Python cannot read."""
    (dags / "other.py").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert defined_twice(dags, ["profit_etl"]) == {}


def test_what_airflow_is_told_to_ignore_does_not_count(dags: Path) -> None:
    """A link that leads nowhere, and a folder that is not there, are no files."""
    (dags / "old.py").write_text(OURS)
    (dags / ".airflowignore").write_text("old.py\n")
    (dags / "gone.py").symlink_to(dags / "nowhere.py")
    assert defined_twice(dags, ["profit_etl"]) == {}
    assert defined_twice(dags / "nowhere", ["profit_etl"]) == {}


def test_our_own_files_define_each_id_once() -> None:
    """All eight are seen, or a copy of one of them would not be."""
    ours = [path.stem for path in (REPOSITORY / "dags").glob("*.py")]
    assert defined_twice(REPOSITORY / "dags", ours) == {}
    for path in (REPOSITORY / "dags").glob("*.py"):
        assert path.stem in dag_ids._ids(path, ours)


def test_check_names_both_files(dags: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the DAGs folder that this machine's Airflow reads; a machine that has none is not blamed."""
    bundles(monkeypatch, dags)
    say_ids_given_twice(good := CheckResult(), ["profit_etl", "sla_watch"])
    assert (good.good, good.problems) == ([f"DAG files in {dags}: each id in one"], [])
    (dags / "sla_watch_old.py").write_text((REPOSITORY / "dags/sla_watch.py").read_text())
    (dags / "sla_watch.py").write_text((REPOSITORY / "dags/sla_watch.py").read_text())
    say_ids_given_twice(bad := CheckResult(), ["profit_etl", "sla_watch"])
    [problem] = bad.problems
    assert (problem.key, problem.found) == (
        "DAG sla_watch",
        "defined by sla_watch.py and sla_watch_old.py",
    )
    bundles(monkeypatch, dags / "nowhere")
    say_ids_given_twice(none := CheckResult(), ["profit_etl", "sla_watch"])
    assert (none.good, none.problems, len(none.unasked)) == ([], [], 1)


def test_check_asks_the_folders_that_airflow_reads(dags: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`[core] dags_folder` may be one of which it reads nothing: it was told as good."""
    copies = dags.parent / "copies"
    copies.mkdir()
    for name in ("profit_etl.py", "profit_old.py"):
        (copies / name).write_text(OURS)
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(dags))
    bundles(monkeypatch, copies)
    say_ids_given_twice(found := CheckResult(), ["profit_etl"])
    assert (found.good, [problem.file for problem in found.problems]) == ([], [str(copies)])
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", '[{"name": "b"}]')
    say_ids_given_twice(broken := CheckResult(), ["profit_etl"])
    assert [problem.key for problem in broken.problems] == ["dag_bundle_config_list"]


@pytest.mark.parametrize("how", ["a loop of links", "an odd .airflowignore"])
def test_a_folder_that_airflow_cannot_list_stops_no_look(
    dags: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """`check` names it: the DAG processor fails on it, too."""
    if how == "a loop of links":
        (dags / "again").symlink_to(dags)
        (dags / "once_more").symlink_to(dags)
    else:
        (dags / ".airflowignore").write_bytes("old.py".encode("utf-16"))
    bundles(monkeypatch, dags)
    say_ids_given_twice(found := CheckResult(), ["profit_etl"])
    [problem] = found.problems
    assert problem.found.startswith(f"the DAG files in {dags} cannot be listed: ")
    watch_dag_ids(SimpleNamespace(bundle_instance=SimpleNamespace(name="b", version=None, path=dags)))


def test_two_files_are_told_once_and_so_is_the_end(
    site: Any, airflow_auth: None, dags: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the chat and in red on the page; what is there for a moment only, as in a deployment, is no news."""
    look = runpy.run_path(str(REPOSITORY / "dags/sla_watch.py"))["look"].function
    ti = SimpleNamespace(bundle_instance=SimpleNamespace(name="dags-folder", version=None, path=dags))

    def told() -> list[str]:
        look(ti)
        send_once(Wiring(), Wiring().services())
        return [message.text for message in site.inbox.messages()]

    copy = dags / "profit_old.py"
    copy.write_text(OURS)
    assert told() == []
    copy.unlink()
    assert told() == []
    copy.write_text(OURS)
    assert told() == []
    monkeypatch.setattr(channel_health.note_trouble, "__defaults__", (dt.timedelta(0),))
    time.sleep(0.01)
    [first] = told()
    assert first.startswith("A DAG is defined by several files since")
    [message] = site.inbox.messages()
    assert "profit_etl: profit_etl.py and profit_old.py" in str(message.blocks)
    shown = [
        banner
        for banner in banners(PageReading(Wiring()).read(dt.datetime.now(ZONE)))
        if banner.kind == "warning"
    ]
    assert [banner.title.partition(" since")[0] for banner in shown] == ["A DAG is defined by several files"]
    assert told() == [first]
    (dags / "sla_watch.py").write_text((REPOSITORY / "dags/sla_watch.py").read_text())
    copy.write_text((REPOSITORY / "dags/sla_watch.py").read_text())
    assert told() == [first], "another pair is no news"
    assert "sla_watch: profit_old.py and sla_watch.py" in str(Wiring().store().get_note("dag_ids"))
    copy.unlink()
    assert told()[1:] == ["Each DAG is defined by one file again"]


def test_a_task_without_a_bundle_or_a_store_disturbs_nothing(
    dags: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes after the look: nothing of it may fail the run."""
    watch_dag_ids(SimpleNamespace())
    monkeypatch.setenv("AIRFLOW_CONN_ONCALL_DB", "postgres://nobody@127.0.0.1:1/none")
    watch_dag_ids(SimpleNamespace(bundle_instance=SimpleNamespace(name="b", version=None, path=dags)))
