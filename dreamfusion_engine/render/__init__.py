"""Volume rendering: ray march, compositing, shading."""
