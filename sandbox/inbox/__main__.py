"""`python -m sandbox.inbox`: serves the inbox on this machine, and only to it unless another host is named."""

from __future__ import annotations

import argparse
from pathlib import Path

import uvicorn

from sandbox.inbox.app import inbox_app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.inbox", description=__doc__)
    # 127.0.0.1 only, unless told: the controls ask nobody who they are.
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8025)
    parser.add_argument("--journal", type=Path, help="keep what is received in this file, over restarts")
    parser.add_argument(
        "--channel", action="append", default=[], help="a further Slack channel; may be repeated"
    )
    wish = parser.parse_args()
    if wish.journal is not None:
        wish.journal.parent.mkdir(parents=True, exist_ok=True)
    print(f"inbox: http://{wish.host}:{wish.port}/", flush=True)
    uvicorn.run(
        inbox_app(wish.journal, tuple(wish.channel)),
        host=wish.host,
        port=wish.port,
        http="h11",
        lifespan="off",
        log_level="warning",
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
