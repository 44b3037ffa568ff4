"""What is answered when something is refused or broken: a page for people, JSON for programs."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from markupsafe import escape
from starlette.exceptions import HTTPException

from oncall.core.errors import ConfigError
from oncall.core.redaction import redacted
from oncall.web.rendering import airflow_root, render

# Whoever is refused may not fetch the stylesheet either, so this page carries its own few lines.
STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 Inter,system-ui,sans-serif;max-width:32rem;margin:18vh auto;"
    "padding:0 1rem}a{font-weight:600}"
)
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; frame-ancestors 'self'"
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>On-call</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head>
<body><h1>{title}</h1><p>{text}</p><p><a href="{href}">{link}</a></p></body></html>"""


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
            "Sign in to see who is on call",
            "You are not signed in to Airflow, or your session has ended.",
        )
        href, link = f"{root}/api/v2/auth/login?next={back}", "Sign in to Airflow"
    elif error.status_code == 403:
        title, text = "You may not do this", detail
    elif error.status_code == 404:
        title, text = "There is nothing here", "" if detail == "Not Found" else detail
    page = PAGE.format(style=STYLE, title=escape(title), text=escape(text), href=href, link=link)
    return HTMLResponse(
        page, error.status_code, headers={"Content-Security-Policy": POLICY, **(error.headers or {})}
    )


async def no_configuration(request: Request, error: Exception) -> Response:
    """The files are broken and nobody knows a good configuration: the problems are all there is to show."""
    assert isinstance(error, ConfigError)
    problems = [str(problem) for problem in error.problems]
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"detail": "The on-call files are broken", "problems": problems}, 503)
    return render(request, "broken.html", status=503, problems=problems)
