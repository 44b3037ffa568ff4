"""`include/contracts/` → the contracts of the upstream tables, and what of them and of the runbooks does not fit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from oncall.config import include_files
from oncall.config.runbooks_together import base_of
from oncall.core.data.data_contract import DEFAULT_CURRENCY, DataContracts, TableContract
from oncall.core.errors import ConfigError, Problem
from oncall.core.promises.promise import Pipeline

FOLDER = include_files.CONTRACTS
MOST_BYTES = 200_000  # they take longer to read than a roster
REPOSITORY = Path(__file__).resolve().parents[3] / "include" / FOLDER


def contracts_dir(folder: Path) -> Path:
    """`contracts/` of an include folder when it has one, otherwise of this repository's include/."""
    own = folder / FOLDER
    return own if own.is_dir() else REPOSITORY


def load_data_contracts(folder: Path) -> DataContracts:
    """The contracts of an include folder; read again when a file has changed. Raises ConfigError with every problem."""
    contracts, problems = read(contracts_dir(folder))
    if problems:
        raise ConfigError(problems)
    return contracts


def read(folder: Path) -> tuple[DataContracts, tuple[Problem, ...]]:
    """The contracts of a folder as far as they can be read, and every problem of its files."""
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    for path in include_files.inside(folder):
        name = include_files.shown(f"{FOLDER}/{path.name}")
        if path.suffix in (".yaml", ".yml") and not path.name.startswith("."):
            try:
                texts[name] = include_files.text_of(folder, path.name, MOST_BYTES)
            except include_files.Unusable as error:
                problems.append(Problem(name, "(file)", error.found, error.write))
    contracts, found = _read(tuple(texts.items()))
    problems += found
    problems += _references(contracts.tables) if not problems else []
    return contracts, tuple(problems)


@lru_cache(maxsize=8)
def _read(texts: tuple[tuple[str, str], ...]) -> tuple[DataContracts, tuple[Problem, ...]]:
    # The standard's models take a second to import: not with every parse of a DAG file.
    from oncall.config.data_contract_file import read_data_contracts

    tables: dict[str, TableContract] = {}
    currencies: dict[str, str] = {}
    problems: list[Problem] = []
    for name, text in texts:
        found, currency, wrong = read_data_contracts(name, text)
        problems += wrong
        first = next(iter(currencies.values()), currency)
        if currency != first:
            write = f"{first}, as in {next(iter(currencies))}: two currencies are never added"
            problems.append(Problem(name, "customProperties.currency", currency, write))
        currencies[name] = currency
        for contract in found:
            if contract.table in tables:
                problems.append(
                    Problem(name, "schema", f"{contract.table} again", "one contract for each table")
                )
            if contract.plans and any(one.plans for one in tables.values()):
                problems.append(
                    Problem(name, contract.table, "experiments again", "the experiments at one table")
                )
            tables.setdefault(contract.table, contract)
    currency = next(iter(currencies.values()), DEFAULT_CURRENCY)
    return DataContracts(tables, currency), tuple(problems)


def _references(tables: Mapping[str, TableContract]) -> Iterator[Problem]:
    """References to tables and columns that no contract knows, and days that cannot be told."""
    for contract in tables.values():
        for reference in contract.references:
            target = tables.get(reference.target)
            known = target.by_name if target else {}
            missing = [column for column in reference.target_columns if column not in known]
            if missing:
                found = f"{reference.target}.{missing[0]}, which no contract has"
                yield Problem(FOLDER, contract.table, found, "a table and column of a contract")
        for name in contract.empty_with or ():
            if name not in tables:
                yield Problem(FOLDER, contract.table, f"emptyWith: {name}", "a table that has a contract")
        day = contract.by_name.get(contract.business_day or "")
        if day and day.type not in ("date", "timestamp"):
            parents = [one.target for one in contract.references if one.columns == (day.name,)]
            parent = tables.get(parents[0]) if parents else None
            parent_day = parent.by_name.get(parent.business_day or "") if parent else None
            if parent_day is None or parent_day.type not in ("date", "timestamp"):
                write = "a date or timestamp, or a reference to a table that has one"
                yield Problem(FOLDER, contract.table, f"businessDay: {day.name}", write)


def check_data_contracts(folder: Path, pipelines: Mapping[str, Pipeline]) -> list[Problem]:
    """Every problem of the folder's contracts, and every head of a runbook that contradicts them."""
    if not (folder / FOLDER).is_dir() or include_files.closed(folder / FOLDER):
        return []
    contracts, problems = read(contracts_dir(folder))
    found = list(problems)
    if problems:
        return found
    for dag_id, pipeline in pipelines.items():
        for table in pipeline.upstream:
            contract = contracts.tables.get(table)
            place = f"runbooks/{dag_id}.md"
            if contract is None:
                if table.startswith("master."):
                    write = f"a table that has a contract in {FOLDER}/, or its contract"
                    found.append(Problem(place, "upstream", table, write))
                continue
            ours, theirs = pipeline.upstream_owner, (contract.owner, contract.channel)
            if ours.team and ours.slack and (ours.team, ours.slack) != theirs:
                write = f'{{team: {theirs[0]}, slack: "{theirs[1]}"}}, as the contract of {table} says'
                found.append(Problem(place, "upstream_owner", f"{ours.team}, {ours.slack}", write))
                break
    return found


def check_sql(folder: Path, pipelines: Mapping[str, Pipeline]) -> Iterator[Problem]:
    """Upstream tables and base models that a pipeline's SQL computes from and no run waits for: what comes late would
    be left out, and the report published without it."""
    by_base = {base_of(dag_id): pipeline for dag_id, pipeline in pipelines.items()}
    for dag_id, pipeline in pipelines.items():
        waits = _waited_for(pipeline, by_base)
        for file in _computing(folder, dag_id):
            with suppress(include_files.Unusable):  # told elsewhere
                text = re.sub(r"--.*|(?s:/\*.*?\*/)", "", include_files.text_of(folder, file))
                models = _named("base", text) & {*by_base}
                for table in sorted((tables_read(text) | models) - waits):
                    write = f"{table} too, so that a run waits for it"
                    yield Problem(
                        f"runbooks/{dag_id}.md", "upstream", f"no {table}, which {file} reads", write
                    )
                    waits.add(table)


def _computing(folder: Path, dag_id: str) -> Iterator[str]:
    """The SQL that computes its report: its own and its kind's, as `pipelines/sql_files.py` has it."""
    for own in dict.fromkeys((dag_id, dag_id.rpartition("_")[2])):
        for path in include_files.inside(folder / include_files.SQL / own):
            if re.fullmatch(r"1[0-8]_.*\.sql", path.name):
                yield f"{include_files.SQL}/{own}/{path.name}"


def _waited_for(pipeline: Pipeline, by_base: Mapping[str, Pipeline]) -> set[str]:
    """Its upstream, its own base model, and what the base models that it starts after have waited for."""
    waits = {base_of(pipeline.dag_id)}
    left = [*pipeline.upstream]
    while left:
        table = left.pop()
        if table not in waits and table in by_base:
            left += by_base[table].upstream
        waits.add(table)
    return waits


@lru_cache(maxsize=32)
def tables_read(sql: str) -> frozenset[str]:
    """The upstream tables that a text of SQL reads."""
    return frozenset(_named("master", sql) - {"master.loads"})


def _named(schema: str, sql: str) -> set[str]:
    """The tables of a schema in a text of SQL, in which a name may stand in capitals and in quotes."""
    plain = sql.lower().replace('"', "")
    return {f"{schema}.{name}" for name in re.findall(rf"\b{schema}\.(\w+)", plain)}
