"""One small adapter for each family of diffusion models, all alike: read prompts, and ask the denoiser."""
