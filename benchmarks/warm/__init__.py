"""Whether nights in a chain of warm fits are as good as cold fits of the same nights."""
