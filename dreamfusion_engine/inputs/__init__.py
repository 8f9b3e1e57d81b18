"""Paths and texts that people give, checked before use."""
