"""The 3D field: hash grid, radiance field, occupancy."""
