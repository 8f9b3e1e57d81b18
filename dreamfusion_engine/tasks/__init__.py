"""What the engine can be asked to make: each task is one page, in numbered steps."""
