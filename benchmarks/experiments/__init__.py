"""Whether the statistics of experiments hold: false calls, coverage, waiting, regret, harm."""
