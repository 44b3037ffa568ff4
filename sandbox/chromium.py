"""A Chromium of this machine, to look at what people see: finds it, starts it without a window; installs nothing.

`python -m sandbox.chromium` prints its path, or nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sandbox.stack.postgres import SandboxError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
)


def find() -> str | None:
    """Its path: what ONCALL_CHROMIUM names (empty: none), or else one of the usual names."""
    named = os.environ.get("ONCALL_CHROMIUM")
    if named is not None:
        return named or None
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def started() -> Iterator[Browser]:
    """Raises SandboxError, saying what to install, when there is none."""
    path = find()
    if path is None:
        raise SandboxError(
            "there is no Chromium here; install it (Debian: apt-get install chromium) or name one: "
            "ONCALL_CHROMIUM=/path/to/chromium"
        )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


if __name__ == "__main__":
    print(find() or "")
