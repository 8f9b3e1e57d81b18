"""Tools for finished objects, and their menu."""
