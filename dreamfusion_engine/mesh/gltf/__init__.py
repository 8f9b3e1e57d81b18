"""Other people's meshes: a GLB is read, and given back with new base-colour textures and nothing else changed."""
