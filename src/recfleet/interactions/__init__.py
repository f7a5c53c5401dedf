"""Interactions: in from files, out as one tenant's matrices as of a time."""
