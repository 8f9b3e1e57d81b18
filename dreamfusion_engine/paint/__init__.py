"""A new texture for meshes that an artist already has: colours on their surface, found by score distillation."""
