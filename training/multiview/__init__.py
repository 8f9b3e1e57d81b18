"""A small multi-view teacher: the starter model with attention among four views, told where each is from."""
