"""`make drill`: break one promise of the running stack, marked DRILL, and watch it from page to resolution.

python -m sandbox.drill                  upstream is late (about two minutes)
python -m sandbox.drill stuck            another cause; `--help` lists them
"""

from __future__ import annotations

import argparse
import logging
import sys

import httpx
import structlog

from oncall.core.errors import OncallError
from sandbox.drill.runner import play
from sandbox.drill.scenarios import SCENARIOS
from sandbox.stack.postgres import SandboxError
from sandbox.stack.stack import Stack


def main() -> None:
    causes = "\n".join(f"  {name:<15}{scenario.story}" for name, scenario in SCENARIOS.items())
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.drill",
        description=f"{__doc__}\nscenarios:\n{causes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenario", nargs="?", default="upstream-late", choices=SCENARIOS, metavar="SCENARIO")
    name = parser.parse_args().scenario
    # What the rules log belongs to the log of a component; here somebody reads along.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        play(Stack.chosen(), name, lambda line: print(line, flush=True))
    except KeyboardInterrupt:
        sys.exit("\nThe drill was broken off; its alerts are being closed.")
    except (SandboxError, OncallError) as error:
        sys.exit(f"\n{error}")
    except httpx.HTTPError as error:
        sys.exit(f"\nthe stack does not answer any more ({error}); see `make status`")


if __name__ == "__main__":
    main()
