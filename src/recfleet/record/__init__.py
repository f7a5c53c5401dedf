"""The record: nights, the ledger, champions, approvals; these tables and their typed rows."""
