"""What is put into the scene, and what is drawn there."""
