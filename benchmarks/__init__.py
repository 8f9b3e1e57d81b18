"""Programs that measure what the documentation claims; anyone can run them from a checkout."""
