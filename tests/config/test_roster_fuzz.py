"""Whatever is in a file: reading ends soon with problems and nothing else, and what it accepts can be used for ever."""

from __future__ import annotations

import datetime as dt
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from oncall.config import oncall_config
from oncall.config.include_files import IncludeFiles
from oncall.config.roster_file import read_roster
from oncall.config.runbook_file import read_runbook
from oncall.core.errors import ConfigError
from oncall.core.rota.credit_ledger import ledger
from oncall.core.rota.on_call import next_handoff, rota, who_is_on_call
from oncall.core.rota.roster import Roster
from tests.exploring import examples
from tests.include_folder import HEAD, ROSTER, RUNBOOK, write_include

SHIPPED = Path(__file__).resolve().parents[2] / "include"
ROSTERS = [ROSTER, (SHIPPED / "roster.yaml").read_text()]
RUNBOOKS = [RUNBOOK, (SHIPPED / "runbooks/profit_etl.md").read_text()]
LONG = 6.0  # seconds of this process, with room for a slow machine: what it guards against took 16 and more
ONE_OVERRIDE = "{from: 2026-03-02, until: 2026-03-03, primary: ANN}"
AT = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)

JUNK = [
    *(
        "",
        " ",
        "null",
        "~",
        "[]",
        "{}",
        "[[]]",
        "- ",
        "? ",
        ": ",
        "&a ",
        "*a",
        "!!python/object:os.system x",
        "<<: *a",
    ),
    *(
        "yes",
        "0",
        "-1",
        "1e999",
        ".nan",
        ".inf",
        "0x10",
        "9" * 400,
        "12:60",
        "24:00",
        "9999-12-31",
        "0001-01-01",
    ),
    *(
        "20261130",
        "2026-W49-1",
        "2026-W49",
        "2026-02-30",
        "1969-12-31",
        "9990-12-31",
        "9991-01-01",
        "2026-11-30T25:00",
    ),
    *(
        "2026-11-30T00:00+99:00",
        "9990-12-31T23:59:59.999999-23:59",
        "1970-01-01T00:00+14:00",
        "0m",
        "99999999999999h",
    ),
    *(
        "719h59m",
        "720h",
        "Asia",
        "+99:00",
        "+14:00",
        "-14:59",
        "../etc/passwd",
        "/etc/passwd",
        "Mars/Olympus",
        "UTC",
    ),
    *(
        "Europe/Berlin",
        "America/St_Johns",
        "Pacific/Apia",
        "localtime",
        "a\nb",
        '"a\\nb"',
        '"\\0"',
        '"\\ud800"',
        "#",
        "'",
    ),
    *(
        "\x00",
        "\x85",
        "\u2028",
        "\ufeff",
        "\t",
        "é" * 70,
        "x" * 10_000,
        "@x",
        "`",
        "%",
        "---",
        "...",
        "| \n x",
        ">-\n x",
    ),
    *(
        "ANN",
        "[ANN, BEN]",
        "primary",
        "VN",
        "DE",
        "XX",
        "'*/0 * * * *'",
        "'0 2 31 2 *'",
        "'0 0-999999999999 * * *'",
    ),
    *(
        "R 2 * * *",
        "0 2 * * 1-5",
        "master.orders",
        "shop.orders",
        "base.profit",
        "sunday",
        "06:30",
        "2025-12-28",
    ),
]


def used(roster: Roster, at: dt.datetime) -> None:
    """Everything that is ever asked of a roster, at one instant."""
    shift = who_is_on_call(roster, at)
    assert shift.start <= at < shift.end
    assert (shift.primary is None) == (at < roster.starts)
    assert next_handoff(roster, at) > at
    week = rota(roster, at, at + dt.timedelta(weeks=3))
    assert week[0].start == at
    assert all(a.end == b.start for a, b in pairwise(week))
    assert roster.public_holidays.get(at.date()) != ""
    if at.year < 2040:
        ledger(roster, at)
    assert [step.page for step in roster.escalation]


@st.composite
def spoilt(draw: st.DrawFn, texts: list[str]) -> str:
    """A good text with a few stretches of it taken out, doubled or replaced by junk."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(1, 4))):
        words = [0, *(n for n, sign in enumerate(text) if sign in ' \n,:[]{}"#'), len(text)]
        start = draw(st.sampled_from(words))
        end = min(len(text), start + draw(st.sampled_from([0, 1, 2, 5, 12, 40, 400])))
        put = draw(st.one_of(st.sampled_from(JUNK), st.text(max_size=5), st.just(text[start:end] * 2)))
        text = text[:start] + draw(st.sampled_from(["", " "])) + put + text[end:]
    return text


instants = st.integers(86_400, 253_086_400_000).map(
    lambda at: dt.datetime.fromtimestamp(at, dt.UTC)
)  # 1970 to 9989
several = settings(max_examples=examples(80), deadline=None, suppress_health_check=list(HealthCheck))


@several
@given(spoilt(ROSTERS), st.lists(instants, min_size=1, max_size=2))
def test_a_spoilt_roster_is_told_or_can_be_used(text: str, moments: list[dt.datetime]) -> None:
    """Reading raises nothing; a roster that is accepted answers at any instant."""
    began = time.process_time()
    read = read_roster(text)
    assert time.process_time() - began < LONG
    assert len(read.problems) <= 101
    assert read.problems or read.roster
    if read.roster is not None:
        for at in (AT, *moments):
            used(read.roster, at)


scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(JUNK),
    st.dates(),
)
structures = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(["person", "from", "until", "starts", "ANN"]), scalars), inner,
                        max_size=4),
    ),
    max_leaves=8,
)  # fmt: skip
KEYS = ["timezone", "handoff", "manager", "people", "rotation", "leave", "overrides", "public_holidays", "escalation",
        "slack", "opsgenie", "pipelines"]  # fmt: skip


@several
@given(st.sampled_from(KEYS), structures, instants)
def test_anything_under_any_key_of_a_roster_is_told_or_can_be_used(
    key: str, value: Any, at: dt.datetime
) -> None:
    """Lists for mappings, numbers for names, dates for both."""
    from io import StringIO

    yaml = YAML(typ="safe", pure=True)
    document = yaml.load(ROSTER)
    document[key] = value
    out = StringIO()
    try:
        yaml.dump(document, out)
    except Exception:  # noqa: BLE001 - what cannot be written is no file
        return
    read = read_roster(out.getvalue())
    assert len(read.problems) <= 101
    if read.roster is not None:
        used(read.roster, at)


@several
@given(spoilt(RUNBOOKS))
def test_a_spoilt_runbook_is_told_or_a_pipeline(text: str) -> None:
    """Reading raises nothing, and ends soon."""
    began = time.process_time()
    read = read_runbook("sales_etl", text)
    assert time.process_time() - began < LONG
    assert len(read.problems) <= 101
    assert read.problems or read.pipeline


@several
@given(spoilt(ROSTERS[:1]), spoilt(RUNBOOKS[:1]), st.booleans())
def test_what_was_good_stays_in_force_whatever_comes(roster: str, runbook: str, known: bool) -> None:
    """Somebody is on call and the promise is watched, when it was once; at first too, as far as it can be told."""
    good = {"roster.yaml": ROSTER, "runbooks/sales_etl.md": RUNBOOK}
    spoilt_files = IncludeFiles({"roster.yaml": roster, "runbooks/sales_etl.md": runbook})
    found = oncall_config.in_force(spoilt_files, good if known else {}, AT)
    if known:
        assert found.config is not None
        assert "sales_etl" in found.config.pipelines
        assert who_is_on_call(found.config.roster, AT).primary
        assert set(found.good) == set(good)
    assert found.problems or found.config


@pytest.mark.parametrize(
    "text",
    [
        "[" * 400_000,
        "- " * 400_000,
        "{a: " * 3_000,
        "\n".join(f"{' ' * n}a:" for n in range(1_300)),
        "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(f"b{n}: &b{n} [{','.join(['*a'] * 9)}]" for n in range(99)),
        "&a [" + ", ".join(["*a"] * 9) + "]",
        ROSTER.replace("overrides:\n", f"overrides:\n  - &l {ONE_OVERRIDE}\n" + "  - *l\n" * 1000),
        ROSTER.replace("leave:\n", "leave:\n" + "  - {person: ANN, from: 2026-11-02, until: 2026-11-29}\n" * 100_000),
        ROSTER.replace("people:\n", "people:\n" + "".join(f"  P{n}: {{name: {n}}}\n" for n in range(12_000))),
        ROSTER.replace("[ANN, BEN], ", "[ANN, BEN], " * 10_000),
        ROSTER.replace("ANN", "A" * 100_000),
        RUNBOOK.replace("## Stuck", "## " + " " * 200_000 + "x"),
        RUNBOOK.replace("## Stuck", "##" + "\t#" * 100_000),
        RUNBOOK.replace("## Stuck", "## Stuk\n" * 50_000),
        RUNBOOK.replace("## Stuck", "`" * 500_000),
        "---\n" * 200_000,
        "---" + " " * 500_000 + "\n---" + "\t" * 400_000,
        RUNBOOK.replace('"0 2 * * *"', '"0 0-999999999999 * * *"'),
        RUNBOOK.replace('"0 2 * * *"', '"' + ",".join(["0-59"] * 200) + ' 2 * * *"'),
        RUNBOOK.replace("[master.orders", "[" + "master.orderz, " * 20_000 + "master.orders"),
    ],
    ids=range(20),
)  # fmt: skip
def test_reading_ends_soon(text: str) -> None:
    """Nesting, aliases, lists, names and headings without measure; a hundred problems at most."""
    for read in (read_roster, lambda text: read_runbook("sales_etl", text)):
        began = time.process_time()
        found = read(text)
        assert time.process_time() - began < LONG
        assert 0 < len(found.problems) <= 101


def test_many_leaves_at_one_time_are_soon_resolved() -> None:
    """Four thousand people's worth of leave in one week: the watcher asks at every look."""
    entries = "".join(
        f'  - {{person: ANN, from: "2026-11-23 09:{n // 60 % 60:02d}:{n % 60:02d}", until: 2026-11-24}}\n'
        for n in range(3_500)
    )
    read = read_roster(ROSTER.replace("leave:\n", f"leave:\n{entries}"))
    assert read.problems == ()
    began = time.process_time()
    assert read.roster is not None
    used(read.roster, AT)
    assert time.process_time() - began < LONG


def test_a_leave_for_ever_can_be_asked_about(tmp_path: Path) -> None:
    """From 1970 until 9990: whoever is asked about next year answers soon."""
    text = ROSTER.replace("from: 2026-01-12, until: 2026-01-18", "from: 1970-01-01, until: 9990-12-31")
    roster = oncall_config.load(write_include(tmp_path / "include", text)).roster
    began = time.process_time()
    used(roster, AT + dt.timedelta(days=365))
    assert time.process_time() - began < LONG
    with pytest.raises(ConfigError):
        oncall_config.load(write_include(tmp_path / "later", text.replace("9990", "9999")))


def test_a_head_with_windows_line_ends_is_the_same(tmp_path: Path) -> None:
    """And with a byte-order mark before it."""
    folder = write_include(tmp_path / "include")
    for name, text in (("roster.yaml", ROSTER), ("runbooks/sales_etl.md", RUNBOOK)):
        (folder / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert HEAD
    assert (
        oncall_config.load(folder).pipelines
        == oncall_config.load(write_include(tmp_path / "plain")).pipelines
    )
