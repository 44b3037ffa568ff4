"""Airflow's auth and the page, for every test of this folder."""

from conftest_page import admin, airflow_auth, app, client, example, mounted, token, viewer

__all__ = ["admin", "airflow_auth", "app", "client", "example", "mounted", "token", "viewer"]
