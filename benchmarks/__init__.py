"""What is measured: each benchmark prints its numbers, and docs/ keeps them."""
