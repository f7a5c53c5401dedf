"""Run the same nights by two checkouts of recfleet, and compare everything that they leave."""
