"""Communication between processes: the protocol, its messages, and JSON within bounds. See docs/architecture.md."""
