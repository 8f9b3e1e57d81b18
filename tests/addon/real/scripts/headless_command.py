"""The command line of the add-on: one run that ends well, and three words that cannot."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

Run(step_s=0.0005)
terminal = addon.part("ui.run.command")
asked = ["generate", "a hamburger", "--output", sys.argv[1], "--seed", "3", "--set", "optimize.steps=40"]
codes = [terminal.main(asked)]
codes.append(terminal.main(["generate"]))
codes.append(terminal.main(["generate", "a hamburger", "--set", "nothing"]))
codes.append(terminal.main(["generate", "a fail hamburger"]))
recipe = addon.part("ui.scene.object_recipe")
made = [recipe.read(o) for o in bpy.context.scene.objects if recipe.is_result(o)][0]
addon.tell(codes=codes, seed=made.seed, settings=made.settings, registered=len(terminal._commands))
