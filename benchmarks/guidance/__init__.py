"""How the ways of guiding compare: scores, and precisions of the denoiser."""
