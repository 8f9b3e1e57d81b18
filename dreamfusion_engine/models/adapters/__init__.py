"""LoRAs and learned words: read, checked, and merged into a model while it loads."""
