"""Checkpoints of one file: their architecture, and the pipeline folder that they are converted to."""
