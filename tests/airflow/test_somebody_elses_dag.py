"""A DAG that somebody else wrote: without our arguments, with callbacks of its own, beside other plugins."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.listeners import hookimpl
from airflow.sdk._shared.listeners.listener import ListenerManager
from airflow.sdk._shared.listeners.spec import taskinstance
from airflow.sdk.api.datamodels._generated import TaskInstanceState

from oncall.adapters.postgres.task_log import MOST_TASKS, TaskLog
from oncall.airflow import dag_files
from oncall.airflow.airflow_state import ImportErrorListener, note_import_error
from oncall.airflow.callbacks import CALLBACKS, TELLS
from oncall.airflow.composition import Wiring
from oncall.airflow.dag_files import ON_CALL_DAGS, watch_dag_files
from oncall.airflow.manual_state_listener import ManualStateListener
from oncall.airflow.operator_links import RunbookLink
from oncall.airflow.page_reading import PageReading
from oncall.airflow.run_once import send_once
from oncall.core.incidents.wording import Scene
from oncall.core.promises.facts import Task
from oncall.web.views.banners import banners
from tests.airflow.conftest_site import REPOSITORY, ZONE

DAY = dt.date(2026, 11, 22)
RUN_AFTER = dt.datetime(2026, 11, 23, 2, tzinfo=dt.UTC)
REPORT = ("growth_etl", DAY)


def tasks(heard: TaskLog) -> tuple[Task, ...]:
    return tuple(heard.read({REPORT: None}, RUN_AFTER).tasks.get(REPORT, ()))


class SomebodysTask:
    """Airflow's `RuntimeTaskInstance`, as far as a listener in a task's own process asks of it."""

    run_id, task_id, try_number, log_url = "manual__1", "load", 1, ""

    def __init__(
        self, state: str, *, dag_id: str = "growth_etl", callbacks: Any = (), map_index: int = -1, **run: Any
    ) -> None:
        self.run = run
        self.state = TaskInstanceState(state)
        self.dag_id, self.map_index = dag_id, map_index
        kinds = dict.fromkeys(TELLS.values(), ())
        self.task = SimpleNamespace(**{**kinds, **dict(callbacks)})

    def get_template_context(self) -> dict[str, Any]:
        run: dict[str, Any] = {
            "partition_key": None,
            "conf": {},
            "run_after": RUN_AFTER,
            "logical_date": None,
            "run_type": "manual",
        }
        return {"ti": self, "dag_run": SimpleNamespace(**run | self.run)}


def told_by(ti: SomebodysTask, listener: ManualStateListener, error: object = None) -> None:
    """What Airflow's task runner does: the hook of the state."""
    if ti.state == "running":
        listener.on_task_instance_running(None, ti)
    elif ti.state in ("failed", "up_for_retry"):
        listener.on_task_instance_failed(None, ti, error)
    elif ti.state == "skipped":
        listener.on_task_instance_skipped(None, ti)
    else:
        listener.on_task_instance_success(None, ti)


@pytest.mark.parametrize("state", ["running", "success", "skipped", "up_for_retry", "failed"])
def test_a_dag_that_somebody_else_wrote_is_told_of_by_its_runbook_alone(heard: TaskLog, state: str) -> None:
    """It has callbacks of its own, or none, and a runbook: its tasks are seen like those of our DAG files."""
    told_by(
        SomebodysTask(state, callbacks={"on_failure_callback": [print]}),
        ManualStateListener(),
        ValueError("CRM answered 503"),
    )
    (task,) = tasks(heard)
    assert (task.task_id, task.state) == ("load", state)
    assert task.error == ("ValueError: CRM answered 503" if state in ("up_for_retry", "failed") else "")


@pytest.mark.parametrize(
    "key", ["2026-11-23T02:00:00", "2026-11-22 19", "eu-west", "2026-11-22|eu", "2026", "ü" * 250]
)
@pytest.mark.parametrize("run_type", ["scheduled", "asset_triggered", "manual"])
def test_a_partition_that_names_no_day_is_of_the_day_before(heard: TaskLog, key: str, run_type: str) -> None:
    """Airflow's own keys name the second. What a person started so tells nothing: nobody knows what was meant."""
    told_by(
        SomebodysTask("failed", partition_key=key, run_type=run_type),
        ManualStateListener(),
        ValueError("503"),
    )
    if run_type == "manual":
        assert not heard.lately(RUN_AFTER - dt.timedelta(days=9))
    else:
        assert [task.state for task in tasks(heard)] == ["failed"]


@pytest.mark.parametrize(
    ("logical_date", "day"),
    [
        (dt.datetime(2026, 11, 22, 2, tzinfo=dt.UTC), DAY),  # of a timetable by data interval: a day behind
        (dt.datetime(2026, 11, 15, 2, tzinfo=dt.UTC), dt.date(2026, 11, 15)),
        (dt.datetime(2027, 1, 1, tzinfo=dt.UTC), DAY),
        (None, DAY),
    ],
)
def test_a_run_that_another_dag_starts_with_its_own_date_is_seen(
    heard: TaskLog, logical_date: dt.datetime | None, day: dt.date
) -> None:
    """`TriggerDagRunOperator(logical_date="{{ logical_date }}")`: it was "never started", each night."""
    ti = SomebodysTask("running", run_type="operator_triggered", logical_date=logical_date)
    told_by(ti, ManualStateListener())
    assert [run.report_date for run in heard.lately(RUN_AFTER - dt.timedelta(days=9))] == [day]


@pytest.mark.parametrize("name", ["report_date", "day", "Logical date"])
@pytest.mark.parametrize(("said", "seen"), [(None, True), ("", True), ("2026-13-01", False)])
def test_a_param_that_nobody_filled_in_names_no_day(
    heard: TaskLog, name: str, said: str | None, seen: bool
) -> None:
    """The form of its DAG sends each of them: not one failure of such a run was seen."""
    ti = SomebodysTask("failed", conf={name: said, "full": False})
    told_by(ti, ManualStateListener(), ValueError("503"))
    assert [task.state for task in tasks(heard)] == ["failed"] * seen


def test_each_copy_of_a_mapped_task_is_seen(heard: TaskLog) -> None:
    """One that succeeds does not unsay that another one failed; of hundreds the failed one is still seen."""
    for number in range(MOST_TASKS + 20):
        task = Task.as_of(RUN_AFTER + dt.timedelta(seconds=number), f"load[{number}]", "success", "manual__1")
        heard.write(REPORT, task)
    for number, state in enumerate(("failed", "success")):
        told_by(SomebodysTask(state, map_index=number), ManualStateListener(), ValueError("503"))
    seen = {task.task_id: task.state for task in tasks(heard)}
    assert (seen["load[0]"], len(seen)) == ("failed", MOST_TASKS)


def test_a_task_with_our_callback_tells_by_it_alone(heard: TaskLog) -> None:
    """Whoever took the place of one of them has the others still."""
    for state, kind in TELLS.items():
        told_by(SomebodysTask(state, callbacks={kind: [CALLBACKS[kind]]}), ManualStateListener())
    assert not tasks(heard)


def test_a_dag_without_a_runbook_is_nobodys_of_ours(heard: TaskLog) -> None:
    """Its tasks are not even asked for their context."""
    told_by(SomebodysTask("failed", dag_id="vendor_sync"), ManualStateListener(), ValueError("x"))
    assert not heard.lately(RUN_AFTER - dt.timedelta(days=9))


def test_another_plugins_listener_that_raises_takes_nobodys_turn(heard: TaskLog) -> None:
    """Airflow calls the listener that came last first, and stops at the first one that raises."""

    class Careless:
        @hookimpl
        def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None:
            raise RuntimeError("somebody else's")

    listeners = ListenerManager()
    listeners.add_hookspecs(taskinstance)
    listeners.add_listener(ManualStateListener())
    listeners.add_listener(Careless())
    with pytest.raises(RuntimeError, match="somebody else's"):
        listeners.hook.on_task_instance_failed(
            previous_state=None, task_instance=SomebodysTask("failed"), error=ValueError("x")
        )
    assert [(task.task_id, task.state) for task in tasks(heard)] == [("load", "failed")]


def test_another_plugins_listener_that_raises_hides_no_import_error(
    heard: TaskLog, airflow_auth: None
) -> None:
    """The same in the DAG processor."""
    from airflow._shared.listeners.listener import ListenerManager as OfTheProcessor
    from airflow.listeners.spec import importerrors

    class Careless:
        @hookimpl
        def on_new_dag_import_error(self, filename: str, stacktrace: str) -> None:
            raise RuntimeError("somebody else's")

        @hookimpl
        def on_existing_dag_import_error(self, filename: str, stacktrace: str) -> None:
            raise RuntimeError("somebody else's")

    listeners = OfTheProcessor()
    listeners.add_hookspecs(importerrors)
    listeners.add_listener(ImportErrorListener())
    listeners.add_listener(Careless())
    for hook, dag_id in (
        ("on_new_dag_import_error", "growth_etl"),
        ("on_existing_dag_import_error", "profit_etl"),
    ):
        with pytest.raises(RuntimeError, match="somebody else's"):
            getattr(listeners.hook, hook)(filename=f"/dags/{dag_id}.py", stacktrace="NameError: x")
        assert heard.read({}, RUN_AFTER).dags[dag_id].import_error == "NameError: x"


@pytest.fixture
def known_file(airflow_auth: None) -> Iterator[str]:
    """Airflow has read growth_etl, and no other DAG of ours, from a file of another name."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    file = "/dags/of_marketing.py"
    with create_session() as session:
        session.merge(DagBundleModel(name="tests"))
        session.flush()
        session.merge(DagModel(dag_id="growth_etl", bundle_name="tests", fileloc=file))
    yield file
    with create_session() as session:
        session.execute(delete(DagModel).where(DagModel.dag_id == "growth_etl"))


@pytest.mark.parametrize(
    ("file", "hit"),
    [
        ("/dags/of_marketing.py", ["growth_etl"]),
        ("/dags/old/growth_etl.py", []),  # a copy that somebody kept
        ("/dags/growth_etl.py", []),
        ("/dags/profit_etl.py", ["profit_etl"]),  # never read before: by its name
        ("/dags/of_nobody.py", []),
    ],
)
def test_a_file_that_does_not_import_is_told_of_the_dags_in_it(
    heard: TaskLog, known_file: str, file: str, hit: list[str]
) -> None:
    """Once the broken copy of a file, in a folder beside it, woke the primary for a DAG in which nothing was wrong."""
    note_import_error(file, "Traceback …\nNameError: x\n")
    assert [dag_id for dag_id, dag in heard.read({}, RUN_AFTER).dags.items() if dag.import_error] == hit


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("ImportError: no x\n", "ImportError: no x"),
        (
            "airflow.sdk.exceptions.AirflowTaskTimeout: DagBag import timeout for /d.py: 30.0s.\n"
            "Please take a look at these docs to improve your DAG import time:\n"
            "* https://airflow.example.com/, PID: 7\n",
            "AirflowTaskTimeout: DagBag import timeout for /d.py: 30.0s.",
        ),
        ("KeyboardInterrupt\n", "KeyboardInterrupt"),
        ("  nothing that anybody knows\n", "nothing that anybody knows"),
        ("", "unknown"),
    ],
)
def test_of_an_import_error_the_error_is_told(heard: TaskLog, known_file: str, told: str, kept: str) -> None:
    """Airflow ends the one of a slow file with advice, and that with addresses."""
    note_import_error(known_file, f"Traceback …\n  File x\n    raise X\n{told}")
    assert heard.read({}, RUN_AFTER).dags["growth_etl"].import_error == (kept if told else "raise X")


@pytest.mark.parametrize(
    ("dag_id", "link"),
    [("growth_etl", "/growth_etl"), ("somebodys.dag", ""), ("x" * 250, ""), ("д" * 250, "")],
    ids=["ours", "theirs", "long", "long in bytes"],
)
def test_a_task_of_any_dag_has_its_link_or_none(dag_id: str, link: str) -> None:
    """An id of 250 letters is no file's name, and the page of somebody else's task failed on it."""
    said = RunbookLink().get_link(None, ti_key=SimpleNamespace(dag_id=dag_id))
    assert said.endswith(link)
    assert bool(said) == bool(link)


def test_the_on_call_systems_own_dags_are_known_by_their_files() -> None:
    """Each stands in the file of its name, and none is left out."""
    pipelines = {path.stem for path in (REPOSITORY / "include/runbooks").glob("*.md")}
    assert {path.stem for path in (REPOSITORY / "dags").glob("*.py")} == pipelines | {*ON_CALL_DAGS}


@pytest.mark.parametrize(
    ("set_to", "seconds"), [("45", 45), ("often", 30), ("1e400", 86_400), ("-1", 0), ("nan", 0), ("", 30)]
)
def test_no_setting_of_the_dag_processor_stops_a_look(
    monkeypatch: pytest.MonkeyPatch, set_to: str, seconds: float
) -> None:
    """How often it parses is asked at each."""
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL", set_to)
    assert dag_files._parsed_every() == dt.timedelta(seconds=seconds)


def test_an_on_call_dag_that_does_not_import_is_told_and_its_end_too(
    site: Any, airflow_auth: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow starts no run of it: a handoff was not told, and nobody heard of that. A single parse is no news."""
    monkeypatch.setattr(dag_files, "MENDED_AFTER", dt.timedelta(seconds=2))
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL", "0.5")
    wiring = Wiring()
    services = wiring.services()
    services.store.install()

    def broken_for(seconds: float) -> list[str]:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            ImportErrorListener().on_existing_dag_import_error(
                "/dags/oncall_handoff.py", "Traceback …\nNameError: x\n"
            )
            looked()
        return told()

    def looked() -> None:
        scene = Scene(services.config.roster, services.links, dt.datetime.now(dt.UTC))
        watch_dag_files(services, services.store, scene)
        time.sleep(0.3)

    def told() -> list[str]:
        send_once(wiring, services)
        return [message.text.partition(" since")[0].strip("*") for message in site.inbox.messages()]

    assert broken_for(0.1) == []
    until = time.monotonic() + 3
    while time.monotonic() < until:
        looked()
    assert told() == []
    broken, again = (
        "A DAG of the on-call system does not import",
        "The DAGs of the on-call system import again",
    )
    assert broken_for(4) == [broken]
    shown = [
        banner
        for banner in banners(PageReading(Wiring()).read(dt.datetime.now(ZONE)))
        if banner.kind == "warning"
    ]
    assert [banner.title.partition(" since")[0] for banner in shown] == [broken]
    assert shown[0].lines[-1] == "oncall_handoff: NameError: x"
    until = time.monotonic() + 3
    while time.monotonic() < until:
        looked()
    assert told() == [broken, again]
