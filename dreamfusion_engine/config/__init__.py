"""Settings of a run: stages, presets, and recipes of the model families."""
