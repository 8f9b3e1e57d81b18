"""A small latent Stable Diffusion of the real classes, trained on the procedural corpus."""
