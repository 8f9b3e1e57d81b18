"""One small adapter for each family of diffusion models. Each reads prompts and asks the denoiser."""
