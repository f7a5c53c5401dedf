"""Right judgments at scale: the night's own rule on tenants with known truth."""
