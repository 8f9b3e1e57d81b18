"""Runs that fail or whose engine dies, and one after them, through headless.generate."""

import sys

import addon

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

Run(step_s=0.0005)
headless = addon.part("ui.run.headless")
troubles: list[list[str] | None] = []
for prompt in ("a fail hamburger", "a die hamburger", "a hamburger"):
    try:
        headless.generate(prompt)
        troubles.append(None)
    except headless.HeadlessFailed as failure:
        troubles.append([str(failure), failure.trouble.code])
addon.tell(troubles=troubles)
