"""Making the engine's environment."""
