"""What it should look like: prompts, diffusion models, score distillation."""
