"""The engine's process: where it is, its wire, what it sends, its troubles."""
