"""Print the folder of a run: `output_folder.py` and the words that `generate` gets. Runs in the engine's Python.

Only the engine knows the folder of a prompt.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dreamfusion_engine.commands.arguments import parser
from dreamfusion_engine.commands.typed_settings import given_seeds
from dreamfusion_engine.request.output import contest_name, folder_name


def main() -> None:
    """Print the absolute path as JSON."""
    asked = parser().parse_args(["generate", *sys.argv[1:]])
    seeds = given_seeds(asked.seeds, asked.seed)
    name = folder_name(asked.prompt, asked.seed or 0) if seeds is None else contest_name(asked.prompt, seeds)
    folder: Path = asked.output or Path("outputs") / name
    print(json.dumps(str(folder.absolute())))  # letters that a code page lacks arrive whole


if __name__ == "__main__":
    main()
