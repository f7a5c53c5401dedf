"""Files for browsers that all pages share: colours, controls, light and dark."""

from __future__ import annotations

import hashlib
from pathlib import Path

SHARED_FILES = Path(__file__).parent / "static"
"""The folder with them."""


def digest_of_files(*folders: Path) -> str:
    """Twelve hexadecimal digits that change with any file of the folders."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
