"""The person at the keyboard, for the audit."""

from __future__ import annotations

import os
import pwd


def actor() -> str:
    """The person's login name; under sudo, the name of the person who called sudo."""
    user = os.getuid()
    try:
        if user == 0 and "SUDO_UID" in os.environ:
            user = int(os.environ["SUDO_UID"])
        return pwd.getpwuid(user).pw_name
    except (KeyError, ValueError):
        return f"user {user}"  # containers have users without a name
