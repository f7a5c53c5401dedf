"""Measurements that docs/ quotes; run by hand, not by the tests."""
