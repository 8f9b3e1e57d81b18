"""Change a part of a mesh that is there: which texels may change, how its border blends, and that the rest stays."""
