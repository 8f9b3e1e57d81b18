"""The unet of a single file of MVDream, which diffusers has no pipeline for: kept as published folders have it.

Everything else in such a file is Stable Diffusion 2, which diffusers converts.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from dreamfusion_engine.hub.selection import INDEX
from dreamfusion_engine.models.multi_view import FAMILY, MULTI_VIEW_UNET
from dreamfusion_engine.models.part_weights import STEMS, read_json
from dreamfusion_engine.models.single_file.layouts import UNET
from dreamfusion_engine.models.single_file.read import SingleFile

OTHERS = "StableDiffusionPipeline"  # what diffusers is told that the rest is


def hide_unet(configs: Path) -> None:
    """Make the index of copied configs one of Stable Diffusion without a unet, so that diffusers reads the rest.

    configs: Path of the copied configs.
    """
    _write_index(configs, _class_name=OTHERS, unet=[None, None])


def keep_unet(file: SingleFile, configs: Path, made: Path) -> None:
    """Write the file's unet, in half precision, and name it in the index of the folder that is made.

    file: SingleFile with a multi-view unet.
    configs: Path of the copied configs.
    made: Path of the folder that is made.
    Raises safetensors.SafetensorError where the file cannot be read.
    """
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    half = torch.bfloat16 if file.dtype == "BF16" else torch.float16
    with safe_open(file.path, framework="pt") as stream:
        names = [name for name in file.tensors if name.startswith(UNET)]
        state = {name.removeprefix(UNET): stream.get_tensor(name).to(half).contiguous() for name in names}
    (made / "unet").mkdir()
    save_file(state, made / "unet" / f"{STEMS[0]}.safetensors")
    shutil.copyfile(configs / "unet" / "config.json", made / "unet" / "config.json")
    _write_index(made, _class_name=FAMILY, unet=["mv_unet", MULTI_VIEW_UNET])


def _write_index(folder: Path, **changes: Any) -> None:
    index = {**read_json(folder / INDEX), **changes}
    (folder / INDEX).write_text(json.dumps(index, indent=2), encoding="utf-8")
