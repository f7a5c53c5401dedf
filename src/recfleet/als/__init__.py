"""Alternating least squares: recipe, fit, fold-in, lists, artifact."""
