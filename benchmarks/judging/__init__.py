"""Right judgments at scale: the night's own rule on tenants whose truth is known."""
