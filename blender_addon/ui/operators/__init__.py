"""Buttons, but for those that work on finished objects."""
