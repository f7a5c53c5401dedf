"""How fast lists are answered, over SQL and over HTTP: ``make bench-api``."""
