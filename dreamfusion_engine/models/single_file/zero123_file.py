"""A single file of Zero123: its parts under the names by which the folder is read. diffusers has no pipeline for it.

The unet and the autoencoder are those of the first program of Stable Diffusion, which diffusers converts part by part.
The encoder of pictures has the names of OpenAI's CLIP. The linear map keeps its numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamfusion_engine.hub.selection import INDEX
from dreamfusion_engine.models.family import IMAGE_ENCODER
from dreamfusion_engine.models.part_weights import STEMS, read_json
from dreamfusion_engine.models.single_file.layouts import LAYOUTS
from dreamfusion_engine.models.single_file.read import SingleFile

if TYPE_CHECKING:
    from torch import Tensor

_CLASSES = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL"}
_WHOLE = {  # OpenAI's name -> transformers'
    "class_embedding": "vision_model.embeddings.class_embedding",
    "conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "ln_post.weight": "vision_model.post_layernorm.weight",
    "ln_post.bias": "vision_model.post_layernorm.bias",
}
_IN_LAYER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_LAYER = re.compile(r"transformer\.resblocks\.(\d+)\.(.+)[._](weight|bias)")


def write_zero123(file: SingleFile, configs: Path, made: Path) -> None:
    """Write the pipeline folder of a file, in half precision.

    file: SingleFile of Zero123.
    configs: Path of the copied configs.
    made: Path of the folder to make.
    Raises what diffusers raises, KeyError or ValueError for weights that do not fit; safetensors.SafetensorError.
    """
    import diffusers
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    half = torch.bfloat16 if file.dtype == "BF16" else torch.float16
    layout, projection = LAYOUTS["zero123"], "cc_projection"
    made.mkdir()
    with safe_open(file.path, framework="pt") as stream:
        for part, class_name in _CLASSES.items():
            if part not in file.held:
                continue
            names = [name for name in file.tensors if name.startswith(layout.parts[part][0].partition(".")[0])]
            state = {name: stream.get_tensor(name) for name in names}
            network: Any = getattr(diffusers, class_name).from_single_file(
                state, config=str(configs / part), local_files_only=True, torch_dtype=half
            )
            lost = [name for name, weight in network.named_parameters() if weight.is_meta]
            if lost:
                raise ValueError(f"it lacks {len(lost)} weights of the {part}, the first is {lost[0]}")
            network.save_pretrained(made / part)
        if IMAGE_ENCODER in file.held:
            prefix = layout.parts[IMAGE_ENCODER][0]
            tower = {name.removeprefix(prefix): stream.get_tensor(name) for name in _of(file, prefix)}
            _save(vision_tower(tower), configs, made, IMAGE_ENCODER, half, save_file)
        prefix = layout.parts[projection][0]
        linear = {f"projection.{name.removeprefix(prefix)}": stream.get_tensor(name) for name in _of(file, prefix)}
        _save(linear, configs, made, projection, half, save_file)
    (made / "scheduler").mkdir()
    scheduler = Path("scheduler") / "scheduler_config.json"
    (made / scheduler).write_bytes((configs / scheduler).read_bytes())
    (made / INDEX).write_text(json.dumps(read_json(configs / INDEX), indent=2), encoding="utf-8")


def vision_tower(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of OpenAI's tower of pictures under the names of CLIPVisionModelWithProjection.

    state: by OpenAI's names, without what comes before them.
    Raises ValueError for a name that such a tower has not.
    """
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        layer = _LAYER.fullmatch(name)
        if name in _WHOLE:
            found[_WHOLE[name]] = value
        elif name == "proj":
            found["visual_projection.weight"] = value.T.contiguous()
        elif layer is None:
            raise ValueError(f"its encoder of pictures holds {name[:80]}")
        else:
            number, inner, kind = layer.groups()
            begin = f"vision_model.encoder.layers.{number}."
            if inner == "attn.in_proj":
                for which, part in zip("qkv", value.chunk(3), strict=True):
                    found[f"{begin}self_attn.{which}_proj.{kind}"] = part.contiguous()
            elif inner in _IN_LAYER:
                found[f"{begin}{_IN_LAYER[inner]}.{kind}"] = value
            else:
                raise ValueError(f"its encoder of pictures holds {name[:80]}")
    return found


def _of(file: SingleFile, prefix: str) -> list[str]:
    return [name for name in file.tensors if name.startswith(prefix)]


def _save(state: Mapping[str, Tensor], configs: Path, made: Path, part: str, half: Any, save: Any) -> None:
    """A part's weights and its config."""
    (made / part).mkdir()
    stem = STEMS[1] if part == IMAGE_ENCODER else STEMS[0]
    save({name: value.to(half).contiguous() for name, value in state.items()}, made / part / f"{stem}.safetensors")
    (made / part / "config.json").write_bytes((configs / part / "config.json").read_bytes())
