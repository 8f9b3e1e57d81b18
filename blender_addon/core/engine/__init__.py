"""The engine's process: where it is, how it is spoken to, what it sends, and its troubles."""
