"""Settings that an artist has changed, and what is sent of them."""

import addon
import bpy

addon.enable()
settings = bpy.context.scene.dreamfusion
artist = addon.part("ui.settings.artist_settings")
settings.preset = "draft"
settings.guidance.scale = 12.5
settings.guidance.t_max = (0.9, 0.4)
settings.optimize.steps = 333
settings.optimize.resolution = (16, 24)
settings.optimize.learning_rate = 0.02
settings.mesh.iso_auto = False
settings.mesh.iso = 7.25
settings.mesh.texture = "2048"
settings.camera.elevation_deg = (-20.0, 60.0)
changed = artist.overrides(settings)
settings.preset = "high"
kept = artist.overrides(settings)
others = {name: getattr(settings.mesh, name) for name in ("triangles", "resolution")}
artist.reset(settings)
addon.tell(changed=changed, kept=kept, others=others, reset=artist.overrides(settings), steps=settings.optimize.steps)
