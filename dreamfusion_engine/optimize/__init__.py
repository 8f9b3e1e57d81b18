"""The training loop: losses, schedules, checkpoints, health."""
