"""`python -m oncall`."""

from __future__ import annotations

import io
import os
import sys

from oncall.cli.main import main

if __name__ == "__main__":
    # A command tells what went wrong: a line of the log beside it says the same in other words.
    os.environ.setdefault("AIRFLOW__LOGGING__NAMESPACE_LEVELS", "oncall=ERROR")
    # As `airflow connections` does: without it Airflow does not ask its own database, where its form keeps connections.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # whoever started it has closed them: a daemon, `>&-`
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that has no "–" is told something in its place
            stream.reconfigure(errors="backslashreplace")
    try:
        code = main()
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0 if isinstance(error, BrokenPipeError) else 1  # whoever reads has read enough, as `head` does
        if code:
            print(f"oncall: the answer cannot be written: {error.strerror}", file=sys.stderr)
    sys.exit(code)
