"""The HTTP service while it is killed, Postgres is restarted, and a night runs."""
