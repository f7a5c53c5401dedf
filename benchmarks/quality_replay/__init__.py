"""How often the quality checks accuse sound shops, and how often they see faults."""
