"""Checkpoints of one file: which architecture they are, and the pipeline folder that they become."""
