"""What is there: hash grid, radiance field, occupancy."""
