"""Run as root with a target on standard input: becomes the user nobody, and tries what it can."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict

# Everything is imported before: nobody may not be able to read it.
from tests.attack import local_user
from tests.attack.ground import Target
from tests.strangers import NOBODY


def main() -> None:
    """Print what came of it, and everything that was read of processes, as JSON."""
    target = Target.of(json.load(sys.stdin))
    local_user.bring_what_is_needed(target)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    found, seen = local_user.attempts(target)
    print(json.dumps({"attempts": [asdict(each) for each in found], "seen": seen}))


if __name__ == "__main__":
    main()
