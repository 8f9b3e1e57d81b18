"""What goes on while Blender runs: the session, its timer, starting and inserting jobs."""
