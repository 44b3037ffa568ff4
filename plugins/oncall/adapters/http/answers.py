"""Reads a far side's answer without trusting it: a value of the wrong type counts as missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oncall.core.errors import DeliveryFailed, kept

_LONGEST = 4_000  # characters; what is read so is an id, a name, a word for an error


class AnswerTooLong(DeliveryFailed):
    """The far side's answer is longer than is read: less may be asked for."""


def record(value: object) -> Mapping[str, Any]:
    """An object; empty for anything else."""
    return value if isinstance(value, Mapping) else {}


def records(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list; empty for anything else."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def text(value: object) -> str:
    """A text that a database can keep and an address can hold, or an id written as a number; "" for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**18 else ""
    return kept(value[:_LONGEST]) if isinstance(value, str) else ""
