"""Guidance: prompts, diffusion models and score distillation decide what the object should look like."""
