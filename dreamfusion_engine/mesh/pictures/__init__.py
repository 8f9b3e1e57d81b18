"""Pictures of a finished mesh: renders, the sheet of views, the turntable."""
