"""The fleet's night: plan, shards, ledger, the stage loop and its four stages, decide, close."""
