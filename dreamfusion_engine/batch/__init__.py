"""Many objects: a list of prompts and seeds, each an ordinary run of its own process, here or on a Ray cluster."""
