"""Names in a data contract that are almost ones we read. The standard lets anybody add more, so a slip is no error to
it, while what was meant would silently not be checked. Knows no table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

_ALIKE = 0.8
# By the list in which they stand: the names that are read.
_READ = {
    "customProperties": (
        *("businessDay", "control", "currency", "emptyWith", "experiments"),
        *("optional", "readAlong", "readBack", "readWhenChanged", "unless"),
    ),
    "slaProperties": ("completeness", "timeOfAvailability", "volume"),
}


def misspelt(found: Any, key: str = "") -> Iterator[tuple[str, str, str]]:
    """(where, found, what was probably meant) of each such name."""
    for name, value in found.items() if isinstance(found, Mapping) else ():
        place = f"{key}.{name}".lstrip(".")
        for nth, entry in enumerate(value if isinstance(value, list) else ()):
            said = str(entry.get("property")) if isinstance(entry, Mapping) and name in _READ else ""
            if said and said not in _READ[name] and (meant := _meant(said, _READ[name])):
                yield f"{place}[{nth}].property", said, meant
            yield from misspelt(entry, f"{place}[{nth}]")
        yield from misspelt(value, place)


def _meant(said: str, known: tuple[str, ...]) -> str:
    by_small = {name.lower(): name for name in known}
    near = get_close_matches(said[:100].lower(), by_small, n=1, cutoff=_ALIKE)
    return by_small[near[0]] if near else ""
