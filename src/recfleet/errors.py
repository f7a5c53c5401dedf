"""recfleet's errors, by what their reader should do."""

from __future__ import annotations


class RecfleetError(Exception):
    """Trouble that a person can fix; the text says what is wrong and what to do.

    The command line prints the text alone and exits with code 2.
    """


class ConfigurationError(RecfleetError):
    """A setting is missing or cannot be used."""


class BadInputError(RecfleetError):
    """A given file, option or value cannot be used."""


class NotFoundError(RecfleetError):
    """A named night, version, request or page of Data Docs does not exist."""


class UnknownTenantError(NotFoundError):
    """No such tenant."""


class InfrastructureError(RecfleetError):
    """A service is away or out of room: no tenant's own trouble, and worth a retry."""


class TenantError(Exception):
    """A tenant's own trouble: it ends only that tenant's night.

    Its text is written to the ledger as the reason.
    """


class ThinError(TenantError):
    """A tenant has too little data to train a model on; it is served without one."""
