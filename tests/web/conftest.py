"""Airflow's auth and the page, for every test of this folder."""

from tests.web.conftest_page import admin, airflow_auth, app, client, example, manager, mounted, token, viewer

__all__ = ["admin", "airflow_auth", "app", "client", "example", "manager", "mounted", "token", "viewer"]
