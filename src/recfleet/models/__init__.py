"""Models: what a signal of a customer and a product is made from, writes, reads and answers."""
