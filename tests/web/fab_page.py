"""The page behind Airflow's FAB auth manager, in a process of its own (an auth manager is chosen once per process).

    python -m tests.web.fab_page      prints what each user's request was answered, as JSON

The database, an empty one, is that of Airflow's own settings in the environment.
"""

from __future__ import annotations

import json

USERS = {
    "viewer": ["Viewer"],
    "user": ["User"],
    "op": ["Op"],
    "admin": ["Admin"],
    "nobody": ["Nothing"],
    "growth_reader": ["Growth readers"],
    "growth_editor": ["Growth editors"],
    "stranger": ["Strangers"],
}
# Roles as a team makes them: permissions on single DAGs.
ROLES = {
    "Nothing": [("can_read", "Website")],
    "Growth readers": [("can_read", "DAG:growth_etl")],
    "Growth editors": [
        ("can_read", "DAG:growth_etl"),
        ("can_edit", "DAG:growth_etl"),
        ("can_edit", "DAG Runs"),
    ],
    "Strangers": [("can_read", "DAG:somebody_elses")],
}
GROWTH, ENGAGEMENT = "growth_etl:2026-11-22", "engagement_etl:2026-11-22"


def make_tables() -> None:
    """Airflow's own tables, and those of FAB."""
    from airflow import settings
    from airflow.models import import_all_models
    from airflow.models.base import Base

    settings.configure_orm()
    from airflow.providers.fab.auth_manager import models  # noqa: F401 - its tables
    from airflow.providers.fab.auth_manager.models import Model

    import_all_models()
    Base.metadata.create_all(settings.engine)
    Model.metadata.create_all(settings.engine)


def signed_in() -> dict[str, str]:
    """The token of each user, with their roles made."""
    from airflow.api_fastapi.app import get_auth_manager, init_auth_manager

    manager = init_auth_manager()
    from airflow.providers.fab.www.app import create_app as create_flask_app

    flask = create_flask_app(enable_plugins=False)  # as the api-server does for FAB's own pages
    flask.app_context().push()
    security = manager.security_manager  # type: ignore[attr-defined]
    security.sync_roles()
    for name, perms in ROLES.items():
        role = security.add_role(name)
        for action, resource in perms:
            security.add_permission_to_role(role, security.create_permission(action, resource))
    tokens = {}
    for name, roles in USERS.items():
        found = [security.find_role(role) for role in roles]
        user = security.add_user(name, name, name, f"{name}@example.com", found, "password")
        tokens[name] = get_auth_manager().generate_jwt(user)
    return tokens


def answered(token: str) -> dict[str, object]:
    """What the page answers whoever has this token."""
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from oncall.web.app import create_app
    from tests.web.example_page import Example, morning

    outer = FastAPI()
    outer.mount("/oncall", create_app(Example(morning())))
    client = TestClient(outer, base_url="http://airflow.test", follow_redirects=False)
    client.cookies.set("_token", token)
    ours = {"sec-fetch-site": "same-origin"}
    home, pipelines = client.get("/oncall/"), client.get("/oncall/api/pipelines")
    acts = {
        key: client.post(f"/oncall/incidents/{key}/acknowledge?dag_id=growth_etl", headers=ours)
        for key in (GROWTH, ENGAGEMENT)
    }
    badge = {"what": "badge:investor.daily_engagement"}
    return {
        "page": home.status_code,
        "static": client.get("/oncall/static/oncall.css").status_code,
        "pipelines": sorted(one["dag_id"] for one in pipelines.json()) if pipelines.is_success else None,
        "names_profit": "Profit ETL" in home.text,
        "act": {key: answer.status_code for key, answer in acts.items()},
        "link": client.post("/oncall/links?dag_id=growth_etl", data=badge, headers=ours).status_code,
    }


if __name__ == "__main__":
    make_tables()
    print(json.dumps({name: answered(token) for name, token in signed_in().items()}))
