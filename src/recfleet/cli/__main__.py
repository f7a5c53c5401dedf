"""The command line as ``python -m recfleet.cli``."""

from __future__ import annotations

from recfleet.cli import main

if __name__ == "__main__":
    main()
