"""`python -m oncall`."""

from __future__ import annotations

import sys

from oncall.cli import main

if __name__ == "__main__":
    sys.exit(main())
