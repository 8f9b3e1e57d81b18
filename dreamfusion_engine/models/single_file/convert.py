"""Convert a single-file model to a pipeline folder with diffusers, once, and keep it beside the downloads."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.events import Note, Report
from dreamfusion_engine.hub.selection import INDEX, UNUSED_PARTS
from dreamfusion_engine.machine.atomic_file import move_into_place
from dreamfusion_engine.machine.disk import check_room
from dreamfusion_engine.machine.file_lock import only_one
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.part_configs import check_network
from dreamfusion_engine.models.part_weights import read_json, read_part_weights
from dreamfusion_engine.models.pipeline_folder import locate_model, single_file
from dreamfusion_engine.models.single_file.configs import denoiser_config, scheduler_config
from dreamfusion_engine.models.single_file.layouts import LAYOUTS
from dreamfusion_engine.models.single_file.multi_view_unet import OTHERS, hide_unet, keep_unet
from dreamfusion_engine.models.single_file.read import HALF_BYTES, SingleFile
from dreamfusion_engine.models.single_file.zero123_file import write_zero123

_MISFITS = (ValueError, KeyError, TypeError, AttributeError, RuntimeError, IndexError)  # of a file with other weights
_SMALL = re.compile(r".+\.(?:json|txt|model|tiktoken)")  # configs, vocabularies


def ready_model(name: str, base: str = "", report: Report = lambda event: None) -> Path:
    """Return the folder of a model, as `locate_model` does; convert a single file at its first use.

    name: str, the model's name.
    base: folder or hub id that completes a single file; '' for the catalogue's.
    report: told before a conversion, because it takes a while.
    Raises what `locate_model` raises, and InputError input.disk_full, SetupError model.damaged.
    """
    file = single_file(name, base)
    if file is None:
        return locate_model(name)
    if not file.converted:
        report(Note(code="model.converting", text=f"{file.path.name} is being prepared for its first use."))
        convert(file)
    return file.folder


def convert(file: SingleFile) -> None:
    """Make the pipeline folder of a single file, in half precision. An existing folder is left alone.

    Raises SetupError model.busy while another process makes it.
    """
    try:
        with workplace(file.folder, file.path.name) as new:
            if file.folder.exists():  # another process was faster
                return
            _check_room(file)
            made, configs = new / "pipeline", new / "configs"
            _write_configs(file, configs)
            _convert(file, configs, made)
            for part in file.borrowed:
                _borrow(file.base, part, made)
            move_into_place(made, file.folder)
    except OSError as error:
        from dreamfusion_engine.hub.transfer import disk_error

        raise disk_error(file.folder, error) from error


@contextlib.contextmanager
def workplace(folder: Path, name: str) -> Iterator[Path]:
    """Give one process at a time a temporary folder beside `folder`, cleaned of what killed processes left.

    folder: Path, the final folder.
    name: str, the model's name, for the error.
    Raises SetupError model.busy.
    """

    def busy(holder: str) -> SetupError:
        return SetupError(
            "model.busy",
            what=f"{name} is being prepared for its first use already.",
            why=f"It is at work on it: {holder}.",
            fix="Start again when that is done.",
        )

    prefix = f"new-{folder.name}-"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with only_one(folder.with_name(f"{folder.name}.lock"), busy):
        for path in folder.parent.iterdir():
            if path.name.startswith(prefix):
                shutil.rmtree(path, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=prefix) as new:
            yield Path(new)


def _write_configs(file: SingleFile, folder: Path) -> None:
    """The base's configs and vocabularies, with what the file's own weights say better."""
    family = FAMILIES[LAYOUTS[file.architecture].family]
    folder.mkdir()
    shutil.copyfile(file.base / INDEX, folder / INDEX)
    for part in family.parts:
        _copy_small(file.base / part, folder / part)
    if file.architecture == "mvdream":
        hide_unet(folder)
    path = folder / family.denoiser / "config.json"
    try:
        changed = denoiser_config(file.architecture, file.tensors, read_json(path))
    except (KeyError, ValueError) as error:
        raise _misfit(file, f"{path.parent.name}: {type(error).__name__} {error}") from error
    path.write_text(json.dumps(changed, indent=2), encoding="utf-8")
    path = folder / "scheduler" / "scheduler_config.json"
    changed = scheduler_config(file.architecture, file.tensors, file.prediction, read_json(path))
    path.write_text(json.dumps(changed, indent=2), encoding="utf-8")


def _copy_small(source: Path, target: Path) -> None:
    if not source.is_dir():
        return
    target.mkdir(exist_ok=True)
    for path in source.iterdir():
        if path.is_file() and _SMALL.fullmatch(path.name):
            shutil.copyfile(path, target / path.name)


def _convert(file: SingleFile, configs: Path, made: Path) -> None:
    import diffusers
    import torch
    import transformers
    from diffusers.loaders.single_file_utils import SingleFileComponentError
    from safetensors import SafetensorError

    layout = LAYOUTS[file.architecture]
    multi_view = file.architecture == "mvdream"
    for part in FAMILIES[layout.family].weights:
        if (configs / part / "config.json").is_file():
            check_network(configs, part)
    if file.architecture == "zero123":
        with _quiet(diffusers):
            try:
                write_zero123(file, configs, made)
            except (*_MISFITS, SafetensorError, SingleFileComponentError) as error:
                raise _misfit(file, str(error).strip()[:300]) from error
        return
    index = read_json(configs / INDEX)
    others = [part for part in layout.parts if part not in file.held]  # borrowed later, or an optional one
    others += ["unet"] if multi_view else []
    absent = {part: None for part in (*UNUSED_PARTS, *others) if part in index}
    with _quiet(diffusers, transformers):
        try:
            # transformers warns as it is imported for it
            pipeline_class: Any = getattr(diffusers, OTHERS if multi_view else layout.family)
            pipeline = pipeline_class.from_single_file(
                str(file.path),
                config=str(configs),
                local_files_only=True,
                torch_dtype=torch.bfloat16 if file.dtype == "BF16" else torch.float16,
                **absent,
            )
        except (*_MISFITS, SafetensorError, SingleFileComponentError) as error:
            raise _misfit(file, str(error).strip()[:300]) from error
        for part, module in pipeline.components.items():
            if not isinstance(module, torch.nn.Module):
                continue
            lost = [name for name, weight in module.named_parameters() if weight.is_meta]
            if lost:
                raise _misfit(file, f"it lacks {len(lost)} weights of the {part}, the first is {lost[0]}")
        pipeline.save_pretrained(made, safe_serialization=True)
        if multi_view:
            keep_unet(file, configs, made)


def _borrow(base: Path, part: str, made: Path) -> None:
    """A part of the base in the folder that is made: by links, which take no room, where the disk allows it."""
    _copy_small(base / part, made / part)
    for weights in read_part_weights(base, part).files:
        source, target = Path(os.path.realpath(weights)), made / part / weights.name
        try:
            os.link(source, target)
        except OSError:  # on another disk, or one without links
            shutil.copyfile(source, target)
    index = read_json(made / INDEX)
    index[part] = read_json(base / INDEX)[part]
    (made / INDEX).write_text(json.dumps(index, indent=2), encoding="utf-8")


def _misfit(file: SingleFile, why: str) -> SetupError:
    return SetupError(
        "model.damaged",
        what="The single file is damaged, or its base is not the model that it was made from.",
        why=f"{file.path.name}, with the configs of {file.base}: {why}",
        fix="Copy or download the file again. If it was made from another model, name that with --base.",
    )


def _check_room(file: SingleFile) -> None:
    parent = file.folder.parent
    need = file.parameters * HALF_BYTES
    if file.borrowed and os.stat(file.base).st_dev != os.stat(parent).st_dev:  # it will not be linked
        need += sum(read_part_weights(file.base, part).bytes for part in file.borrowed)
    check_room(
        parent,
        need,
        what="There is too little room on the disk to prepare this model.",
        needs="Its folder",
        fix="Make room, or keep models on another disk: set HF_HUB_CACHE to a folder there.",
    )


@contextlib.contextmanager
def _quiet(*libraries: Any) -> Iterator[None]:
    """Without the libraries' own bars and warnings, which would write across the command line's.

    They warn of every part that is to be borrowed, and of casts that change nothing.
    """
    before = [(library.utils.logging, library.utils.logging.is_progress_bar_enabled()) for library in libraries]
    levels = [logging.get_verbosity() for logging, _ in before]
    for logging, _ in before:
        logging.disable_progress_bar()
        logging.set_verbosity_error()
    try:
        yield
    finally:
        for (logging, shown), level in zip(before, levels, strict=True):
            logging.set_verbosity(level)
            if shown:
                logging.enable_progress_bar()
