"""The model hub: its models, their copies on this machine, and downloads. Standard library only."""
