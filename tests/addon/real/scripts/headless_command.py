"""The command line of the add-on: a run and a contest that end well, and four words that cannot."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

Run(step_s=0.0005)
terminal = addon.part("ui.run.command")
asked = ["generate", "a hamburger", "--output", sys.argv[1], "--seed", "3", "--set", "optimize.steps=40"]
asked += ["--texture-model", "owner/painter", "--set", "texture.steps=7"]
codes = [terminal.main(asked)]
codes.append(terminal.main(["generate"]))
codes.append(terminal.main(["generate", "a hamburger", "--set", "nothing"]))
codes.append(terminal.main(["generate", "a fail hamburger"]))
codes.append(terminal.main(["generate", "a hamburger", "--best-of", "9"]))
codes.append(terminal.main(["generate", "a mug", "--best-of", "2", "--set", "optimize.steps=4"]))
recipe = addon.part("ui.scene.object_recipe")
made, best = (recipe.read(o) for o in bpy.context.scene.objects if recipe.is_result(o))
won = [best.prompt, best.seed, best.seeds]
addon.tell(codes=codes, seed=made.seed, best=won, settings=made.settings, registered=len(terminal._commands))
