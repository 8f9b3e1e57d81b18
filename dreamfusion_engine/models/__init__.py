"""The teachers: folders, single files and hub names, what they hold, and how they are loaded."""
