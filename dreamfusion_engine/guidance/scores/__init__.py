"""Scores: each turns predictions into the gradient of a render, in a file of its own, as a pure function."""
