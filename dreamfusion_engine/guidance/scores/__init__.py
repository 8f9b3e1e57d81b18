"""Ways to turn predictions into the gradient of a render, one a file, each a pure function of predictions."""
