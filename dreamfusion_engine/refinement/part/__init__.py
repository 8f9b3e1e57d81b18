"""Change the shape of a part of a mesh with its colours: which vertices may move, and that the rest stays."""
