"""Textures for the artist's own objects: reading the objects, showing a run on them, and what it brings."""
