"""One recommender per tenant, retrained, judged and published every night."""
