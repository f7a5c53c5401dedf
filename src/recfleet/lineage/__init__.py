"""Lineage: which earlier model a tenant's fit begins with, and when it begins anew."""

from recfleet.lineage._renewal import RENEWAL_DAYS, last_renewal
from recfleet.lineage._start import Start, Starts, read_starts

__all__ = ["RENEWAL_DAYS", "Start", "Starts", "last_renewal", "read_starts"]
