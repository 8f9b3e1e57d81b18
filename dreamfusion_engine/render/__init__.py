"""What it looks like: ray march, compositing, shading."""
