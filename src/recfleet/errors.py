"""The errors recfleet raises, by what the reader of one should do."""

from __future__ import annotations


class RecfleetError(Exception):
    """Something a person can mend; its text says what is wrong and what to do.

    The command line prints the text alone and exits with code 2.
    """


class ConfigurationError(RecfleetError):
    """A setting is missing or cannot be used."""


class BadInputError(RecfleetError):
    """A file, an option or a value that was given cannot be used."""


class NotFoundError(RecfleetError):
    """What was named is not there: no such night, version, request or page of Data Docs."""


class UnknownTenantError(NotFoundError):
    """No such tenant."""


class InfrastructureError(RecfleetError):
    """A service is away or out of room: nobody's night in particular; worth another try."""


class TenantError(Exception):
    """A tenant's own trouble: it ends that tenant's night and nobody else's.

    Its text is written to the ledger as the reason.
    """


class ThinError(TenantError):
    """A tenant has too little data to train a model on; it is served popularity."""
