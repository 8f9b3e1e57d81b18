"""What a run is set to: stages, presets, recipes of the model families."""
