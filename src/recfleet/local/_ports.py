"""Ports on loopback."""

from __future__ import annotations

import errno
import socket

from recfleet.errors import ConfigurationError

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_taken(port: int) -> bool:
    """Whether a process listens on a port, on loopback or on all addresses.

    Raises:
        ConfigurationError: this user may not listen there.
    """
    with socket.socket() as probe:
        # As servers do: a port with only lingering old connections counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise ConfigurationError(f"port {port} cannot be used: {error.strerror}") from None
    return False
