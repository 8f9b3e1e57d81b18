"""The built-in text-to-image model: a corpus of procedural objects, and the training on it."""
