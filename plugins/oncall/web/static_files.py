"""The stylesheet, the script and the icons, behind the same auth as everything else."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse

FOLDER = Path(__file__).with_name("static")
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

router = APIRouter()


@router.get("/static/{name}")
def file(request: Request, name: str) -> FileResponse:
    """One file of the folder, by its plain name. Only under an address with a stamp may a browser keep it."""
    path = FOLDER / name
    if path.parent != FOLDER or path.suffix not in TYPES or not path.is_file():
        raise HTTPException(404, "No such file")
    kept = "private, max-age=86400" if request.url.query else "no-cache"
    return FileResponse(path, media_type=TYPES[path.suffix], headers={"Cache-Control": kept})


@cache
def stamp(name: str) -> str:
    """Changes when the file does, so that a browser's copy may live long."""
    return hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:10]
