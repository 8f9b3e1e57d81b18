"""The built-in text-to-image model: corpus, training and weights."""
