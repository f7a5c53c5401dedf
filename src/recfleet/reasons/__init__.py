"""Reasons: why a product is in a customer's list, in words made when somebody looks."""

from recfleet.reasons._why import say_why

__all__ = ["say_why"]
