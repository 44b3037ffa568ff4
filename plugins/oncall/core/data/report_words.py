"""What is said of a published report and its days: held, released, late, restated, not drawn. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

from oncall.core.data.expectation import amount_words
from oncall.core.promises.facts import IF_TRUE
from oncall.core.time_format import span, weekday

MOST_KEYS = 10  # of the rows that break a contract
KEYS_LISTED = 1000  # how many are asked for
MOST_PARTS = 5  # of those of a day that are not as usual


_ODD = re.compile(r"^(\w+?)_(?:come_once|are_not_those_of_the_day_before|are_in_one_unit|stay)$")


def number_name(column: str) -> str:
    if "." in column:
        return f"the load of {column}"
    return _ODD.sub(r"odd_\1", column).replace("_", " ")


def parts_usual(measure: str, parts: Sequence[tuple[str, float, bool]]) -> str:
    """What is usual of parts: (part, bound, whether it is the lower one)."""
    said = [f"{part} at {'least' if low else 'most'} {amount_words(bound)}" for part, bound, low in parts]
    return f"{number_name(measure)} as on the days before{': ' * bool(said)}{_some(said)}"


def parts_found(parts: Sequence[tuple[str, float]]) -> str:
    """What was found of parts: (part, how much)."""
    return _some([f"{part} {amount_words(found)}" for part, found in parts]) or "the same parts"


def _some(said: Sequence[str]) -> str:
    more = f" and {len(said) - MOST_PARTS} more" if len(said) > MOST_PARTS else ""
    return ", ".join(said[:MOST_PARTS]) + more


def if_true(report: str, report_date: dt.date) -> str:
    return f"{IF_TRUE}python -m oncall release {report} {report_date} --note TEXT"


def cannot_be_read(what: str, error: object) -> str:
    return f"{what} cannot be read now: {error}"


def held(*, published: bool) -> str:
    stands = "It stays as it was published." if published else "It is not published."
    return f"{stands} A run of it has found:"


def held_by(checks: Sequence[str]) -> str:
    return f"held by {', '.join(checks)}"


def published_late(late_s: float) -> str:
    return f"late: {span(late_s)}"


def restated(count: int) -> str:
    return f"{count or 'no'} number{'s' * (count > 1)} restated"


def stale(why: str) -> str:
    return f"stale: {why}"


def run_stale_again(days: int) -> str:
    """`days`: of all reports together, each by its day."""
    count = "1 day is" if days == 1 else f"{days} days of all reports are"
    return f"{count} to be run again, oldest first: python -m oncall stale --rerun, or the DAG oncall_rerun_stale."


def released(column: str, by: str, note: str, when: str = "") -> str:
    """ "Net profit was released by DE-001, Mon 23 Nov 06:10: a real sale". `when`: left out where "" is given."""
    name = number_name(column)
    return f"{name[:1].upper()}{name[1:]} was released by {by}{when and ', '}{when}: {note}"


def breaking_rows(table: str, rule: str, keys: Sequence[str]) -> str:
    """Which rows upstream break a rule of a contract, MOST_KEYS of them by their keys."""
    if not keys:
        return f"{table}, {rule}: no row at all"
    more, beyond = len(keys) - MOST_KEYS, " or more" if len(keys) >= KEYS_LISTED else ""
    others = f" and {more}{beyond} other{'s' * (more != 1)}" if more > 0 else ""
    return f"{table}, {rule}: {'; '.join(keys[:MOST_KEYS])}{others}"


def breaches_command(report_date: dt.date, report: str) -> str:
    return f"python -m oncall breaches {report_date} --report {report}"


def release_says(columns: Sequence[str], *, others_too: bool) -> str:
    """What a person says who releases these unusual numbers. `others_too`: other checks hold the report as well."""
    *others, last = map(number_name, columns)
    names, are = (f"{', '.join(others)} and {last}", "are") if others else (last, "is")
    rest = (
        " It releases no row that breaks a contract, and no sum that does not add up." if others_too else ""
    )
    return f"You say that {names} {are} true. Your name and note are kept with it, and its next run publishes.{rest}"


def thin_release_says(tables: Sequence[str]) -> str:
    """What a person says who releases the partial loads of these tables."""
    *others, last = tables
    loads = f"loads of {', '.join(others)} and {last} are" if others else f"load of {last} is"
    return (
        f"You say that the {loads} all there is. Your name and note are kept with it. The run that waits goes on,"
        " and its numbers are looked at all the same."
    )


def older_held(count: int) -> str:
    days = "day is" if count == 1 else "days are"
    return f"{count} older {days} held too; the table of the last section names them."


def sample_ratio(report_date: dt.date, p: str, *, planned: bool) -> str:
    fits = "fits" if planned else "does not fit"
    said = (
        f"{weekday(report_date)}: the split {fits} the planned shares (p {p}, valid however often one looks)."
    )
    return said if planned else f"{said} The difference means nothing until somebody knows why."


def no_table(report: str, dag_id: str) -> str:
    return (
        f"There is no table {report} with a report_date and numbers in the warehouse yet."
        f" The first run of {dag_id} makes it."
    )


def first_charts(shown: int, variants: int) -> str:
    return f"These are the first {shown} charts; CSV and JSON have all {variants} variants."


def chart_for_each(variants: int) -> str:
    return f"It has a chart for each variant of an experiment ({variants})."


def chart_label(title: str, first: str, last: str) -> str:
    """The name of a chart, for people who hear the page read aloud."""
    return f"{title}, {first} to {last}. The table behind it has the same numbers."


WAITING_GOES_ON = "A run that waits for this load goes on by itself."


def publishes_next(dag_id: str, report_date: dt.date) -> str:
    """What a terminal says after a release."""
    conf = f'{{\\"report_date\\": \\"{report_date}\\"}}'
    return f'Its next run publishes. To run it now: airflow dags trigger {dag_id} --conf "{conf}"'


def currency_taken(currency: str) -> str:
    """What it means that a table has no column for its currency."""
    return f"so its money is taken to be in {currency}"


def not_released(error: object) -> str:
    return f"Nothing was released: {error}."


def not_drawn(count: int) -> str:
    if count == 1:
        return "1 published number is not drawn: not a number, endless, or too large. The table has it."
    return (
        f"{count} published numbers are not drawn: not a number, endless, or too large. The table has them."
    )


def older_restatements(count: int) -> str:
    """What stands below the list of restated days. `count`: how many it leaves out."""
    older = f"{count} older one{'s' * (count != 1)}, and each" if count else "Each"
    return f"{older} number by channel or variant:"
