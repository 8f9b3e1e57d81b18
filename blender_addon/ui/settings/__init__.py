"""What the artist sets, and what the engine has reported of itself."""
