"""Check a request before anything heavy is imported or anything is written.

The command line and the server both use it, so that a bad request is refused at once, in the same words.
"""

from __future__ import annotations

import json
import os
import re
import stat
import struct
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamfusion_engine.config.paint import PaintConfig, painting
from dreamfusion_engine.config.presets import Resolved, dotted, from_json, preset, resolve
from dreamfusion_engine.config.recipes import NEEDS_AUTOENCODER, recipe_named
from dreamfusion_engine.config.refine import refining
from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.config.setting import require
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.given_path import UnusablePath, absence, given_path, shortened
from dreamfusion_engine.judge.folder import judge_folder
from dreamfusion_engine.machine.cache_folder import cache_folder
from dreamfusion_engine.machine.device import check_device_name
from dreamfusion_engine.machine.disk import check_room
from dreamfusion_engine.machine.run_folder import SOURCE, check_contest
from dreamfusion_engine.models.adapters.files import check_asked
from dreamfusion_engine.models.card import VIEWS, check_length, check_prompts
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.pipeline_folder import ModelFacts, locate_model, model_facts
from dreamfusion_engine.pictures.asked import check_pictures, cut_outs_of
from dreamfusion_engine.pictures.given import GivenPicture

if TYPE_CHECKING:
    from dreamfusion_engine.pictures.prepare import CutOut

_DISK_NEEDED = 200 << 20  # bytes: textures, video and previews, and room; two checkpoints come on top
SLUG_LIMIT = 60  # characters
MESH_LIMIT = 1 << 28  # bytes of a mesh that is painted: five million triangles are some 200 MiB
# By task: what it makes, in a word, and the key of result.json that only such a run writes.
RESULTS = {
    "texture": ("texture", "paint"),
    "refine": ("refinement", "refine"),
    "contest": ("contest", "contest"),
    "generate": ("object", "prompt"),
}
_GLB_HEAD = 20  # bytes before the description of a GLB: its header, and the chunk's
_PART_ATTRIBUTE = b'"_PART"'
_LONGEST_STEM = 30  # characters of a mesh file's name in that of the run's folder
_LONGEST_NAME = "checkpoint/" + 50 * "x"  # of what a run makes in its folder, with room for temporary names


@dataclass(frozen=True, kw_only=True)
class Request:
    """One run: what decides its result, the folder it writes, and whether it goes on from that folder's checkpoint."""

    config: GenerateConfig
    output: Path
    resume: bool
    paint: PaintConfig | None = None  # of a run that paints meshes
    mesh: bytes = b""  # a binary glTF: the meshes to paint or to refine, or the blockout to begin from
    seeds: SeedRange | None = None  # of a contest; the config's seed is the first of them
    pictures: tuple[CutOut, ...] = ()  # the object, cut out of given pictures

    @property
    def size(self) -> int:
        """Bytes of the meshes and pictures that it holds."""
        return len(self.mesh) + sum(len(each.png) for each in self.pictures)

    def emptied(self) -> Request:
        """Return it without its meshes and pictures, which can be large."""
        return replace(self, mesh=b"", pictures=())


def checked_request(
    prompt: str,
    *,
    preset_name: str = "standard",
    settings: Mapping[str, Any] | None = None,
    output: Path | None = None,
    output_root: Path = Path("outputs"),
    resume: bool = False,
    blockout: Path | bytes = b"",
    pictures: Sequence[GivenPicture] = (),
    seeds: SeedRange | None = None,
) -> Request:
    """Return a request that can be started. Nothing is written.

    prompt: str, the artist's words.
    preset_name: str.
    settings: nested by stage, over the preset.
    output: Path, the run's folder; None: output_root/<prompt>-<seed>.
    output_root: Path.
    resume: bool, whether to continue from the folder's checkpoint.
    blockout: Path of a .glb from which the object begins, or its bytes; b"": from nothing.
    pictures: GivenPictures of the object.
    seeds: SeedRange of a contest, in place of the settings' seed; None: there is none.
    Raises InputError or SetupError for every bad prompt, word, setting, device name, model, adapter or folder.
    """
    mesh = _mesh_bytes(blockout) if isinstance(blockout, Path) else blockout
    if mesh or isinstance(blockout, Path):
        check_glb(mesh)
    elif not resume and "start" in (settings or {}):
        raise InputError(
            "input.setting",
            what="The settings of the stage 'start' do nothing in this run.",
            why="They say how a given mesh leads the run, and none was given.",
            fix='Give the mesh: --from MESH.glb. Or leave out "start".',
        )
    check_pictures(prompt, pictures, settings, resume)
    if seeds is not None and pictures:
        raise InputError(
            "input.seeds",
            what="A contest of seeds takes no pictures.",
            why="Its drafts begin from the prompt, and with --from from a mesh.",
            fix="Leave out the pictures, or --seeds.",
        )
    if seeds is not None:
        settings = {**(settings or {}), "seed": seeds.first}
        output = output or output_root / contest_name(prompt, seeds)
    asked = _checked(prompt, preset_name, settings, output, output_root, resume)
    check_contest(asked.output, "" if seeds is None else seeds.words, resume=resume)
    if seeds is not None:
        check_output(asked.output, disk_needed(asked.config, seeds.count))
    if not resume:
        check_not_taken(asked.output, asked.config, "generate" if seeds is None else "contest", seeds)
    config = asked.config
    begins = mesh or (resume and (asked.output / SOURCE).is_file())
    if begins and config.start.lock > 0.0 and not _given(settings, "optimize", "levels_until"):
        # A shape that is there from the start needs no coarse beginning.
        config = replace(config, optimize=replace(config.optimize, levels_until=0.0))
    return replace(asked, config=config, mesh=mesh, pictures=cut_outs_of(pictures), seeds=seeds)


def _checked(
    prompt: str,
    preset_name: str,
    settings: Mapping[str, Any] | None,
    output: Path | None,
    output_root: Path,
    resume: bool,
) -> Request:
    """What a run of any kind needs: everything but whether its folder is free."""
    check_encodable(prompt, "prompt")
    config = preset(preset_name, prompt, settings)  # what is wrong with any model is said before one is looked for
    check_encodable(config.negative, "negative prompt")
    for view in VIEWS:
        check_encodable(getattr(config.prompts, view), f"prompt of the {view} view")
    check_device_name(config.device)
    facts = model_facts(config.model, config.base)
    config = settings_for(facts, preset_name, prompt, settings).config
    check_length(config, FAMILIES[facts.family])
    check_prompts(config, facts.card)
    check_asked(config)
    judge_folder(config.judge, config.model)
    cache_folder()
    if config.memory.tiny_vae:
        locate_model(config.memory.tiny_vae)
    folder = output if output is not None else output_root / folder_name(config.prompt, config.seed)
    folder = output_folder(folder)
    check_output(folder, disk_needed(config))
    return Request(config=config, output=folder, resume=resume)


def checked_texture_request(
    prompt: str,
    mesh: Path | bytes,
    *,
    preset_name: str = "standard",
    settings: Mapping[str, Any] | None = None,
    output: Path | None = None,
    output_root: Path = Path("outputs"),
    resume: bool = False,
) -> Request:
    """Return a request to paint meshes that can be started. Nothing is written.

    prompt: str, the artist's words.
    mesh: Path of a .glb, or its bytes; b"" with `resume`: the one that the run began with.
    settings: nested by stage, over the preset; the stage `paint` is `config.paint.PaintConfig`.
    preset_name, output, output_root, resume: as for `checked_request`.
    Raises InputError or SetupError as `checked_request`, and for a mesh that is none.
    """
    given = dict(settings or {})
    paint = from_json(PaintConfig, _stage(given.pop("paint", {})), "paint.")
    data = _given_mesh(mesh, resume)
    folder = output or output_root / folder_name(_of_mesh(mesh, f"{prompt} texture"), _seed_of(given))
    asked = _checked(prompt, preset_name, given, folder, output_root, resume)
    if not resume:
        check_not_taken(asked.output, asked.config, "texture")
    part = bool(paint.part) or _says_what_changes(data or _begun_with(asked.output))
    return replace(asked, config=painting(asked.config, given, part=part), paint=paint, mesh=data)


def _says_what_changes(data: bytes) -> bool:
    """Whether the description of a GLB, its first chunk, names the attribute of a part that changes."""
    if len(data) < _GLB_HEAD:
        return False
    (length,) = struct.unpack_from("<I", data, 12)
    return _PART_ATTRIBUTE in data[_GLB_HEAD : _GLB_HEAD + length]


def _begun_with(folder: Path) -> bytes:
    """The mesh that a folder's run began with; b"" where it cannot be read, which the run will say."""
    try:
        with (folder / SOURCE).open("rb") as stream:
            return stream.read(MESH_LIMIT)
    except OSError:
        return b""


def checked_refine_request(
    prompt: str,
    mesh: Path | bytes,
    *,
    preset_name: str = "standard",
    settings: Mapping[str, Any] | None = None,
    output: Path | None = None,
    output_root: Path = Path("outputs"),
    resume: bool = False,
) -> Request:
    """Return a request to refine a mesh that can be started. Nothing is written.

    prompt: str, the artist's words.
    mesh: Path of a .glb, or its bytes; b"" with `resume`: the one that the run began with.
    settings: nested by stage, over the preset; the stage `refine` is `config.stages.RefineConfig`.
    preset_name, output, output_root, resume: as for `checked_request`.
    Raises InputError or SetupError as `checked_request`, and for a mesh that is none.
    """
    given = dict(settings or {})
    data = _given_mesh(mesh, resume)
    folder = output or output_root / folder_name(_of_mesh(mesh, f"{prompt} refined"), _seed_of(given))
    asked = _checked(prompt, preset_name, given, folder, output_root, resume)
    if not resume:
        check_not_taken(asked.output, asked.config, "refine")
    return replace(asked, config=refining(asked.config, given), mesh=data)


def _given_mesh(mesh: Path | bytes, resume: bool) -> bytes:
    """The bytes of the mesh that a run works on, looked at; b"" for the one that a run began with."""
    data = _mesh_bytes(mesh) if isinstance(mesh, Path) else mesh
    if data or not resume:
        check_glb(data)
    return data


def _of_mesh(mesh: Path | bytes, words: str) -> str:
    """Words for a folder, after the name of the mesh's file where there is one."""
    return f"{mesh.stem[:_LONGEST_STEM]} {words}" if isinstance(mesh, Path) else words


def _given(settings: Mapping[str, Any] | None, stage: str, name: str) -> bool:
    """Whether a person gave a setting."""
    group = (settings or {}).get(stage)
    return isinstance(group, Mapping) and name in group


def _stage(values: Any) -> Mapping[str, Any]:
    require(isinstance(values, Mapping), "paint", values, "a group of settings")
    stage: Mapping[str, Any] = values
    return stage


def _seed_of(settings: Mapping[str, Any]) -> int:
    """The seed for a folder's name; one that cannot be is refused later, with the other settings."""
    seed = settings.get("seed", 0)
    return seed if isinstance(seed, int) else 0


def _mesh_bytes(path: Path) -> bytes:
    """The bytes of a mesh file. Raises InputError for one that cannot be read or is too large."""
    try:
        found = Path(given_path(path))
        status = found.stat()
        if not stat.S_ISREG(status.st_mode):  # a device may never end
            raise UnusablePath("it is a folder" if found.is_dir() else "it is no file")
        check_mesh_size(status.st_size, f"{shortened(path)} has")
        return found.read_bytes()
    except (OSError, UnusablePath) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(
            "input.mesh",
            what="The mesh file cannot be read.",
            why=f"{shortened(path)}: {why}.",
            fix="Give the path of a .glb file: File > Export > glTF 2.0 in Blender, format glTF Binary.",
        ) from error


def check_mesh_size(size: int, subject: str = "It has") -> None:
    """Raise InputError for a mesh of more than MESH_LIMIT.

    size: int, bytes.
    subject: str, which begins the reason.
    """
    if size > MESH_LIMIT:
        raise InputError(
            "input.mesh",
            what="The mesh file is too large.",
            why=f"{subject} {size >> 20:,} MiB; the limit is {MESH_LIMIT >> 20} MiB.",
            fix="Export it without textures, or give a decimated copy.",
        )


def check_glb(data: bytes) -> None:
    """Raise InputError unless the bytes begin as a binary glTF 2 of their length, of MESH_LIMIT at most.

    The rest is read when the run begins.

    data: bytes of the file.
    """
    check_mesh_size(len(data))
    begins = len(data) >= 12 and data[:4] == b"glTF"
    if not begins or struct.unpack_from("<II", data, 4) != (2, len(data)):
        raise InputError(
            "input.mesh",
            what="The mesh is not a binary glTF file.",
            why="Its header is not that of a whole glTF 2.0 binary." if begins else "It does not begin as one does.",
            fix="Export it again: File > Export > glTF 2.0 in Blender, format glTF Binary (.glb).",
        )


def settings_for(
    facts: ModelFacts, preset_name: str, prompt: str, settings: Mapping[str, Any] | None = None
) -> Resolved:
    """The settings of a run with a model: preset, the recipe of its family, then the person's own.

    facts: ModelFacts of the model.
    preset_name: str, such as 'draft'.
    prompt: str.
    settings: nested by stage; None for none.
    Raises InputError for a recipe of another family and for settings that the family cannot have.
    """
    asked = (settings or {}).get("recipe", facts.recipe)
    recipe = recipe_named(str(asked))
    if recipe.family != facts.family:
        raise InputError(
            "input.recipe",
            what=f"The recipe '{asked}' does not fit this model.",
            why=f"It is for {FAMILIES[recipe.family].title}; the model is a {FAMILIES[facts.family].title}.",
            fix=f"Leave the recipe out, or give {facts.recipe}.",
        )
    made = resolve(preset_name, prompt, settings, str(asked))
    together = FAMILIES[facts.family].views_together
    if made.config.camera.group != together:
        raise InputError(
            "input.setting",
            what=f"The setting 'camera.group' cannot be {made.config.camera.group} with this model.",
            why=f"{FAMILIES[facts.family].title} judges "
            + (f"{together} views of one object together." if together > 1 else "every view alone."),
            fix=f"Leave camera.group out: the model's recipe has {together}.",
        )
    if not FAMILIES[facts.family].vae:
        values, plain = dotted(made.config), dotted(preset(preset_name, prompt))
        for name in NEEDS_AUTOENCODER:
            if values[name] != plain[name]:
                raise InputError(
                    "input.setting",
                    what=f"The setting '{name}' does nothing with this model.",
                    why=f"It is about an autoencoder, and {FAMILIES[facts.family].title} works on pixels without one.",
                    fix=f"Leave {name} out, or give a --model that has an autoencoder, such as Stable Diffusion.",
                )
    return made


def output_folder(given: Path) -> Path:
    """The absolute path of an output folder. Raises InputError for a path that no folder can have."""
    try:
        return Path(os.path.abspath(given_path(given, holds=_LONGEST_NAME)))
    except UnusablePath as error:
        raise InputError(
            "input.output",
            what="The output folder cannot be written.",
            why=f"{shortened(given)}: {error}.",
            fix="Give another --output folder.",
        ) from error


def contest_name(prompt: str, seeds: SeedRange) -> str:
    """Return the name of a contest's folder: of its prompt and of its first and last seed.

    prompt: str.
    seeds: SeedRange.
    """
    return f"{folder_name(prompt, seeds.first)}-to-{seeds.seeds[-1]}"


def folder_name(prompt: str, seed: int) -> str:
    """A name that every file system takes: 'A red mug!' with seed 3 -> 'a-red-mug-3'. Letters of any script stay.

    prompt: str.
    seed: int.
    """
    plain = unicodedata.normalize("NFKC", prompt).lower()
    words = re.sub(r"[\W_]+", "-", plain).strip("-")[:SLUG_LIMIT].strip("-")
    return f"{words or 'object'}-{seed}"


def check_encodable(text: str, name: str) -> None:
    """Raise InputError for text that is no text: bytes that the terminal could not decode, halves of characters.

    text: str.
    name: str, what the text is, for people.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(
            "input.prompt_control",
            what=f"The {name} is not readable text.",
            why="It holds bytes that are not UTF-8.",
            fix="Type the words again, or paste them as plain text.",
        ) from None


def disk_needed(config: GenerateConfig, seeds: int = 1) -> int:
    """Bytes that a run may take on the disk: checkpoints of field and optimizer, one more than seeds, and its files."""
    field = config.field
    table = field.levels * field.features * (4 << field.log2_table)  # float32; a coarse level has fewer entries
    return _DISK_NEEDED + (seeds + 1) * 3 * table  # Adam keeps two moments of each


def check_output(folder: Path, needed: int = _DISK_NEEDED) -> None:
    """Raise InputError unless `folder` can be made and written, with room on its disk. Leaves no trace.

    folder: Path.
    needed: int, bytes that must be free.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(
            "input.output_file",
            what="The output must be a folder, and this is a file.",
            why=f"{folder} is a file.",
            fix="Give another --output, or leave it out for outputs/<prompt>-<seed>.",
        )
    parent = folder
    try:
        while not parent.exists():
            if parent.is_symlink():
                raise _dangling(folder, parent)
            parent = parent.parent
        if not parent.is_dir():
            raise NotADirectoryError(f"{parent} is a file, not a folder")
        with tempfile.TemporaryFile(dir=parent):
            pass
        check_room(
            parent,
            needed,
            what="There is too little room on the disk.",
            needs="A run",
            fix="Make room, or give an --output folder on another disk.",
        )
    except OSError as error:
        raise InputError(
            "input.output",
            what="The output folder cannot be written.",
            why=f"{folder}: {error.strerror or error}",
            fix="Give another --output folder, or change the permissions of this one.",
        ) from error


def _dangling(folder: Path, link: Path) -> InputError:
    return InputError(
        "input.output",
        what="The output folder cannot be made.",
        why=f"{link} {absence(link)}" + (f", and {folder} is below it." if folder != link else "."),
        fix="Make the folder that the link leads to (is its disk connected?), or give another --output.",
    )


def check_not_taken(
    folder: Path, config: GenerateConfig, task: str = "generate", seeds: SeedRange | None = None
) -> None:
    """Raise InputError when `folder` holds the finished result of another run, which this one would replace.

    It is another one if its prompt, seeds or task are.

    folder: Path of the run.
    config: GenerateConfig of the run.
    task: str, of RESULTS.
    seeds: SeedRange of a contest.
    """
    report = folder / "result.json"
    if not report.is_file():
        return
    try:
        found = json.loads(report.read_text(encoding="utf-8"))
        prompt, seed = found["prompt"], found["contest"]["seeds"] if "contest" in found else found["seed"]
        made = next((name for name, (_, key) in RESULTS.items() if key in found), "generate")
    except (OSError, ValueError, KeyError, TypeError):
        prompt, seed, made = "something that is not a result of this engine", None, task
    if (prompt, seed, made) != (config.prompt, config.seed if seeds is None else list(seeds.seeds), task):
        called = "result" if made == task else RESULTS[made][0]
        shown = prompt if seed is None else f"the {called} for {str(prompt)[:80]!r}, seed {seed}"
        raise InputError(
            "input.output_taken",
            what="The output folder is taken.",
            why=f"{report} is {shown}; this run would replace it.",
            fix="Give another --output folder, or move the old result away.",
        )
