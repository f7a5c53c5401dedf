"""Nights, the ledger, champions, approvals: the tables and reading them."""
