"""What is answered when something is refused or broken: the product's own page for people, JSON for programs."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from markupsafe import Markup
from starlette.exceptions import HTTPException

from oncall.core.errors import ConfigError
from oncall.core.redaction import redacted
from oncall.web.rendering import airflow_root, render
from oncall.web.static_files import FOLDER

_POLICY = (
    "default-src 'none'; style-src 'sha256-{}'; script-src 'self'; img-src 'self'; base-uri 'none';"
    " frame-ancestors 'self'"
)


@cache
def _style() -> tuple[Markup, str]:
    """The stylesheet, and the policy that allows it within the page: whoever is refused may not fetch it."""
    css = (FOLDER / "oncall.css").read_text()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return Markup(css), _POLICY.format(digest)  # noqa: S704 - our own file


async def refused(request: Request, error: Exception) -> Response:
    """401, 403 and 404 with their status; HTML for a browser that navigates, else JSON."""
    assert isinstance(error, HTTPException)
    detail = redacted(str(error.detail))
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"detail": detail}, error.status_code, headers=error.headers)
    root = airflow_root(request)
    back = quote(str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""), safe="")
    title, text, href, link = detail, "", f"{root}/oncall/", "To the On-call page"
    if error.status_code == 401 or "JWT" in detail:
        title, text = (
            "Sign in to open this page",
            "You are not signed in to Airflow, or your session has ended. Once you are, it opens by itself.",
        )
        href, link = f"{root}/api/v2/auth/login?next={back}", "Sign in to Airflow"
    elif error.status_code == 403:
        title, text = "You may not do this", detail
    elif error.status_code == 404:
        title, text = "There is nothing here", "" if detail == "Not Found" else detail
    css, policy = _style()
    page = render(
        request, "refused.html", status=error.status_code,
        title=title, text=text, href=href, link=link, inline_css=css,
    )  # fmt: skip
    page.headers.update({"Content-Security-Policy": policy, **(error.headers or {})})
    return page


async def no_configuration(request: Request, error: Exception) -> Response:
    """The files are broken and nobody knows a good configuration: the problems are all there is to show."""
    assert isinstance(error, ConfigError)
    problems = [str(problem) for problem in error.problems]
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"detail": "The on-call files are broken", "problems": problems}, 503)
    return render(request, "broken.html", status=503, problems=problems)
