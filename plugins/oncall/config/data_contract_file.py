"""A file of the Open Data Contract Standard: its text in, the contracts of its tables out, with every problem."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from open_data_contract_standard.model import (
    OpenDataContractStandard,
    SchemaObject,
)
from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from oncall.config.contract_spelling import misspelt, of_no_table
from oncall.config.contract_table import NAME, ContractFile, TableReader, text_of
from oncall.config.yaml_fields import Source, read_yaml
from oncall.core.data.data_contract import (
    CURRENCY,
    DEFAULT_CURRENCY,
    TableContract,
)
from oncall.core.errors import Problem
from oncall.core.plain_text import UNSPEAKABLE, shortened

_STANDARD = "what the Open Data Contract Standard v3.1 asks for"
_WANTED = {  # by what pydantic calls the error
    "string": "a text in quotes",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "list": "a list",
    "dict": "a mapping",
    "model": "a mapping",
}
_CURRENCY = re.compile(r"[A-Z]{3}")


def read_data_contracts(name: str, text: str) -> tuple[tuple[TableContract, ...], str, tuple[Problem, ...]]:
    """The contracts of a file's tables, their currency, and what is wrong with it; complains, and never raises.

    References are not followed: the tables that they name may be in another file.
    """
    file = ContractFile(name)
    document = _document(file, text)
    currency = _currency(file, document) if document else DEFAULT_CURRENCY
    tables = tuple(_tables(file, document, currency)) if document else ()
    return tables, currency, tuple(file.problems)


def _document(file: ContractFile, text: str) -> OpenDataContractStandard | None:
    source = Source(file.name)
    if read_yaml(text, source) is None:  # no YAML, or nested or long beyond all measure
        file.problems.extend(source.problems)
        return None
    try:
        loaded = YAML(typ="safe", pure=True).load(text)
        if not isinstance(loaded, dict):
            file.complain("(file)", "no mapping", "a data contract: apiVersion, kind, id, schema, …")
            return None
        unspeakable = [key for key, text in _texts(loaded) if UNSPEAKABLE.search(text)]
        for key in unspeakable:
            file.complain(key, "a control character, or one that nobody sees", "plain text")
        for problem in (*misspelt(loaded), *of_no_table(loaded)):
            file.complain(*problem)
        return None if unspeakable else OpenDataContractStandard(**loaded)
    except ValidationError as error:
        for one in error.errors():
            key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in one["loc"])
            file.complain(key.lstrip("."), *_of_the_standard(one["type"], one["input"]))
    except MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        said = (error.problem or "no YAML").removeprefix("found ")
        write = "YAML that parses"
        if twice := re.match(r'duplicate key "(.*?)" with value', said, re.DOTALL):
            said, write = f"{shortened(twice[1])} again", "each key once"
        file.complain("(file)", f"{said}{line}", write)
    except (YAMLError, ValueError, TypeError, RecursionError) as error:
        file.complain("(file)", str(error).splitlines()[0], _STANDARD)
    return None


def _of_the_standard(kind: str, found: Any) -> tuple[str, str]:
    """What is found and what to write where the standard's models want something else."""
    if kind == "extra_forbidden":
        return (
            "an unknown key",
            "a key of the Open Data Contract Standard v3.1, or this one under customProperties",
        )
    shapes: dict[type, str] = {dict: "a mapping", list: "a list", type(None): "nothing"}
    said = shapes.get(type(found)) or repr(found)
    if kind == "missing":
        said = "nothing"
    write = next((words for of, words in _WANTED.items() if kind.startswith(of)), None)
    return said, f"{write}, as the standard wants it" if write else _STANDARD


def _texts(found: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text of the document, names of keys too, with where it stands."""
    if isinstance(found, str):
        yield key or "(file)", found
    elif isinstance(found, Mapping):
        for name, value in found.items():
            yield from _texts(str(name), key)
            yield from _texts(value, f"{key}.{name}".lstrip("."))
    elif isinstance(found, list):
        for at, value in enumerate(found):
            yield from _texts(value, f"{key}[{at}]")


def _currency(file: ContractFile, document: OpenDataContractStandard) -> str:
    """`customProperties: [{property: currency, value: USD}]`."""
    for custom in document.customProperties or []:
        if custom.property == CURRENCY:
            if _CURRENCY.fullmatch(text_of(custom)):
                return text_of(custom)
            write = f"the code of one currency (ISO 4217), such as {DEFAULT_CURRENCY}"
            file.complain(f"customProperties.{CURRENCY}", repr(custom.value), write)
    return DEFAULT_CURRENCY


def _tables(file: ContractFile, document: OpenDataContractStandard, currency: str) -> Iterator[TableContract]:
    if not document.schema_:
        file.complain("schema", "nothing", "the tables, each with name and properties")
    schema = next((one.schema_ for one in document.servers or [] if one.schema_), None)
    if schema is None or not NAME.fullmatch(schema):
        file.complain(
            "servers", repr(schema), "a server with the schema of the tables, such as `schema: master`"
        )
        return
    team = getattr(document.team, "name", None)
    channel = next((one.channel for one in document.support or [] if one.channel), None)
    if not team:
        file.complain("team.name", "nothing", "the team that owns the tables")
    if not channel:
        file.complain("support", "nothing", 'the owner\'s channel, such as [{channel: "#team", tool: slack}]')
    for place, table in enumerate(document.schema_ or []):
        reader = TableReader(file, f"schema[{place}]", schema, table)
        volume = _share(file, document, table, "volume")
        completeness = _share(file, document, table, "completeness")
        contract = reader.read(volume, completeness, team or "", channel or "", currency)
        if contract is not None:
            yield contract


def _share(
    file: ContractFile, document: OpenDataContractStandard, table: SchemaObject, name: str
) -> float | None:
    """`{property: volume, value: 75, unit: percent, element: orders}` as 0.75; None: nothing is said."""
    for place, sla in enumerate(document.slaProperties or []):
        elements = [element.strip() for element in (sla.element or "").split(",")]
        if sla.property != name or table.name not in elements:
            continue
        value = sla.value
        # 0.75 of a hundred is what somebody writes who means 75.
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and (value == 0 or 1 <= value <= 100)
        ):
            return value / 100
        file.complain(f"slaProperties[{place}].value", value, "a percentage from 1 to 100, or 0")
    return None
