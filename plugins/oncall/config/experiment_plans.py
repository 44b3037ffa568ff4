"""The custom properties `control` and `experiments` of a table's contract → what is planned of its experiments."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from open_data_contract_standard.model import CustomProperty

from oncall.core.data.data_contract import DEFAULT_CONTROL, Experiment, ExperimentPlans

NEEDED = ("experiment", "customer_id", "variant", "assigned_at")  # the columns of a table of assignments

SMALLEST, LARGEST = 0.000001, 1_000_000  # what a share may be, so that all of them can be reckoned with

Complain = Callable[[str, object, str], None]


def read_plans(
    custom: Collection[CustomProperty], columns: Collection[str], complain: Complain
) -> ExperimentPlans | None:
    """The plans, None of a table that has none; complains with the key within the table, and never raises."""
    found = {one.property: one.value for one in custom if one.property in ("control", "experiments")}
    if not found:
        return None
    for column in NEEDED:
        if column not in columns:
            complain("customProperties", "experiments", f"them at the table that has {', '.join(NEEDED)}")
            return None
    default = _text("customProperties.control", found.get("control", DEFAULT_CONTROL), complain)
    planned = found.get("experiments") or {}
    if not isinstance(planned, Mapping):
        write = "a mapping, such as {blue_button: {control: grey, shares: {grey: 50, blue: 50}}}"
        complain("customProperties.experiments", planned, write)
        planned = {}
    return ExperimentPlans(
        default or DEFAULT_CONTROL, tuple(_experiments(planned, default or DEFAULT_CONTROL, complain))
    )


def _experiments(planned: Mapping[object, object], default: str, complain: Complain) -> Iterator[Experiment]:
    for name, told in planned.items():
        key = f"customProperties.experiments.{name}"
        text = _text(key, name, complain)
        if not isinstance(told, Mapping) or not set(told) <= {"control", "shares"}:
            complain(key, told, "control and shares, such as {control: grey, shares: {grey: 50, blue: 50}}")
            continue
        control = _text(f"{key}.control", told.get("control", default), complain)
        shares = _shares(f"{key}.shares", told.get("shares", {}), complain)
        if shares and control and control not in shares:
            complain(f"{key}.control", control, f"one of {', '.join(shares)}")
        elif text and control and shares is not None:
            yield Experiment(text, control, shares)


def _shares(key: str, told: object, complain: Complain) -> Mapping[str, float] | None:
    """The share of each variant; None when they cannot be told."""
    if not isinstance(told, Mapping):
        complain(key, told, "a number for each variant, such as {grey: 50, blue: 50}")
        return None
    shares = {}
    for variant, share in told.items():
        name = _text(f"{key}.{variant}", variant, complain)
        is_number = isinstance(share, int | float) and not isinstance(share, bool)
        if not is_number or not SMALLEST <= share <= LARGEST:
            write = f"a number above 0, to {LARGEST:,}; a variant that nobody is to be in is left out"
            complain(f"{key}.{variant}", str(share)[:30], write)
        elif name:
            shares[name] = share
    return shares if len(shares) == len(told) else None


def _text(key: str, told: object, complain: Complain) -> str:
    """A name as it stands in the table; empty when it is none."""
    if isinstance(told, str) and told and told == told.strip():
        return told
    complain(key, repr(told), "a name as upstream writes it, in quotes where it looks like a number")
    return ""
