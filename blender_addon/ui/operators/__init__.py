"""The buttons, except those of the tools for finished objects."""
