"""The page's files: how long a browser may keep them, and that Home's panel is found where the plugin says it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oncall.web.static_files import FOLDER, stamp

if TYPE_CHECKING:
    from fastapi.testclient import TestClient


def test_only_a_stamped_file_is_kept(viewer: TestClient) -> None:
    """Its address changes when it does; Airflow asks for the panel's script without a stamp."""
    assert (
        "max-age" in viewer.get(f"/oncall/static/oncall.css?{stamp('oncall.css')}").headers["cache-control"]
    )
    assert viewer.get("/oncall/static/home.js").headers["cache-control"] == "no-cache"


def test_the_panels_script_is_a_script_behind_the_same_login(client: TestClient, viewer: TestClient) -> None:
    """A browser imports it as a module only with a script's type."""
    assert viewer.get("/oncall/static/home.js").headers["content-type"].startswith("text/javascript")
    client.cookies.clear()
    assert client.get("/oncall/static/home.js").status_code == 401


def test_the_panel_leaves_its_component_under_the_plugins_name() -> None:
    """Airflow looks for it there; another name would put an error page on everybody's Home."""
    from oncall_plugin import OncallPlugin

    (panel,) = OncallPlugin.react_apps
    assert panel["destination"] == "dashboard"
    script = FOLDER / panel["bundle_url"].removeprefix("oncall/static/")
    assert f'const NAME = "{panel["name"]}"' in script.read_text(encoding="utf-8")
