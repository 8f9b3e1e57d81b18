"""The add-on without Blender: engine process, protocol, jobs on disk, queue. Standard library only, no bpy."""
