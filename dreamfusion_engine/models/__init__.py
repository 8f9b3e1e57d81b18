"""Diffusion models: find folders, single files and hub names, check what they hold, and load them."""
