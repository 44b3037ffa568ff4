"""The one file Airflow scans: hands the on-call system's parts to Airflow and does nothing by itself."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from airflow.plugins_manager import AirflowPlugin

# Airflow runs each file of plugins/, whoever wrote it, under its bare name: a neighbour's `pipelines.py` takes the
# place of our package of that name.
for ours in ("oncall", "pipelines"):
    if not hasattr(sys.modules.get(ours), "__path__"):
        sys.modules.pop(ours, None)
OURS = {ours: import_module(ours) for ours in ("oncall", "pipelines")}

from oncall.airflow.airflow_state import ImportErrorListener
from oncall.airflow.deadline import PromiseDue
from oncall.airflow.manual_state_listener import ManualStateListener
from oncall.airflow.operator_links import RunbookLink


class LazyApp:
    """The page's ASGI app, built at its first request: only the api-server pays for FastAPI and its security."""

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._app is None:
            from oncall.airflow.page_source import PageSource
            from oncall.web.app import create_app
            from pipelines.report_desk import WarehouseDesk

            self._app = create_app(PageSource(WarehouseDesk()))
        await self._app(scope, receive, send)


class OncallPlugin(AirflowPlugin):
    # Of two plugins of one name Airflow drops one with no more than a line in the log: no other is called so.
    name = "investor_oncall"
    fastapi_apps = [{"app": LazyApp(), "url_prefix": "/oncall", "name": "On-call"}]
    external_views = [
        {
            "name": "On-call",
            "href": "oncall/",
            "destination": "nav",
            "category": None,
            "url_route": "oncall",
            "icon": "oncall/static/icon.svg",
            "icon_dark_mode": "oncall/static/icon-dark.svg",
        },
        {
            "name": "Runbook",
            "href": "oncall/runbooks/{DAG_ID}?embedded=1",
            "destination": "dag",
            "url_route": "runbook",
            "icon": "oncall/static/runbook.svg",
            "icon_dark_mode": "oncall/static/runbook-dark.svg",
        },
    ]
    react_apps = [
        {
            "name": "On-call panel",  # the script leaves its component under this name
            "bundle_url": "oncall/static/home.js",
            "destination": "dashboard",
            "url_route": "oncall-panel",
        }
    ]
    global_operator_extra_links = [RunbookLink()]
    deadline_references = [PromiseDue]
    listeners = [ImportErrorListener(), ManualStateListener()]

    @classmethod
    def on_load(cls, *_: Any, **__: Any) -> None:
        """Called when all files have run: a neighbour's that came after this one has lost our names again."""
        sys.modules.update(OURS)
