"""The same nights by two checkouts of recfleet, and whether all that they leave is the same."""
