"""How fast a fleet's night is, beside what it could be at best and what people would do instead."""
