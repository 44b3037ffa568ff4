"""The configuration in force: the files as they are, and the last good version of each that is not (rule 10).

What was good is remembered file by file, in the process and in the store, under a name that is no path: the folder
may be another one tomorrow, and its links may lead elsewhere.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from oncall.config import include_files, oncall_config
from oncall.config.oncall_config import InForce, OncallConfig, Texts
from oncall.config.yaml_fields import failure
from oncall.core.errors import ConfigError, OncallError, Problem, trace
from oncall.core.incidents.incident import Plan
from oncall.core.incidents.wording import Scene
from oncall.core.notices.channel_notices import configuration_broken, configuration_mended
from oncall.usecases import watch_record
from oncall.usecases.notes import ByHost, by_host, dumped, noted, say_once
from oncall.usecases.ports import Store

log = structlog.get_logger(__name__)

LAST_GOOD = "last_good_files"  # the name under which the store keeps them
BROKEN = "configuration_broken"  # … and by host the digest of its problems, and when it had them last
NOTE_AGAIN_S = 300.0

_NOWHERE: ByHost = {}


@dataclass
class _Known:
    """What this process knows of one folder; several threads may ask.

    `read`: what the files came to, and the stamp they had. `good`: the last good texts. `asked`: whether the store
    was asked for those of before; `noted`: those that it is known to have; `note_from`: when it is tried again.
    """

    read: tuple[str, InForce] | None = None
    good: Texts = field(default_factory=dict)
    asked: bool = False
    noted: Texts | None = None
    note_from: float = 0.0


_folders: dict[Path, _Known] = {}


def config_in_force(store: Store, include: Path | None = None) -> tuple[OncallConfig, tuple[Problem, ...]]:
    """The configuration in force, and the problems of the files on disk (in `include`; None: the folder in use).

    Raises ConfigError when no roster can be told: neither from the files nor from what is remembered anywhere.
    """
    folder, known = _known(include)
    found = _read(folder, known)
    if found.problems and not known.asked and (recalled := _recall(store)) is not None:
        known.good, known.asked, known.read = {**recalled, **known.good}, True, ("", found)
        found = _read(folder, known)
    if (
        known.noted != known.good
        and (known.asked or not found.problems)
        and time.monotonic() >= known.note_from
    ):
        _remember(store, known)
    if found.config is None:
        raise ConfigError(found.problems)
    return found.config, found.problems


def current_problems() -> tuple[Problem, ...]:
    """What is wrong with the files on disk now. Asks no store."""
    return _read(*_known()).problems


def say_configuration(store: Store, scene: Scene, problems: Sequence[Problem]) -> None:
    """A notice when the files break and when they are mended, once each. Raises Unreadable.

    Hosts may have different files: what is mended on one may be broken on another, and is told as mended when it is on
    all.
    """
    digest = hashlib.sha256("\n".join(map(str, problems)).encode()).hexdigest()[:12] if problems else ""
    when = f"{scene.at:%Y%m%d%H%M}"

    def change(text: str) -> tuple[str, Plan]:
        said = {found for found, _ in noted(BROKEN, text, by_host, _NOWHERE).values()}
        broken_on = _broken_on(text, digest, scene.at)
        plan = Plan()
        if digest and digest not in said:
            plan = Plan(owed=(configuration_broken(scene, problems, f"{digest}:{when}"),))
        elif said and not broken_on:
            plan = Plan(owed=(configuration_mended(scene, f"{min(said)}:{when}"),))
        return dumped(broken_on), plan

    say_once(store, scene, BROKEN, change)


def _broken_on(text: str, digest: str, at: dt.datetime) -> ByHost:
    """What is noted after this host has read its files: of others as they said lately."""
    others = watch_record.seen_lately(BROKEN, text, at)
    others.pop(here := watch_record.who_looks(), None)
    return {**others, here: (digest, at.replace(second=0, microsecond=0))} if digest else others


def _known(include: Path | None = None) -> tuple[Path, _Known]:
    folder = include or oncall_config.include_dir()
    return folder, _folders.setdefault(folder, _Known())


def _read(folder: Path, known: _Known) -> InForce:
    """What the files come to; read again only when one has changed or a roster begins."""
    stamp, at = include_files.stamp(folder), dt.datetime.now(dt.UTC)
    if known.read is not None and known.read[0] == stamp:
        found = known.read[1]
        if found.until is None or found.until > at:
            return found
    try:
        found = oncall_config.in_force(include_files.read_folder(folder), known.good, at)
        found = oncall_config.with_the_rest(folder, found)
    except Exception as error:  # noqa: BLE001 - whatever it is, what was in force stays
        log.error("oncall.configuration_not_read", traceback=trace(error))
        problem = Problem("include/", "(folder)", failure(error), "it as it was before")
        found = InForce(known.read[1].config if known.read else None, (problem,), known.good)
    known.read, known.good = (stamp, found), found.good
    return found


def _recall(store: Store) -> Texts | None:
    """What the store has; None when it cannot be asked."""
    try:
        found = json.loads(store.get_note(LAST_GOOD) or "{}")
    except OncallError:
        return None
    except ValueError:
        found = {}
    texts = found.items() if isinstance(found, dict) else ()
    return {name: text for name, text in texts if isinstance(text, str)}


def _remember(store: Store, known: _Known) -> None:
    good = known.good
    try:
        store.set_note(LAST_GOOD, json.dumps(dict(good), ensure_ascii=False, sort_keys=True))
        known.noted = good
    except OncallError as error:  # a database that is down takes seconds to say so: not at every look
        known.note_from = time.monotonic() + NOTE_AGAIN_S
        log.warning("oncall.trouble", reason=str(error))
