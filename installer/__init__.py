"""The steps behind install.py. Standard library only; nothing here is part of the engine."""
