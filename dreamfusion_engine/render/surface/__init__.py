"""Surface rendering: rays against a triangle mesh, with gradients to colours, texels and vertices."""
