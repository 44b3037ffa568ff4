"""Templates and what every one of them is given. Knows HTML; decides nothing."""

from __future__ import annotations

import datetime as dt
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from oncall import __version__
from oncall.core.data import report_words
from oncall.core.incidents import incident_words
from oncall.core.incidents.wording import Links
from oncall.core.notices import page_words
from oncall.core.promises import words
from oncall.core.redaction import redacted
from oncall.core.rota import shift_words, week_words
from oncall.core.rota.shift_words import named, to_ask
from oncall.core.time_format import TimeFormat, day, days, span, weekday
from oncall.web import external_links
from oncall.web.snapshot import PageSnapshot
from oncall.web.static_files import stamp

PREFIX = "/oncall"


def addresses(request: Request) -> Links:
    """Links on the host that was asked: within a browser nothing else is sure to lead back here."""
    return Links(airflow_root(request))


def airflow_root(request: Request) -> str:
    """Airflow's path before `/oncall`, without a slash at its end ("" in most installations)."""
    return str(request.scope.get("root_path", "")).rstrip("/").removesuffix(PREFIX)


def render(
    request: Request,
    template: str,
    *,
    status: int = 200,
    seen: PageSnapshot | None = None,
    inline_css: str = "",
    **given: Any,
) -> HTMLResponse:
    """A page of what was seen: in its team's zone, and with its team's name in every address that leads on."""
    root = airflow_root(request)
    say = seen.say if seen else None
    text = (
        _templates()
        .get_template(template)
        .render(
            root=f"{root}{PREFIX}",
            airflow=f"{root}/",
            embedded="embedded" in request.query_params,
            say=say,
            teams=seen.teams if seen else {},
            team=seen.config.roster.team if seen else "",
            kept=kept(seen) if seen else "",
            who=lambda person: named(seen.config.roster, person) if seen else person,
            to_ask=lambda person: to_ask(seen.config.roster, person, seen.at) if seen else person,
            time=lambda at, shown=None: _time(say, at, shown),
            css=stamp("oncall.css"),
            inline_css=inline_css,
            js=stamp("oncall.js"),
            **given,
        )
    )
    return HTMLResponse(text, status_code=status)


def kept(seen: PageSnapshot) -> str:
    """What an address needs so that the next page is this team's too ("" for the one that is shown unasked)."""
    team = seen.config.roster.team
    return f"?team={quote(team)}" if team != next(iter(seen.teams), team) else ""


def _time(say: TimeFormat | None, at: dt.datetime | None, shown: str | None = None) -> Markup:
    """A <time> element: the words for people, the instant for machines, the whole date when pointed at."""
    if at is None or say is None:
        return Markup("–")
    return Markup('<time datetime="{}" title="{} {}">{}</time>').format(
        at.isoformat(), say.moment(at), say.zone, shown if shown is not None else say.clock(at)
    )


def _breakable(text: str) -> Markup:
    """An e-mail address that may be broken where its parts meet, and nowhere else while there is room."""
    return Markup("<wbr>").join(part for part in re.split(r"(?<=[.\-_])|(?=@)", text) if part)


def _finalized(value: Any) -> Any:
    """What looks like a secret is shown nowhere; markup is our own and holds what has passed here."""
    return redacted(value) if type(value) is str else value


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,  # whatever a template shows passes here
    )
    environment.filters.update(day=day, weekday=weekday, span=span, breakable=_breakable)
    environment.globals.update(day_range=days, slack=external_links.slack, version=__version__)
    # No template puts a sentence together: these do, from facts.
    environment.globals.update(
        incident_words=incident_words, page_words=page_words, promise_words=words, report_words=report_words,
        rota_words=week_words, shift_words=shift_words,
    )  # fmt: skip
    return environment
