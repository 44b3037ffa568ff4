"""Whether our page answers at its address and our listeners are called, beside the other plugins of this Airflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow import plugins_manager
from airflow.listeners.listener import get_listener_manager
from pluggy import PluginValidationError

from oncall.core.check_result import CheckResult

ADDRESS = "/oncall"
PLUGIN = "oncall_plugin"


def say_who_has_the_page(checked: CheckResult) -> None:
    """Airflow gives an address to the first plugin that asks for it, and no word to the others."""
    answer = [app for app in plugins_manager.get_fastapi_plugins()[0] if _answers(app)]
    ours = [app for app in answer if type(app["app"]).__module__ == PLUGIN]
    if not ours:
        checked.unasked.append(f"page {ADDRESS}: Airflow, as it is set up here, has not loaded {PLUGIN}.py")
    elif answer[0] is ours[0]:
        checked.good.append(f"page {ADDRESS}: ours")
    else:
        found = f"another plugin's app {answer[0].get('name')!r} answers there (url_prefix {answer[0]['url_prefix']!r})"
        checked.wrong(
            f"plugins/{PLUGIN}.py", ADDRESS, found, "another url_prefix in that plugin: alerts link to ours"
        )


def say_whether_listeners_are_called(checked: CheckResult) -> None:
    """One listener that is not Airflow 3's takes all others with it, and in tasks a name that two plugins have takes
    every plugin after them. Airflow notes both in its log alone.
    """
    try:
        get_listener_manager()
    except PluginValidationError as error:
        listener = error.plugin
        name = (
            getattr(listener, "__name__", None)
            or f"{type(listener).__module__}.{type(listener).__qualname__}"
        )
        found = f"Airflow refuses it, and calls no listener of any plugin: {str(error).splitlines()[-1]}"
        write = "its hooks as Airflow 3 has them: until then nobody tells of a task that is marked as failed by hand"
        checked.wrong("plugins", f"listener {name}", found, write)
    except ValueError as error:
        found = (
            f"Airflow takes one of them, and calls no listener of any plugin: {str(error).splitlines()[0]}"
        )
        write = "an instance in the place of the class, in each plugin that gives one of this name"
        checked.wrong("plugins", "listeners of one name", found, write)
    for source, words in plugins_manager.get_import_errors().items():
        if words.endswith("already registered, skipping"):
            write = "another name into it: tasks load no plugin that comes after it"
            checked.wrong("plugins", source, words.removesuffix(", skipping"), write)


def _answers(app: Mapping[str, Any]) -> bool:
    """Whether Airflow gives this app the page's address, or one above it."""
    prefix = app.get("url_prefix")
    return bool(app.get("app") and prefix and f"{ADDRESS}/".startswith(prefix.rstrip("/") + "/"))
