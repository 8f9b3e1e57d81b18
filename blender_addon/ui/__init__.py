"""The add-on inside Blender: settings, panels, operators, the timer that drives them, and the object at the end."""
