"""The documents tell the truth: their commands exist, their files are there, the layers are those of the linter."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md"), REPOSITORY / "sandbox/inbox/README.md"]
)
README = (REPOSITORY / "README.md").read_text()


def name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def commands(text: str) -> list[str]:
    """The lines of the page's shell blocks, without their comments."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.S)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def make_commands() -> set[str]:
    listed = subprocess.run(
        ["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    return set(re.findall(r"^\s*make ([a-z-]+)", listed, re.M))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_make_command_a_page_names_is_listed_by_make_help(page: Path, make_commands: set[str]) -> None:
    """Also those in running text."""
    text = page.read_text()
    said = "\n".join([*commands(text), *re.findall(r"`(make [^`]+)`", text)])
    assert set(re.findall(r"\bmake ([a-z-]+)", said)) <= make_commands


@pytest.mark.parametrize("command", [c for c in commands(README) if "-m oncall" in c])
def test_every_oncall_command_the_readme_names_runs(command: str) -> None:
    """Word for word, from the repository, with this Python."""
    words = shlex.split(command.split("python -m oncall", 1)[1])
    ran = subprocess.run(
        [sys.executable, "-m", "oncall", *words],
        cwd=REPOSITORY,
        env={"PYTHONPATH": "plugins", "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_a_page_links_to_is_there(page: Path) -> None:
    """No dead link, no missing picture; code that moved takes its mentions along."""
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if not target.startswith(("http", "mailto:")):
            assert (page.parent / target).exists(), target
    for path in re.findall(r"`((?:core|config|usecases|adapters|airflow|web|cli)/[\w./-]+\.py)`", text):
        assert (REPOSITORY / "plugins/oncall" / path).exists(), path
    for path in re.findall(r"`((?:plugins|include|dags|tests|deploy|sandbox|docs)/[\w./-]+\.\w+)`", text):
        assert (REPOSITORY / path).exists(), path


def test_every_picture_is_shown_on_a_page() -> None:
    """One that nobody is led to grows old unseen."""
    text = "".join(page.read_text() for page in PAGES)
    pictures = (REPOSITORY / "docs" / "images").iterdir()
    assert not [picture.name for picture in pictures if f"images/{picture.name}" not in text]


def test_the_readme_is_read_in_one_go() -> None:
    """What a newcomer needs in the first half hour; the rest is a link away."""
    assert len(README.splitlines()) <= 130


def test_the_glossary_is_short() -> None:
    """A private language of more words than this would be one too many."""
    text = (REPOSITORY / "docs/GLOSSARY.md").read_text()
    assert 15 <= text.count("**") / 2 <= 25
    for row in re.findall(r"^\| \*\*.*$", text, re.M):
        _, _, where, elsewhere = row.strip("| ").split(" | ")
        assert re.fullmatch(r"\[[\w.]+\]\(\.\./plugins/[\w./]+\)", where), row
        assert elsewhere.count("·") == 2, "what Opsgenie, PagerDuty and Airflow call it"


def test_the_picture_of_the_layers_is_the_linters() -> None:
    """docs/ARCHITECTURE.md draws what pyproject.toml says, top to bottom."""
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    drawn = (REPOSITORY / "docs/ARCHITECTURE.md").read_text().split("```")[1]
    names = [re.split(r"\s{2,}", line)[0] for line in drawn.strip().splitlines()]
    assert names == contracts[0]["layers"]


# What somebody who knows other on-call systems types into a file finder, and the file that they mean.
FOUND_BY = {
    "roster": "include/roster.yaml",
    "rotation": "plugins/oncall/core/rota/rotation.py",
    "holiday": "plugins/oncall/config/public_holidays.py",
    "override": "plugins/oncall/cli/leave_swap_override.py",
    "leave": "plugins/oncall/cli/leave_swap_override.py",
    "credit": "plugins/oncall/core/rota/credit_ledger.py",
    "handoff": "plugins/oncall/core/notices/handoff_note.py",
    "on_call": "plugins/oncall/core/rota/on_call.py",
    "swap": "plugins/oncall/cli/leave_swap_override.py",
    "evaluation": "plugins/oncall/core/promises/evaluation.py",
    "resolve": "plugins/oncall/core/incidents/resolve.py",
    "watcher": "plugins/oncall/airflow/watcher.py",
    "metrics": "plugins/oncall/usecases/metrics.py",
    "escalation": "plugins/oncall/core/incidents/escalation.py",
    "acknowledge": "plugins/oncall/usecases/acknowledge.py",
    "incident": "plugins/oncall/core/incidents/incident.py",
    "alert": "plugins/oncall/adapters/opsgenie/alert.py",
    "outbox": "plugins/oncall/usecases/outbox.py",
    "delivery": "plugins/oncall/usecases/pager_delivery.py",
    "retry": "plugins/oncall/usecases/retry_and_rate_limit.py",
    "heartbeat": "plugins/oncall/usecases/heartbeat.py",
    "sla": "dags/sla_watch.py",
    "schedule": "plugins/oncall/airflow/schedules.py",
    "timeline": "plugins/oncall/web/views/timeline.py",
    "jsm": "docs/OPSGENIE_TO_JSM.md",
    "runbook": "plugins/oncall/core/runbook.py",
    "promise": "plugins/oncall/core/promises/promise.py",
    "deadline": "plugins/oncall/airflow/deadline.py",
    "sensor": "plugins/pipelines/upstream_freshness_sensor.py",
    "freshness": "plugins/pipelines/upstream_freshness_sensor.py",
    "proxy": "plugins/oncall/adapters/http/proxy_and_certificates.py",
    "certificate": "plugins/oncall/adapters/http/proxy_and_certificates.py",
    "rate_limit": "plugins/oncall/usecases/retry_and_rate_limit.py",
    "contract": "include/contracts/master.odcs.yaml",
    "publication": "plugins/pipelines/publication.py",
    "restatement": "plugins/oncall/core/data/restatement.py",
    "drill": "dags/oncall_drill.py",
    "calendar": "plugins/oncall/web/views/calendar_feed.py",
}


@pytest.mark.parametrize("word", FOUND_BY)
def test_a_standard_word_finds_its_file(word: str) -> None:
    """The words of the field are the names of the files."""
    path = REPOSITORY / FOUND_BY[word]
    assert path.exists()
    assert word in str(path.relative_to(REPOSITORY)).lower()
