"""How fast a fleet's night is, compared with the best possible and with the usual way."""
