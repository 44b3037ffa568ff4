"""The production shape as files: complete, without a secret, and of one Airflow version. Booting it needs docker."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
COMPOSE_TEXT = (ROOT / "docker-compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = YAML(typ="safe").load(COMPOSE_TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
LONG_RUNNING = sorted(set(SERVICES) - {"init", "past", "master-data"})
AIRFLOW_SERVICES = ("init", "api-server", "scheduler", "dag-processor", "triggerer", "worker")


def secrets() -> set[str]:
    """The variables without which the compose file does not start."""
    return set(re.findall(r"\$\{(\w+):\?", COMPOSE_TEXT))


def test_every_variable_of_the_compose_file_is_explained() -> None:
    """`.env.example` lists each variable, after a comment."""
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", COMPOSE_TEXT))
    used |= set(re.findall(r"^\s+([A-Z_]+):\s*(?:#.*)?$", COMPOSE_TEXT, re.MULTILINE))  # passed on when set
    listed = set(re.findall(r"^(?:# )?([A-Z_]+)=", example, re.MULTILINE))
    assert used == listed


def test_nothing_secret_stands_in_the_compose_file() -> None:
    """Whatever is named like a secret comes from the environment, and its absence is an error."""
    assert {
        "POSTGRES_PASSWORD",
        "AIRFLOW_DB_PASSWORD",
        "ONCALL_DB_PASSWORD",
        "WAREHOUSE_DB_PASSWORD",
        "REDIS_PASSWORD",
        "AIRFLOW_FERNET_KEY",
        "AIRFLOW_JWT_SECRET",
        "AIRFLOW_API_SECRET_KEY",
        "AIRFLOW_ADMIN_PASSWORD",
        "OPSGENIE_CONNECTION",
        "SLACK_CONNECTION",
    } == secrets()
    for name, service in SERVICES.items():
        for variable, value in (service.get("environment") or {}).items():
            if re.search("PASSWORD|SECRET|KEY|CONN|URL|AUTH$|BACKEND", variable) and "@" in str(value):
                assert ":?" in str(value), f"{name}: {variable}"


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_a_service_that_runs_is_watched_and_comes_back(name: str) -> None:
    """Each has a health check with a timeout, and a restart policy."""
    check = SERVICES[name]["healthcheck"]
    assert check["timeout"]
    assert SERVICES[name]["restart"] == "unless-stopped"
    if "celery --app" in str(check["test"]):
        assert int(check["timeout"].rstrip("s")) >= 20, "a whole Airflow start on busy cores"


def test_the_sandbox_is_asked_for() -> None:
    """Made-up data and the inbox run in no production."""
    sandbox = {name for name, service in SERVICES.items() if service.get("profiles") == ["sandbox"]}
    assert sandbox == {"inbox", "past", "master-data"}
    for name in set(SERVICES) - sandbox:
        for dependency, wish in SERVICES[name].get("depends_on", {}).items():
            assert dependency not in sandbox or wish["required"] is False


@pytest.mark.parametrize("name", SERVICES)
def test_only_what_must_be_writable_is_writable(name: str) -> None:
    """No container can change its image; what is kept is in a volume, and Airflow's is for logs."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert "no-new-privileges:true" in service["security_opt"]
    mounted = [each.split(":") for each in service.get("volumes", [])]
    volumes = {source: target for source, target, *options in mounted if options != ["ro"]}
    if name in AIRFLOW_SERVICES:
        assert volumes == {"logs": "/opt/airflow/logs"}
        assert service["cap_drop"] == ["ALL"]
    else:
        assert set(volumes) <= set(COMPOSE["volumes"]) - {"logs"}


def test_any_number_of_schedulers_triggerers_and_workers_can_run() -> None:
    """Nothing that only one container can have: no fixed name, no port of the host."""
    for name in ("scheduler", "dag-processor", "triggerer", "worker"):
        assert not {"container_name", "ports", "hostname"} & SERVICES[name].keys()


# What each component cannot do without, by the words in the names of its variables, and in those of `.env`, under
# whatever name it is handed on. Nothing else of it is given to it.
SECRETS = {
    "database": r"DATABASE__|FERNET|AIRFLOW_DB_PASSWORD",  # runs, users, connections: whoever has it can do everything
    "jwt": "JWT",  # makes tokens of anybody
    "logs": "API__?SECRET_KEY",
    "redis": "CELERY__(BROKER|RESULT)|REDIS_PASSWORD",
    "oncall_db": "CONN_ONCALL|ONCALL_DB_PASSWORD",
    "warehouse": "CONN_WAREHOUSE|WAREHOUSE_(CONNECTION|DB_PASSWORD)",
    "far sides": "CONN_(OPSGENIE|SLACK)|(OPSGENIE|SLACK)_CONNECTION",
    "login": "ADMIN_PASSWORD",
}
NEEDS = {
    "init": {"database", "warehouse", "login"},
    "api-server": {"database", "jwt", "logs", "oncall_db", "warehouse", "far sides"},
    "scheduler": {"database", "jwt", "redis", "oncall_db"},
    "dag-processor": {"database", "oncall_db"},
    "triggerer": {"database", "logs", "oncall_db", "warehouse", "far sides"},
    "worker": {"logs", "redis", "oncall_db", "warehouse", "far sides"},
}


@pytest.mark.parametrize("name", AIRFLOW_SERVICES)
def test_each_component_has_the_secrets_that_it_needs_and_no_other(name: str) -> None:
    """A worker runs everybody's code: it has neither Airflow's database, nor its keys, nor what signs tokens."""
    told = str({key: value for key, value in SERVICES[name].items() if key != "depends_on"})
    assert {secret for secret, words in SECRETS.items() if re.search(words, told)} == NEEDS[name]
    assert not {"env_file", "secrets"} & SERVICES[name].keys(), "all of .env at once"


@pytest.mark.parametrize("name", ["api-server", "triggerer", "worker"])
def test_whoever_calls_the_far_sides_is_told_the_way_out(name: str) -> None:
    """The proxy and the CA come from .env, unset when it does not set them: an empty name would trust nobody."""
    service = SERVICES[name]
    for variable in ("HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        assert service["environment"][variable] is None, "passed on as it is"
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    (folder,) = set(re.findall(r"^# (?:SSL_CERT_FILE|REQUESTS_CA_BUNDLE)=(.+)/[^/]+$", example, re.MULTILINE))
    mounted = dict(each.split(":")[1::-1] for each in service["volumes"] if each.endswith(":ro"))
    assert (ROOT / mounted[folder]).is_dir()


def test_the_stack_speaks_to_itself_without_a_proxy() -> None:
    """HTTPS_PROXY is not asked on the way to plain http: every address within the stack is of that kind."""
    assert re.findall(r"https://\S+", COMPOSE_TEXT) == []
    assert not {"HTTP_PROXY", "ALL_PROXY"} & {
        name for one in SERVICES.values() for name in one.get("environment") or ()
    }


def test_whoever_shares_a_secret_has_the_same_one() -> None:
    """One JWT secret, one Fernet key, one image, or tasks cannot speak to the api-server."""
    told: dict[str, set[str]] = {}
    for name in AIRFLOW_SERVICES:
        assert SERVICES[name]["image"] == SERVICES["scheduler"]["image"]
        for variable, value in SERVICES[name]["environment"].items():
            told.setdefault(variable, set()).add(str(value))
    assert {variable for variable, values in told.items() if len(values) > 1} == set()


def test_the_simple_auth_manager_stays_on_laptops() -> None:
    """Airflow's default keeps passwords in plain text: production names another one."""
    manager = SERVICES["api-server"]["environment"]["AIRFLOW__CORE__AUTH_MANAGER"]
    assert not manager.endswith("SimpleAuthManager")


def test_the_image_has_the_locked_airflow() -> None:
    """The base image's version is the lock's."""
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    based_on = re.search(r"^FROM apache/airflow:([\d.]+)-python", dockerfile, re.MULTILINE)
    locked = re.search(r"^apache-airflow==([\d.]+)", lock, re.MULTILINE)
    assert based_on is not None
    assert locked is not None
    assert based_on[1] == locked[1]


def test_both_locks_agree() -> None:
    """A laptop runs the versions that production runs."""

    def versions(name: str) -> set[str]:
        return set(re.findall(r"^[\w.-]+==\S+", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))

    assert versions("requirements.lock") <= versions("requirements-dev.lock")


def test_what_is_used_from_the_inside_is_asked_for_by_name() -> None:
    """The private parts of a package change with any version: one that only another package needs is anybody's."""
    asked = re.findall(r"^[\w.-]+", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    used = {
        package
        for file in (ROOT / "plugins").rglob("*.py")
        for package in re.findall(
            r"^ *(?:from|import) (\w+)[\w.]*\._", file.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert used - {"airflow"} <= set(asked)
    assert "httpcore" in used


def test_the_workflow_runs_what_ci_runs() -> None:
    """On Linux and macOS, the one script that a laptop can run too; it has no rights but to read."""
    workflow = YAML(typ="safe").load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["run"]
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    systems = {each["os"].split("-")[0] for each in job["strategy"]["matrix"]["include"]}
    assert systems == {"ubuntu", "macos"}
    assert workflow["permissions"] == {"contents": "read"}


def test_what_is_installed_is_what_was_locked() -> None:
    """Every package has its hashes, and whoever installs asks for them."""
    for name in ("requirements.lock", "requirements-dev.lock"):
        packages = re.split(r"^(?=[\w.-]+==)", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert len(packages) > 100
        assert [one.splitlines()[0] for one in packages if one.strip() and "--hash=sha256:" not in one] == []
    for name in ("Dockerfile", "sandbox/install.sh"):
        lines = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        installing = [line for line in lines if re.search(r"pip (install|sync)", line) and "lock" in line]
        assert installing
        assert [line for line in installing if "--require-hashes" not in line] == []


def test_what_the_installation_tells_is_no_part_of_an_answer(tmp_path: Path) -> None:
    """A shell runs what `make -s env` answers, and the first command after a new lock installs."""
    (tmp_path / "sandbox").mkdir()
    for name, text in (
        ("Makefile", (ROOT / "Makefile").read_text(encoding="utf-8")),
        ("requirements-dev.lock", ""),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    install = tmp_path / "sandbox/install.sh"
    install.write_text(
        "#!/bin/sh\necho '  7s  installed'\nmkdir -p .venv/bin\ntouch .venv/installed.lock\n"
        "printf '#!/bin/sh\\necho export A=1\\n' > .venv/bin/python\nchmod +x .venv/bin/python\n",
        encoding="utf-8",
    )
    install.chmod(0o755)
    done = subprocess.run(["make", "-s", "env"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "export A=1\n"
    assert "installed" in done.stderr


def test_images_and_actions_are_named_exactly() -> None:
    """A digest, or a version that is not moved: whoever builds next month builds the same."""
    exact = re.compile(r"@sha256:[0-9a-f]{64}$|@[0-9a-f]{40}$|[:@]v?\d+\.\d+(\.\d+)?[\w.-]*$")
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    named = [name for name in re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE) if name != "production"]
    named += [
        each["image"]
        for each in SERVICES.values()
        if "AIRFLOW_IMAGE" not in each.get("image", "AIRFLOW_IMAGE")
    ]
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        named += re.findall(r"uses: (\S+)", path.read_text(encoding="utf-8"))
        named += [
            f":{version}" for version in re.findall(r"--version (\S+)", path.read_text(encoding="utf-8"))
        ]
    assert len(named) >= 5
    assert [name for name in named if not exact.search(name)] == []


def test_the_locked_versions_are_audited() -> None:
    """Both locks, each week, without rights."""
    audit = YAML(typ="safe").load((ROOT / ".github/workflows/audit.yml").read_text(encoding="utf-8"))
    job = audit["jobs"]["locked-versions"]
    assert set(job["strategy"]["matrix"]["lock"]) == {"requirements.lock", "requirements-dev.lock"}
    assert "pip-audit" in job["steps"][-1]["run"]
    assert audit["permissions"] == {"contents": "read"}
