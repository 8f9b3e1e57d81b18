"""Where we look from: cameras, rays, light."""
