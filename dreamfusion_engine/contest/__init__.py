"""A contest of seeds: many runs begun, the worst given up early, the best one finished."""
