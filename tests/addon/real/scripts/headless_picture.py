"""A picture of an object, and what is left in the file after it."""

import sys
from pathlib import Path

import addon
import bpy

still = addon.part("ui.scene.still")
bpy.ops.mesh.primitive_uv_sphere_add(location=(3.0, 0.0, 1.0))
obj = bpy.context.object
before = {kind: len(getattr(bpy.data, kind)) for kind in ("objects", "cameras", "lights", "meshes", "scenes", "worlds")}
still.render(bpy.context, obj, Path(sys.argv[1]), samples=2, size=64)
after = {kind: len(getattr(bpy.data, kind)) for kind in before}
image = bpy.data.images.load(sys.argv[1])
pixels = list(image.pixels)
middle, corner = pixels[4 * (64 * 32 + 32)], pixels[0]
addon.tell(before=before, after=after, size=list(image.size), middle=middle, corner=corner)
