"""The request of a contest of seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.machine.run_folder import INDEX, check_contest
from dreamfusion_engine.pictures.asked import check_pictures
from dreamfusion_engine.pictures.given import GivenPicture
from dreamfusion_engine.request.generate import begun_with, checked_blockout
from dreamfusion_engine.request.output import check_output, contest_name, disk_needed
from dreamfusion_engine.request.run import Request, checked_run
from dreamfusion_engine.request.stages import check_refinement
from dreamfusion_engine.request.taken import check_not_taken, check_same_inputs
from dreamfusion_engine.request.texture_stage import with_texture_stage


def checked_contest_request(
    prompt: str,
    seeds: SeedRange,
    *,
    preset_name: str = "standard",
    settings: Mapping[str, Any] | None = None,
    output: Path | None = None,
    output_root: Path = Path("outputs"),
    resume: bool = False,
    blockout: Path | bytes = b"",
    pictures: Sequence[GivenPicture] = (),
) -> Request:
    """Return a request for a contest that can be started. Nothing is written.

    prompt: str, the artist's words.
    seeds: SeedRange, in place of the settings' seed.
    output: Path, the contest's folder; None: output_root/<prompt>-<first>-to-<last>.
    pictures: GivenPictures, which a contest refuses.
    preset_name, settings, output_root, resume, blockout: as for `generate.checked_request`.
    Raises InputError or SetupError as `generate.checked_request`.
    """
    mesh = checked_blockout(blockout, settings, resume)
    check_pictures(pictures, settings, resume)
    if pictures:
        raise InputError(
            "input.seeds",
            what="A contest of seeds takes no pictures.",
            why="Its drafts begin from the prompt, and with --from from a mesh.",
            fix="Leave out the pictures, or --seeds.",
        )
    settings = {**(settings or {}), "seed": seeds.first}
    output = output or output_root / contest_name(prompt, seeds)
    asked = checked_run(prompt, preset_name, settings, output, output_root, resume, task="contest")
    check_refinement(asked.config, settings)
    check_contest(asked.output, seeds.words, resume=resume)
    check_output(asked.output, disk_needed(asked.config, seeds.count))
    if not resume:
        check_not_taken(asked.output, asked.config, "contest", seeds)
        check_same_inputs(asked.output, mesh)
    begun = _begun(asked.output, seeds) if resume else None
    config = with_texture_stage(begun_with(mesh, asked, settings), settings, begun)
    return replace(asked, config=config, mesh=mesh, seeds=seeds)


def _begun(folder: Path, seeds: SeedRange) -> Path | None:
    """The folder of a seed that has a checkpoint, which all have of one run's settings; None for none.

    folder: Path of the contest.
    """
    drafts = (folder / "seeds" / str(seed) for seed in seeds.seeds)
    return next((draft for draft in drafts if (draft / "checkpoint" / INDEX).is_file()), None)
