"""A single-file model as a pipeline folder: done by diffusers' own conversion, once, and kept beside the downloads."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.events import Note, Report
from dreamfusion_engine.guidance.part_weights import damaged
from dreamfusion_engine.guidance.pipeline_folder import INDEX, locate_model, single_file
from dreamfusion_engine.guidance.single_file import HALF_BYTES, SingleFile
from dreamfusion_engine.hub.selection import UNUSED_PARTS

_CLASSES = {"sd1": "StableDiffusionPipeline", "sdxl": "StableDiffusionXLPipeline"}


def ready_model(name: str, report: Report = lambda event: None) -> Path:
    """The folder of a model, as `locate_model` finds it; of a single file it is made at the first use.

    report: gets a note before that, because it takes a while. Raises what `locate_model` raises, and InputError
    input.disk_full, SetupError model.damaged.
    """
    file = single_file(name)
    if file is None:
        return locate_model(name)
    if not file.converted:
        report(Note(code="model.converting", text=f"{file.path.name} is being prepared for its first use."))
        convert(file)
    return file.folder


def convert(file: SingleFile) -> None:
    """Make the pipeline folder of a single file, in half precision. An existing one is left alone."""
    parent = file.folder.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _check_room(file)
        with tempfile.TemporaryDirectory(dir=parent, prefix="new-") as new:
            made = Path(new) / "pipeline"
            _convert(file, made)
            _set_prediction(made, file)
            with contextlib.suppress(FileExistsError):  # another run was faster
                if not file.folder.exists():
                    os.replace(made, file.folder)
    except OSError as error:
        from dreamfusion_engine.hub.transfer import disk_error

        raise disk_error(file.folder, error) from error


def _convert(file: SingleFile, made: Path) -> None:
    import diffusers
    import torch
    import transformers

    pipeline_class: Any = getattr(diffusers, _CLASSES[file.architecture])
    index = json.loads((file.configs / INDEX).read_text(encoding="utf-8"))
    absent = {part: None for part in UNUSED_PARTS if part in index}
    with _quiet(diffusers, transformers):
        try:
            pipeline = pipeline_class.from_single_file(
                str(file.path),
                config=str(file.configs),
                local_files_only=True,
                torch_dtype=torch.float16,
                **absent,
            )
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise damaged(file.path.parent, f"{file.path.name}: {str(error).strip()[:300]}") from error
        for part, module in pipeline.components.items():
            if isinstance(module, torch.nn.Module):
                lost = [name for name, weight in module.named_parameters() if weight.is_meta]
                if lost:
                    why = f"{file.path.name} lacks {len(lost)} weights of the {part}, the first is {lost[0]}"
                    raise damaged(file.path.parent, why)
        pipeline.save_pretrained(made, safe_serialization=True)


def _set_prediction(made: Path, file: SingleFile) -> None:
    """Write down what the denoiser predicts, which a fine-tune may have changed."""
    if file.prediction == "epsilon":
        return
    path = made / "scheduler" / "scheduler_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, "prediction_type": file.prediction}, indent=2), encoding="utf-8")


def _check_room(file: SingleFile) -> None:
    need, free = file.parameters * HALF_BYTES, shutil.disk_usage(file.folder.parent).free
    if free < need:
        raise InputError(
            "input.disk_full",
            what="There is too little room on the disk to prepare this model.",
            why=f"It needs {need / 1e9:.1f} GB; the disk of {file.folder.parent} has {free / 1e9:.1f} GB left.",
            fix="Make room, or keep models on another disk: set HF_HUB_CACHE to a folder there.",
        )


@contextlib.contextmanager
def _quiet(*libraries: Any) -> Iterator[None]:
    """Without the libraries' own progress bars, which would write across the command line's."""
    shown = [library.utils.logging for library in libraries if library.utils.logging.is_progress_bar_enabled()]
    for logging in shown:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        for logging in shown:
            logging.enable_progress_bar()
