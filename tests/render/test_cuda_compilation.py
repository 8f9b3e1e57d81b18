"""The kernels compile for a card where there is none: Warp's compiler needs no device.

Of: dreamfusion_engine/field/hash_grid_kernels.py, dreamfusion_engine/render.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import warp as wp

from dreamfusion_engine.field.hash_grid_kernels import grid_kernels
from dreamfusion_engine.render import composite, march
from dreamfusion_engine.render.surface import antialias_kernels, hits_kernels, normals_kernels, texture_kernels


@pytest.mark.parametrize(
    "kernel",
    [
        march.count_samples,
        composite.composite_rays,
        grid_kernels(2).encode,
        grid_kernels(2).table_gradient_atomic,
        grid_kernels(2).point_gradient,
        hits_kernels.cast_rays,
        texture_kernels.add_to_texels_atomic,
        antialias_kernels.find_silhouettes,
        normals_kernels.corner_gradients,
    ],
    ids=lambda kernel: kernel.key.split("__")[-1],
)
def test_the_kernel_compiles_for_cuda_on_a_machine_without_it(kernel: Any, tmp_path: Path) -> None:
    """To PTX for the oldest card that current torch builds run on; the driver does the rest."""
    wp.compile_aot_module(kernel.module, arch=75, module_dir=tmp_path, use_ptx=True)
    assert [path.suffix for path in tmp_path.glob("*.ptx")] == [".ptx"]
