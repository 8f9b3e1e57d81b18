"""LoRAs and learned words: read, checked, and merged into a model as it is loaded."""
