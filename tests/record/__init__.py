"""Nights, the ledger, champions, approvals: what the tables hold and what is read of them."""
