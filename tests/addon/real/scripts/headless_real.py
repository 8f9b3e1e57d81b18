"""One object by the real engine, through headless.generate."""

import sys

import addon

addon.enable()
preferences = addon.preferences()
preferences.engine, preferences.python = "python", addon.ENGINE_PYTHON
headless, pump = addon.part("ui.run.headless"), addon.part("ui.run.timer")
settings = {"device": "cpu", "optimize": {"steps": 100}, "mesh": {"triangles": 3000, "texture": 256}}
pump.tick()  # the first of a session, before any run: Blender loads its readers of pictures
pump.ticks.clear()
obj = headless.generate("a hamburger", preset="draft", settings=settings, output=sys.argv[1], tell=print)
image = next(node.image for node in obj.data.materials[0].node_tree.nodes if node.type == "TEX_IMAGE")
pixels = list(image.pixels)
recipe = addon.part("ui.scene.object_recipe").read(obj)
means = [sum(pixels[channel::4]) / len(pixels[channel::4]) for channel in range(3)]
addon.tell(faces=len(obj.data.polygons), texture=list(image.size), colours=means)
addon.tell(packed=image.packed_file is not None, seed=recipe.seed, versions=recipe.versions)
addon.tell(ticks=[tick.cpu_s for tick in pump.ticks if not tick.insertion])
