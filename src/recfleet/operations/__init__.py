"""What a person does by day: modes, policies, rollback, approval, backfill, audit, repair."""
