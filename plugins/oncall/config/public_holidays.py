"""Public holidays by date: those of a country, from the `holidays` package, and the company's own."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import holidays
from holidays.registry import EntityLoader

from oncall.config.yaml_fields import Field

YEARS = 30


@dataclass(frozen=True)
class PublicHolidays(Mapping[dt.date, str]):
    """{date: name} from the year `since` on, for 30 years.

    A country's year is worked out when one of its dates is asked for: lunar calendars take their time.
    """

    since: int
    country: str | None = None
    subdivision: str | None = None
    extra: tuple[tuple[dt.date, str], ...] = ()

    @cached_property
    def _own(self) -> dict[dt.date, str]:
        return dict(self.extra)

    @cached_property
    def _country(self) -> holidays.HolidayBase | dict[dt.date, str]:
        if self.country is None:
            return {}
        languages = holidays.country_holidays(self.country, subdiv=self.subdivision).supported_languages
        language = "en_US" if "en_US" in languages else None
        return holidays.country_holidays(self.country, subdiv=self.subdivision, language=language)

    def __getitem__(self, day: dt.date) -> str:
        if not self.since <= day.year < self.since + YEARS:
            raise KeyError(day)
        name = self._own.get(day) or self._of_country(day)
        if name is None:
            raise KeyError(day)
        return name

    def _of_country(self, day: dt.date) -> str | None:
        try:
            return self._country.get(day)
        except Exception:  # noqa: BLE001 - a calendar that ends has no holidays more; who is on call goes on
            return None

    def __iter__(self) -> Iterator[dt.date]:
        day = dt.date(self.since, 1, 1)
        while day.year < self.since + YEARS:
            if day in self:
                yield day
            day += dt.timedelta(days=1)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __hash__(self) -> int:
        return hash((self.since, self.country, self.subdivision, self.extra))


def read_public_holidays(field: Field, since: int) -> PublicHolidays:
    """`{country: VN, subdivision: …, extra: [{date: …, name: …}]}`; every part may be left out."""
    fields = field.fields("a mapping such as {country: VN}", ("country", "subdivision", "extra"))
    country, subdivision = _read_country(fields["country"], fields["subdivision"])
    extra = []
    for entry in fields["extra"].items("a list such as [{date: 2026-12-31, name: Company day}]"):
        parts = entry.fields("a mapping such as {date: 2026-12-31, name: Company day}", ("date", "name"))
        day, name = parts["date"].date(), parts["name"].text("the name of the day")
        if day and name:
            extra.append((day, name))
    return PublicHolidays(since, country, subdivision, tuple(sorted(extra)))


def _read_country(country: Field, subdivision: Field) -> tuple[str | None, str | None]:
    code = country.optional_text("an ISO 3166 country code such as VN")
    part = subdivision.optional_text("a subdivision code such as BY")
    if code is None:
        if part is not None:
            country.complain("the country of the subdivision, such as DE")
        return None, None
    if not re.fullmatch("[A-Z]{2}", code) or code not in EntityLoader.get_country_codes():
        country.complain("an ISO 3166 country code such as VN, DE or US")
        return None, None
    # Asked of this country alone: the package's list of all would load the other 250, in every DAG file's parse.
    known = getattr(holidays, code).subdivisions if part is not None else ()
    if part is not None and part not in known:
        subdivision.complain(f"one of {', '.join(known)}" if known else f"no subdivision: {code} has none")
        return code, None
    return code, part
