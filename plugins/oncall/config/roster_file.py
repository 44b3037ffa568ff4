"""`roster.yaml`: its text in, the roster and the pipelines' owners out, with every problem."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from oncall.config.people_fields import check_reachable, read_manager, read_people, read_person_id
from oncall.config.public_holidays import read_public_holidays
from oncall.config.rotation_fields import read_escalation, read_leave, read_overrides, read_rotation
from oncall.config.time_fields import read_handoff, read_zone
from oncall.config.yaml_fields import Field, Fields, Source, read_alone, read_yaml
from oncall.core.errors import Problem
from oncall.core.plain_text import JOINING
from oncall.core.rota.roster import Handoff, Person, Roster

FILE = "roster.yaml"  # at the top of `include/`, and in each folder below TEAMS
TEAMS = "teams"
DAG_ID = r"[A-Za-z0-9_.-]{1,150}"
TEAM = r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}"
_KEYS = (
    *("timezone", "handoff", "manager", "people", "rotation", "leave", "overrides", "public_holidays"),
    *("escalation", "slack", "opsgenie", "pipelines"),
)
# What says that there is none, and is taken for a name.
_NO_NAMES = ("none", "no", "nothing", "n/a", "tbd", "todo", "yes", "true", "false", "on", "off", "-", "?")
# What is wrong under these keys can make a page go astray, but does not change who is on call.
_BESIDE_THE_ROTA = ("people", "manager", "escalation", "slack", "opsgenie", "pipelines")


@dataclass(frozen=True)
class Owners:
    """The people to ask about a pipeline, and the line of the roster that names them."""

    primary: str
    secondary: str
    line: int


@dataclass(frozen=True)
class RosterFile:
    """What the file says; None is what the text cannot tell. `tz` and `handoff`, by which DAGs run, it may tell also
    where it does not tell the roster."""

    roster: Roster | None = None
    owners: Mapping[str, Owners] | None = None
    problems: tuple[Problem, ...] = ()
    tz: dt.tzinfo | None = None
    handoff: Handoff | None = None

    @property
    def rota_is_sure(self) -> bool:
        """Whether the roster tells who is on call in spite of its problems."""
        blocking = (problem for problem in self.problems if problem.key.split(".")[0] not in _BESIDE_THE_ROTA)
        return self.roster is not None and not any(blocking)


def file_of(team: str) -> str:
    """Where a team's roster stands, below the include folder; "" is the team at the top."""
    return f"{TEAMS}/{team}/{FILE}" if team else FILE


def read_roster(text: str, team: str = "") -> RosterFile:
    """Read the text of a team's roster; complains, and never raises."""
    source = Source(file_of(team))
    roster, owners = source.contain(lambda: _read(text, source, team)) or (None, None)
    if roster is not None:
        return RosterFile(roster, owners, source.problems, roster.tz, roster.handoff)
    tz, handoff = read_alone(text, "timezone", read_zone), read_alone(text, "handoff", read_handoff)
    return RosterFile(None, owners, source.problems, tz, handoff)


def _read(text: str, source: Source, team: str) -> tuple[Roster | None, dict[str, Owners] | None]:
    document = read_yaml(text, source)
    if document is None:
        return None, None
    if document.missing:
        source.complain("(file)", "nothing", f"the keys {', '.join(_KEYS)}")
        return None, None
    root = document.fields("a mapping with timezone, people, rotation …", _KEYS)
    people, entries = read_people(root["people"])
    roster = _roster(root, people, entries, team)
    return roster, _read_owners(root["pipelines"], people)


def _roster(root: Fields, people: Mapping[str, Person], entries: Fields, name: str) -> Roster | None:
    tz, handoff = read_zone(root["timezone"]), read_handoff(root["handoff"])
    zone = tz or dt.UTC  # the rest is read all the same: every problem at once
    manager = read_manager(root["manager"], people)
    rotation = read_rotation(root["rotation"], people, handoff)
    leave = read_leave(root["leave"], people, handoff, zone)
    overrides = read_overrides(root["overrides"], people, handoff, zone)
    since = rotation[0].starts.year if rotation else dt.date.min.year
    public_holidays = read_public_holidays(root["public_holidays"], since)
    escalation = read_escalation(root["escalation"])
    named = (person for entry in overrides for person in (entry.primary, entry.secondary))
    check_reachable(entries, people, rotation, manager, filter(None, named))
    slack = root["slack"].fields('a mapping such as {channel: "#de-oncall"}', ("channel", "usergroup"))
    opsgenie = root["opsgenie"].fields("a mapping such as {team: …, heartbeat: …}", ("team", "heartbeat"))
    channel = read_channel(slack["channel"], 'the Slack channel for alerts, such as "#de-oncall"')
    usergroup = _read_usergroup(slack["usergroup"])
    team = _read_name(opsgenie["team"], "the Opsgenie team, such as data-engineering")
    heartbeat = _read_heartbeat(opsgenie["heartbeat"])
    if tz is None or manager is None or not rotation:
        return None
    return Roster(
        tz=tz,
        manager=manager,
        people=people,
        rotation=rotation,
        handoff=handoff,
        leave=leave,
        overrides=overrides,
        public_holidays=public_holidays,
        escalation=escalation,
        slack_channel=channel or "",
        slack_usergroup=usergroup,
        opsgenie_team=team or "",
        opsgenie_heartbeat=heartbeat or "",
        team=name,
    )


def read_channel(field: Field, write: str) -> str | None:
    """A Slack channel: its name, as Slack lets them be, or its id."""
    channel = field.text(write)
    # A word in capitals is a name that is written so; an id nearly always has a digit, and nine letters or more.
    account = re.fullmatch(r"#?(?=.*[0-9])([CDGUW][A-Z0-9]{6,20})", channel or "", re.ASCII)
    if not channel or (account and channel[0] in "CG") or re.fullmatch(r"[CG][A-Z]{8,10}", channel):
        return channel
    if account and channel[0] == "#" and account[1][0] in "CG":
        field.complain(f"{account[1]}, a channel's id, without the #")
        return None
    if account:
        whose = "a person" if account[1][0] in "UW" else "a talk between two"
        field.complain(write, f"{channel!r}, the id of {whose}")
        return None
    # Of other alphabets Slack takes the letters; a full-width sign is one that an input method has left on.
    typed = "".join(
        plain if (plain := unicodedata.normalize("NFKC", each)).isascii() else each for each in channel
    )
    if not (1 <= len(typed.removeprefix("#")) <= 80 and all(map(_is_in_names, typed.removeprefix("#")))):
        field.complain(write, ascii(channel) if JOINING.search(channel) else None)
    elif typed != channel:
        field.complain(f"{typed.lower()}, as a keyboard types it")
    elif channel != channel.lower():
        field.complain(f"{channel.lower()}: no channel of Slack has capitals")
    else:
        return channel
    return None


def _is_in_names(letter: str) -> bool:
    """Whether a channel's name may hold it: letters with their marks, digits, dash and underscore."""
    return letter in "-_" or (unicodedata.category(letter)[0] in "LMN" and not JOINING.match(letter))


def _read_heartbeat(field: Field) -> str | None:
    """A part of the address that is pinged: what cuts or climbs there would ping nothing, or something else."""
    heartbeat = _read_name(field, "the Opsgenie heartbeat, such as investor-sla-watch")
    if heartbeat and (re.search(r"[/\\?#%]", heartbeat) or not heartbeat.strip(".")):
        field.complain("the heartbeat's name alone, such as investor-sla-watch")
        return None
    return heartbeat


def _read_name(field: Field, write: str) -> str | None:
    """What the far side calls it: it would be asked for a heartbeat named `no`, too."""
    name = field.text(write)
    if name and name.casefold() in _NO_NAMES:
        field.complain(write)
        return None
    return name


def _read_usergroup(field: Field) -> str | None:
    write = "the id of the on-call user group, such as S0DEONCALL (not its handle)"
    return None if field.missing else field.matching(r"S[A-Z0-9]+", write)


def _read_owners(field: Field, people: Mapping[str, Person]) -> dict[str, Owners] | None:
    write = "a mapping such as {profit_etl: {primary_owner: DE-001, secondary_owner: DE-002}}"
    if field.missing:
        field.complain(write)
        return None
    owners = {}
    for dag_id, entry in field.fields(write).by_name.items():
        if not re.fullmatch(DAG_ID, dag_id, re.ASCII):
            entry.complain("the id of a DAG: letters, digits, dots, dashes and underscores")
            continue
        fields = entry.fields(
            "a mapping such as {primary_owner: DE-001, secondary_owner: DE-002}",
            ("primary_owner", "secondary_owner"),
        )
        primary = read_person_id(fields["primary_owner"], people)
        secondary = read_person_id(fields["secondary_owner"], people)
        line = entry.line + entry.source.first_line
        owners[dag_id] = Owners(primary or "", secondary or "", line)
    return owners
