"""Programs that train the networks: the starter model, the judge, a small latent Stable Diffusion."""
