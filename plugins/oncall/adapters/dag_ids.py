"""Which DAG files define a DAG of the same id: Airflow runs whichever it has read last, and says nothing of it.

A copy kept beside the original ("profit_etl_old.py") is enough: one night runs the old one.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from airflow.utils.file import list_py_file_paths

from oncall.core.check_result import CheckResult
from oncall.core.errors import Unreadable

# By which calls a file says the id of a DAG: Airflow's class and decorator, and what our own files read it by.
DEFINES = {"DAG", "dag", "terms_of"}


def defined_twice(folder: Path, dag_ids: Collection[str]) -> dict[str, str]:
    """By id, of these, the files that define it, as words; only where there are several. Executes nothing.

    An id is seen where it is written out in the call, or stands in a constant of the module; of zip archives nothing
    is seen. What `.airflowignore` leaves out does not count. Raises Unreadable.
    """
    files: dict[str, list[str]] = defaultdict(list)
    try:
        paths = sorted(list_py_file_paths(folder))
    # A link into a folder above it, an .airflowignore in UTF-16.
    except (OSError, ValueError, RuntimeError) as error:
        raise Unreadable(f"the DAG files in {folder} cannot be listed: {error}") from error
    for path in paths:
        for dag_id in _ids(Path(path), dag_ids):
            files[dag_id].append(str(Path(path).relative_to(folder)))
    return {dag_id: " and ".join(found) for dag_id, found in files.items() if len(found) > 1}


def say_ids_given_twice(checked: CheckResult, dag_ids: Collection[str]) -> None:
    """The same for `check --connections`, of each of Airflow's bundles that is a folder of this machine."""
    from airflow.dag_processing.bundles.local import LocalDagBundle
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.exceptions import AirflowConfigException

    try:
        bundles = [*DagBundlesManager().get_all_dag_bundles()]  # type: ignore[no-untyped-call]
    except AirflowConfigException as error:
        checked.wrong(
            "[dag_processor]", "dag_bundle_config_list", str(error), "bundles that Airflow can read"
        )
        return
    for bundle in bundles:
        if isinstance(bundle, LocalDagBundle) and bundle.path.is_dir():
            _say_of(bundle.path, checked, dag_ids)
        else:
            checked.unasked.append(
                f"DAG files of the bundle {bundle.name}: this machine has no folder of them"
            )


def _say_of(folder: Path, checked: CheckResult, dag_ids: Collection[str]) -> None:
    try:
        twice = defined_twice(folder, dag_ids)
    except Unreadable as error:
        write = "what Airflow can list: its DAG processor dies of it"
        checked.wrong(str(folder), "DAG files", str(error), write)
        return
    for dag_id, found in twice.items():
        write = "one file: Airflow runs whichever it has read last (.airflowignore may name the other)"
        checked.wrong(str(folder), f"DAG {dag_id}", f"defined by {found}", write)
    if not twice:
        checked.good.append(f"DAG files in {folder}: each id in one")


def _ids(path: Path, dag_ids: Collection[str]) -> set[str]:
    with suppress(OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        text = path.read_bytes()
        if any(dag_id.encode() in text for dag_id in dag_ids):
            return {*_defined(ast.parse(text))} & {*dag_ids}
    return set()


def _defined(module: ast.Module) -> Iterator[str]:
    constants = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                called = decorator if isinstance(decorator, ast.Call) else None
                if _name(called.func if called else decorator) == "dag" and not (called and _written(called)):
                    yield node.name
        elif isinstance(node, ast.Call) and _name(node.func) in DEFINES:
            yield from _said(_written(node), constants)


def _said(written: ast.expr | None, constants: Mapping[str, ast.expr | None]) -> Iterator[str]:
    """What is written out, or one of two where a condition says which; of what is computed nothing."""
    if isinstance(written, ast.Name):
        written = constants.get(written.id)
    if isinstance(written, ast.IfExp):
        yield from (*_said(written.body, {}), *_said(written.orelse, {}))
    elif isinstance(written, ast.Constant) and isinstance(written.value, str):
        yield written.value


def _written(call: ast.Call) -> ast.expr | None:
    """The argument that says the id."""
    named = (keyword.value for keyword in call.keywords if keyword.arg == "dag_id")
    return call.args[0] if call.args else next(named, None)


def _name(function: ast.expr) -> str:
    return getattr(function, "id", "") or getattr(function, "attr", "")
