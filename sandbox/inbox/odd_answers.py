"""Answers that no far side should give: endless, dripping, cut, of a wrong type, or leading elsewhere."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator

from starlette.types import Receive, Send

from sandbox.inbox.faults import Fault

MEGABYTE = 1_000_000
ENDLESS_MB = 300
BEGINNING = b'{"ok": true, "result": "'


def cut_off(send: Send) -> None:
    """Close the caller's connection. ASGI has no word for it, so uvicorn's transport is used."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]


async def send_oddly(fault: Fault, receive: Receive, send: Send) -> None:
    """Answer as the fault says, until the caller has gone or the fault is cleared."""
    headers = {"content-type": "application/json"}
    if fault.kind == "redirect":
        headers["location"] = fault.location
    if fault.kind == "gzip_bomb":
        headers["content-encoding"] = "gzip"
    if fault.kind == "cut":
        headers["content-length"] = str(MEGABYTE)
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": fault.status, "headers": raw})
    left = asyncio.ensure_future(gone(receive))
    try:
        async for piece in _pieces(fault):
            if left.done() or fault.cleared.is_set():
                return cut_off(send)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if fault.kind == "cut":
            return cut_off(send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        left.cancel()


async def _pieces(fault: Fault) -> AsyncIterator[bytes]:
    if fault.kind == "answer":
        text = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
        yield text.encode()
    elif fault.kind == "garbled":
        yield BEGINNING + b'\xff\xfe\x80"'
    elif fault.kind == "drip":
        for byte in BEGINNING + b"x" * MEGABYTE:
            yield bytes([byte])
            await asyncio.sleep(fault.delay or 1.0)
    elif fault.kind == "endless":
        yield BEGINNING
        for _ in range(ENDLESS_MB):
            yield b"x" * MEGABYTE
    elif fault.kind == "gzip_bomb":
        packing = zlib.compressobj(9, zlib.DEFLATED, 31)
        yield packing.compress(BEGINNING) + packing.flush(zlib.Z_FULL_FLUSH)
        again = packing.compress(b"x" * MEGABYTE) + packing.flush(zlib.Z_FULL_FLUSH)  # may follow itself
        for _ in range(ENDLESS_MB):
            yield again
    elif fault.kind == "cut":
        yield BEGINNING


async def gone(receive: Receive) -> None:
    """Waits until the caller's connection is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
