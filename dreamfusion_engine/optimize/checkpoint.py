"""Checkpoints: everything that an interrupted run needs to end exactly as an uninterrupted one.

A checkpoint is a folder with `state-<step>-<digest>.safetensors` (tensors only, never a pickle) and `checkpoint.json`
(step, configuration, versions, the state's name and SHA-256). Both are written beside their final names, flushed to the
disk and moved into place. The JSON comes last, so that it names a complete state at any moment. Only then is the old
checkpoint removed.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import dreamfusion_engine
from dreamfusion_engine.config.presets import to_json
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.guidance.denoiser.choice import installed
from dreamfusion_engine.machine.atomic_file import move_into_place, write_atomically
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.machine.run_folder import INDEX, INPUTS, RESULT, SOURCE, check_begun

FORMAT = 1
# A run may be resumed with others of these: they do not touch training, or are what is lowered when memory runs out.
_LOWERED = ("memory.", "optimize.views", "optimize.resolution")
FREE_SETTINGS = ("mesh.", "reference.texture", "texture.", "device", "judge", "checkpoint_every", "preset", *_LOWERED)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A run's state after `step` steps.

    step: int, steps done.
    config: the GenerateConfig as JSON.
    device: str, kind of the places it was trained on (`machine.places.Places.kind`).
    tensors: name to tensor of any dtype, on the CPU once loaded.
    extra: JSON that the loop needs, such as the health history and restarts.
    versions: of the packages that wrote it.
    """

    step: int
    config: dict[str, Any]
    device: str
    tensors: dict[str, Tensor]
    extra: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=lambda: package_versions())


def package_versions() -> dict[str, str]:
    """Return the versions that decide a run's numbers: the engine's, Python's and those of the computing packages."""
    names = ["torch", "warp-lang", "numpy", "diffusers", "transformers", *(["openvino"] if installed() else [])]
    found = {name: metadata.version(name) for name in names}
    return {"dreamfusion_engine": dreamfusion_engine.__version__, "python": platform.python_version(), **found}


def optimizer_tensors(optimizer: torch.optim.Optimizer, prefix: str = "optimizer.") -> dict[str, Tensor]:
    """Return the optimizer's state as named tensors, '<prefix><parameter index>.<name>'.

    Learning rates are not part of it: schedules set them in every step.

    optimizer: torch.optim.Optimizer.
    prefix: str, of the names.
    """
    state: dict[int, dict[str, Any]] = optimizer.state_dict()["state"]
    named = ((f"{prefix}{i}.{name}", value) for i, values in state.items() for name, value in values.items())
    return {name: torch.as_tensor(value) for name, value in named}


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], prefix: str = "optimizer."
) -> None:
    """Restore what `optimizer_tensors` returned, bit for bit, to an optimizer of the same parameters.

    optimizer: to restore.
    tensors: from `optimizer_tensors`; others are ignored.
    prefix: str, as it was given there.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(prefix):
            index, name = key[len(prefix) :].split(".", 1)
            state.setdefault(int(index), {})[name] = value.clone()
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix`, without it.

    tensors: by name.
    prefix: str.
    """
    return {n[len(prefix) :]: t for n, t in tensors.items() if n.startswith(prefix)}


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint so that `folder` holds a complete one at every moment; return the path of its JSON.

    folder: Path of the checkpoint.
    checkpoint: Checkpoint to write.
    Raises InputError input.disk_full or input.output; an earlier checkpoint is then untouched.
    """
    from safetensors.torch import save

    # Cloned, because safetensors refuses tensors that share memory.
    state = save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in checkpoint.tensors.items()})
    digest = hashlib.sha256(state).hexdigest()
    # Part of the name, so that a state of the same step from another attempt is not written over the one in use.
    name = f"state-{checkpoint.step:08d}-{digest[:8]}.safetensors"
    index = {
        "format": FORMAT,
        "step": checkpoint.step,
        "state": name,
        "sha256": digest,
        "device": checkpoint.device,
        "versions": checkpoint.versions,
        "config": checkpoint.config,
        "extra": checkpoint.extra,
    }
    text = json.dumps({**index, "checksum": _checksum(index)}, indent=1, allow_nan=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / name, state)
        write_atomically(folder / INDEX, text.encode())
        for other in folder.glob("state-*.safetensors"):
            if other.name != name:
                other.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    return folder / INDEX


def set_aside(*stages: Path) -> list[Path]:
    """Rename the checkpoints of an interrupted run, which the next would replace; return their new folders.

    All of them are renamed where one of them is unfinished: what a last stage goes on from is in the one before it.
    So they are where all are complete and no result lies beside them: the run was stopped before its mesh was written.
    Nothing is where there are none, where the run has its result, or where they cannot be read.

    stages: Paths of a run's checkpoints, one for each of its trainings.
    Raises InputError input.output.
    """
    found = {folder: steps for folder in stages if (steps := _steps_of(folder)) is not None}
    made = any((folder.parent / RESULT).is_file() for folder in found)
    if not found or (made and all(step >= total for step, total in found.values())):
        return []
    aside = []
    for folder, (step, _) in found.items():
        names = (f"{folder.name}-step-{step}{suffix}" for suffix in ("", *(f"-{n}" for n in range(2, 10_000))))
        aside.append(next(folder.with_name(name) for name in names if not folder.with_name(name).exists()))
        try:
            move_into_place(folder, aside[-1])
        except OSError as error:
            raise output_error(folder, error) from error
    return aside


def _steps_of(folder: Path) -> tuple[int, int] | None:
    """The steps that a checkpoint has made, and of how many; None where it cannot be read."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return int(index["step"]), int(index["config"]["optimize"]["steps"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def load_checkpoint(folder: Path, config: GenerateConfig, *, given: bool | None = None) -> Checkpoint:
    """Load the checkpoint in `folder`, after a check that it is whole and of this run; its devices may be others.

    folder: Path of the checkpoint.
    config: GenerateConfig of this run.
    given: bool, whether this run has a mesh or pictures; None: whoever asks compares them.
    Raises InputError checkpoint.missing, checkpoint.damaged, checkpoint.other_run (naming the settings that differ).
    Raises SetupError checkpoint.format.
    """
    index = _read_index(folder)
    begun_with = bool(index["extra"].get("subject"))
    same_method = index["config"].get("method", "field") == config.method
    if same_method and given is not None and given != begun_with:  # before the settings, some of which follow from it
        raise _inputs_missing(folder.parent) if begun_with else _inputs_new()
    differing = differing_settings(index["config"], to_json(config))
    if differing:
        raise InputError(
            "checkpoint.other_run",
            what="The saved checkpoint belongs to a run with other settings.",
            why="; ".join(differing[:6]) + (f"; and {len(differing) - 6} more" if len(differing) > 6 else ""),
            fix="Resume with the same settings, or leave out --resume to start anew.",
        )
    return Checkpoint(
        step=index["step"],
        config=index["config"],
        device=index["device"],
        tensors=_read_state(folder, index),
        extra=index["extra"],
        versions=index["versions"],
    )


def differing_settings(saved: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """Return 'name: old then, new now' for every setting that matters to training and differs, the run's own first.

    saved, current: configurations as JSON-like dicts.
    """
    old, new = _flat(json.loads(json.dumps(saved))), _flat(json.loads(json.dumps(current)))
    return [
        f"{name}: {old.get(name, 'unset')!r} then, {new.get(name, 'unset')!r} now"
        for name in sorted(old.keys() | new.keys(), key=lambda name: ("." in name, name))  # those of stages follow
        if old.get(name) != new.get(name) and not name.startswith(FREE_SETTINGS)
    ]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat.update(_flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value})
    return flat


def _read_index(folder: Path) -> dict[str, Any]:
    check_begun(folder)
    path = folder / INDEX
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(index, dict):
            raise ValueError("not a JSON object")
        found = index.get("format")
        if found == FORMAT and index.pop("checksum", None) != _checksum(index):
            raise ValueError("its checksum does not match")
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    if found != FORMAT:
        raise SetupError(
            "checkpoint.format",
            what="The checkpoint was written by another version of DreamFusion.",
            why=f"{path} has format {found!r}; this version reads format {FORMAT}.",
            fix="Resume with the version that wrote it, or leave out --resume to start anew.",
        )
    return index


def _read_state(folder: Path, index: Mapping[str, Any]) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = folder / Path(index["state"]).name
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != index["sha256"]:
            raise ValueError("its checksum does not match")
        tensors: dict[str, Tensor] = load(content)
    except (OSError, ValueError, SafetensorError) as error:
        raise _damaged(path, error) from error
    return tensors


def _checksum(index: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(index, sort_keys=True).encode()).hexdigest()


def _inputs_missing(folder: Path) -> InputError:
    found = [name for name in (SOURCE, INPUTS) if (folder / name).exists()]
    why = (
        f"{' and '.join(found)} in {folder} cannot be read." if found else f"{folder} has no {SOURCE} and no {INPUTS}."
    )
    return InputError(
        "checkpoint.missing",
        what="The mesh or the pictures that this run began with are missing.",
        why=why,
        fix="Give them again, by --from MESH.glb or --image FILE@VIEW, or leave out --resume to start anew.",
    )


def _inputs_new() -> InputError:
    return InputError(
        "checkpoint.other_run",
        what="The run was begun without a mesh and without pictures.",
        why="Now some are given, and its training so far knew nothing of them.",
        fix="Resume without --from and --image, or leave out --resume to start anew.",
    )


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        "checkpoint.damaged",
        what="The checkpoint is damaged.",
        why=f"{path}: {error}.",
        fix="Leave out --resume to start anew.",
    )
