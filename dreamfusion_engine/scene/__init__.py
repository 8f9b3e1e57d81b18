"""The scene around the object: cameras, rays, light."""
