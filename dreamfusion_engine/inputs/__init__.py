"""What people give, made safe before it is believed: paths and texts."""
