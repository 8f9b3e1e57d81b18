"""The add-on inside Blender: settings, panels, operators, the timer that keeps them going, and the object at the end."""
