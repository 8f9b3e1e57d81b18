"""Surfaces out of a scalar lattice, with gradients: FlexiCubes and marching cubes, measured against moved vertices."""
