"""Names in a data contract that are almost ones we read. The standard lets anybody add more, so a slip is no error to
it, while what was meant would silently not be checked. Knows no table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from open_data_contract_standard import model
from pydantic import BaseModel

_ALIKE = 0.8
# By the list in which they stand: the names that are read.
_READ = {
    "customProperties": (
        *("businessDay", "control", "currency", "emptyWith", "experiments"),
        *("optional", "readAlong", "readBack", "readWhenChanged", "unless"),
    ),
    "slaProperties": ("completeness", "timeOfAvailability", "volume"),
}
_FREE = {"value", "arguments", "logicalTypeOptions"}  # not the standard's names, or checked elsewhere
# Every key of the standard, at whatever place.
_KEYS = frozenset(
    field.alias or name
    for one in vars(model).values()
    if isinstance(one, type) and issubclass(one, BaseModel)
    for name, field in one.model_fields.items()
)


def misspelt(found: Any, key: str = "") -> Iterator[tuple[str, str, str]]:
    """(where, found, what was probably meant) of each such name."""
    for name, value in found.items() if isinstance(found, Mapping) else ():
        place = f"{key}.{name}".lstrip(".")
        before = str(name).partition(":")[0]  # "required:true" has no blank after its colon
        if name not in _KEYS and (meant := _meant(before, _KEYS)):
            yield place, "an unknown key", f"{meant}: … where that is meant, or another name"
        if name in _FREE:
            continue
        for nth, entry in enumerate(value if isinstance(value, list) else ()):
            said = str(entry.get("property")) if isinstance(entry, Mapping) and name in _READ else ""
            if said and said not in _READ[name] and (meant := _meant(said, _READ[name])):
                yield f"{place}[{nth}].property", said, meant
            yield from misspelt(entry, f"{place}[{nth}]")
        yield from misspelt(value, place)


def of_no_table(found: Any) -> Iterator[tuple[str, str, str]]:
    """(where, found, what to write) of each entry of `slaProperties` that is checked, and of no table of the file."""
    tables = [str(table["name"]) for table in _entries(found, "schema") if table.get("name")]
    if not tables:  # told as such
        return
    for nth, entry in enumerate(_entries(found, "slaProperties")):
        if entry.get("property") not in ("completeness", "volume"):
            continue
        for element in str(entry.get("element") or "").split(","):
            if element.strip() not in tables:
                write = _meant(element.strip(), tuple(tables)) or f"some of {', '.join(tables)}"
                yield f"slaProperties[{nth}].element", element.strip() or "nothing", write


def _entries(found: Any, key: str) -> list[Mapping[str, Any]]:
    """What a list of the document holds; nothing where it is none."""
    entries = found.get(key) if isinstance(found, Mapping) else None
    return [one for one in entries if isinstance(one, Mapping)] if isinstance(entries, list) else []


def _meant(said: str, known: Collection[str]) -> str:
    by_small = {name.lower(): name for name in known}
    near = get_close_matches(said[:100].lower(), by_small, n=1, cutoff=_ALIKE)
    return by_small[near[0]] if near else ""
