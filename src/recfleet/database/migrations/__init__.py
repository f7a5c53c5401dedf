"""The steps the schema has taken, oldest first."""
