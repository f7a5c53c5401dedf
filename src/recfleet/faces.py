"""Faces of rooms that import a name when it is first asked for.

Code that needs one name of a large room does not wait for the imports of all names. The face lists
its names as imports for the type checker, below ``if TYPE_CHECKING``, and this module finds them
there.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path


def import_on_demand(package: str, file: str) -> Callable[[str], object]:
    """The ``__getattr__`` of a face.

    Args:
        package: the face's ``__name__``.
        file: its ``__file__``.
    """
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    homes = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and node.module
        and node.module.startswith(f"{package}.")
        for alias in node.names
    }

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    return find
