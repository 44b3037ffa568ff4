"""Whether a DAG's file is gone can be told of the bundle that the asking task was read from, and of no other."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from oncall.airflow.airflow_state import _gone


@pytest.mark.parametrize(
    ("bundle", "version", "file", "gone"),
    [
        ("reports", "v1", "there.py", False),
        ("reports", "v1", "was_there.py", True),
        ("reports", "v1", None, False),
        ("reports", "v1", "pack.zip/in_there.py", False),
        ("reports", "v1", "was_there.zip/in_there.py", True),
        ("reports", "v2", "is_new.py", False),
        ("another", "v1", "was_there.py", False),
        (None, None, "was_there.py", False),
    ],
)
def test_a_file_is_gone_only_where_it_can_be_seen(
    tmp_path: Path, bundle: str | None, version: str | None, file: str | None, gone: bool
) -> None:
    """The folder of `[core] dags_folder` may exist and hold none of the DAGs: it is not asked."""
    (tmp_path / "there.py").touch()
    (tmp_path / "pack.zip").touch()
    ti = SimpleNamespace(bundle_instance=SimpleNamespace(name="reports", version="v1", path=tmp_path))
    assert (
        _gone(SimpleNamespace(bundle_name=bundle, bundle_version=version, relative_fileloc=file), ti) is gone
    )


def test_without_a_bundle_nothing_is_gone(tmp_path: Path) -> None:
    """A bundle whose folder is not here, and a task that has none."""
    dag = SimpleNamespace(bundle_name="reports", bundle_version=None, relative_fileloc="a.py")
    nowhere = SimpleNamespace(
        bundle_instance=SimpleNamespace(name="reports", version=None, path=tmp_path / "nowhere")
    )
    assert not _gone(dag, nowhere)
    assert not _gone(dag, SimpleNamespace())


def test_a_file_that_a_later_commit_took_away_is_gone(tmp_path: Path) -> None:
    """Airflow goes on naming the version from which it read the DAG last: the history tells which came first."""

    def git(*words: str) -> str:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false")
        ran = subprocess.run(
            ["git", *who, "-C", tmp_path, *words], check=True, capture_output=True, text=True
        )
        return ran.stdout.strip()

    def commit(name: str) -> str:
        git("add", "-A")
        git("commit", "-q", "--allow-empty", "-m", name)
        return git("rev-parse", "HEAD")

    git("init", "-q")
    (tmp_path / "profit_etl.py").touch()
    first = commit("there")
    (tmp_path / "profit_etl.py").unlink()
    taken_away = commit("taken away")

    def gone(version: str | None, mine: str | None, **more: object) -> bool:
        dag = SimpleNamespace(bundle_name="reports", bundle_version=version, relative_fileloc="profit_etl.py")
        at = {"bare_repo_path": tmp_path / ".git", **more}
        bundle = SimpleNamespace(name="reports", version=mine, path=tmp_path, **at)
        return _gone(dag, SimpleNamespace(bundle_instance=bundle))

    assert gone(first, taken_away)
    assert gone(taken_away, taken_away)
    # The DAG was read from a later version than this task, from one that nobody knows, or of a bundle without history.
    assert not gone(taken_away, first)
    assert not gone("f" * 40, taken_away)
    assert not gone(first, None)
    assert not gone("--help", taken_away)
    assert not gone(first, taken_away, bare_repo_path=tmp_path / "nowhere")
    assert not gone(first, taken_away, bare_repo_path=None)
    (tmp_path / "profit_etl.py").touch()
    assert not gone(first, taken_away)
