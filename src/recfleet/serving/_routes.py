"""Which operation a path and a method name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from recfleet.serving._problems import ProblemError

_Handler = TypeVar("_Handler")

Table = Mapping[str, Mapping[str, tuple[str, _Handler]]]
"""Path, in which an asterisk is any part -> method -> operation, and who answers."""


class Routes(Generic[_Handler]):
    """The addresses of a service."""

    def __init__(self, table: Table[_Handler]) -> None:
        """Sort the paths by their number of parts."""
        self.table = table
        self._paths: dict[
            int, list[tuple[list[tuple[int, str]], list[int], dict[str, tuple[str, _Handler]]]]
        ] = {}
        for path, methods in table.items():
            parts = path.split("/")
            fixed = [(place, part) for place, part in enumerate(parts) if part != "*"]
            # What differs between paths stands behind what they share.
            fixed.reverse()
            free = [place for place, part in enumerate(parts) if part == "*"]
            allowed = dict(methods)
            if "GET" in allowed:
                allowed["HEAD"] = allowed["GET"]
            self._paths.setdefault(len(parts), []).append((fixed, free, allowed))

    def find(self, method: str, parts: Sequence[str]) -> tuple[str, _Handler, list[str]]:
        """The operation, who answers, and what stands in the path for its asterisks.

        Raises:
            ProblemError: there is no such path, or it has no such method.
        """
        for fixed, free, methods in self._paths.get(len(parts), ()):
            for place, part in fixed:
                if parts[place] != part:
                    break
            else:
                found = methods.get(method)
                if found is None:
                    raise _no_such_method(methods)
                return *found, [parts[place] for place in free]
        raise ProblemError(
            404, "No such address", "GET /openapi.json has every address of this service."
        )


def _no_such_method(methods: Mapping[str, object]) -> ProblemError:
    allowed = ", ".join(name for name in methods if name != "HEAD")
    return ProblemError(
        405, "No such method", f"This address has {allowed}.", headers={"Allow": allowed}
    )
