"""The commands that only tell: settings, models and doctor."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from dreamfusion_engine.cli.options import given_settings
from dreamfusion_engine.commands import console
from dreamfusion_engine.commands.settings_table import about_json, about_text, settings_about, settings_text
from dreamfusion_engine.config.presets import Resolved
from dreamfusion_engine.config.recipes import RECIPES
from dreamfusion_engine.config.texture_stage import OF_NO_USE, texture_settings
from dreamfusion_engine.models.pipeline_folder import model_facts
from dreamfusion_engine.request.settings import settings_for
from dreamfusion_engine.request.texture_stage import with_texture_stage
from dreamfusion_engine.wire.protocol import encode
from dreamfusion_engine.wire.schema import json_schema, messages_text

_ANYTHING = "an object"  # in place of a prompt


def settings(options: argparse.Namespace) -> int:
    """Print the settings of a model, or what is known of some, and return the exit code; options are of the command."""
    if options.about is not None:
        found = settings_about(options.about)
        print(json.dumps([about_json(about) for about in found]) if options.json else about_text(found))
        return 0
    given = given_settings(options)
    made = settings_for(model_facts(options.model, options.base), options.preset, _ANYTHING, given)
    whole = with_texture_stage(made.config, given, check_words=False)
    second = texture_settings(whole) if whole.texture.model else None
    if options.json:
        said = {**_settings_json(made), "preset": options.preset}
        print(json.dumps(said if second is None else {**said, "texture": _settings_json(second)}))
    else:
        print(settings_text(made))
        if second is not None:
            print(f"\nThen the texture, by another model:\n{settings_text(second, without=OF_NO_USE)}")
    return 0


def _settings_json(made: Resolved) -> dict[str, Any]:
    recipe = {"name": made.config.recipe, "experimental": RECIPES[made.config.recipe].experimental}
    return {"recipe": recipe, "settings": made.to_json()}


def models(options: argparse.Namespace) -> int:
    """Print the models that are here and those to download, and return the exit code; options are of the command."""
    from dreamfusion_engine.commands.doctor import model_lists
    from dreamfusion_engine.commands.model_table import models_text

    here, to_get = ([line.to_json() for line in lines] for lines in model_lists())
    print(json.dumps([*here, *to_get]) if options.json else models_text(here, to_get))
    return 0


def messages(options: argparse.Namespace) -> int:
    """Print the messages that programs read and write, and return the exit code; options are of the command."""
    print(json.dumps(json_schema(), indent=1) if options.json else messages_text())
    return 0


def doctor(options: argparse.Namespace) -> int:
    """Print whether this machine is ready, and return the exit code; options are of the command."""
    from dreamfusion_engine.commands.doctor import examine

    lines = console.claim_stdout() if options.json else None
    checks = examine(Path("outputs"))
    fatal = any(check.fatal for check in checks)
    if lines is not None:
        lines.write(encode({"ready": not fatal, "checks": [check.to_json() for check in checks]}))
        lines.flush()
    else:
        for check in checks:
            mark = "FAIL" if check.fatal else ("warn" if check.fix else "ok")
            print(console.labelled(f"{mark:<4} {check.name:<9}", check.detail))
            if check.fix:
                print(console.labelled("     fix", check.fix))
        print("Not ready: see the lines marked FAIL." if fatal else "Ready.")
    return 2 if fatal else 0
