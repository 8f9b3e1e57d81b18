"""Refinement of a mesh by score distillation: its vertices and its colours, moved together on the surface."""
