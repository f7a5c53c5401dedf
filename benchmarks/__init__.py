"""The benchmarks: each prints its numbers, and docs/ keeps them."""
