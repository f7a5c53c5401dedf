"""Write ``.env`` for docker-compose.yaml: ``.env.example`` with fresh secrets filled in.

It needs only Python: ``python3 deploy/make_env.py``.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def fill(example: str) -> str:
    """Fill every empty variable of the example with its own secret."""
    return re.sub(
        r"^([A-Z_]+)=$",
        lambda empty: f"{empty[1]}={_secret(empty[1])}",
        example,
        flags=re.MULTILINE,
    )


def _secret(name: str) -> str:
    """Letters and digits, because passwords become part of addresses; Fernet has its own form."""
    if name.endswith("FERNET_KEY"):
        return base64.urlsafe_b64encode(os.urandom(32)).decode()
    return secrets.token_hex(24)


def main() -> None:
    """Write the file, readable by its owner only; never overwrite an existing one."""
    target = CHECKOUT / ".env"
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.exit(f"{target} exists already. Its secrets are in use, so it was not changed.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(fill((CHECKOUT / ".env.example").read_text(encoding="utf-8")))
    print(f"Wrote {target}. Log in to Airflow with the name and password in it.")


if __name__ == "__main__":
    main()
