"""The model hub: what it has, what of it is on this machine, and how it gets here. Standard library only."""
