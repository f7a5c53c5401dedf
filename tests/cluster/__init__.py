"""``make cluster``: docker-compose.yaml in real containers, with two workers; one is killed."""
