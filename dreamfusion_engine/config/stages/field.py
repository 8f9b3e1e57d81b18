"""The stage `field`: the radiance field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dreamfusion_engine.config.setting import Shown, Stage, require, setting


@dataclass(frozen=True, kw_only=True)
class FieldConfig(Stage, stage="field"):
    """The radiance field: a multiresolution hash grid (Mueller 2022, arXiv 2201.05989) and a small MLP."""

    levels: int = setting(8, low=1, high=24, says="L, levels of the hash grid")
    features: int = setting(2, low=1, high=8, says="F, features a level")
    log2_table: int = setting(15, low=8, high=24, says="Entries a level = 2^log2_table")
    base_resolution: int = setting(8, low=2, high=512, unit="cells", says="Cells along the box at the coarsest level")
    finest_resolution: int = setting(
        128, low=2, high=8192, unit="cells", says="Cells along the box at the finest level, base_resolution or more"
    )
    hidden: int = setting(32, low=4, high=256, says="Width of the MLP, which has one hidden layer")
    blob_density: float = setting(10.0, says="Height of the initial density blob, before the activation")
    blob_radius: float = setting(
        0.5, above=0.0, high=2.0, unit="world units", says="Radius of the initial density blob"
    )
    density_gain: float = setting(
        20.0,
        above=0.0,
        high=1000.0,
        says="Times the MLP's density before its activation: how soon a surface can be solid",
    )
    activation: Literal["softplus", "exp"] = setting(
        "softplus", says="From the MLP's number to density: softplus grows with it, exp multiplies"
    )
    background: Literal["random", "white", "learned"] = setting(
        "random", says="What is behind the object in training: plain colours at random, white, or a learned sphere"
    )

    symmetry: Literal["none", "x"] = setting(
        "none",
        says="With x left and right are mirror images, in training and, to the bit, in the mesh",
        shown=Shown(
            label="Symmetry",
            says="Make one side the mirror image of the other",
            words={
                "none": ("None", "Each side as the model likes it"),
                "x": ("Left and Right", "The left side is the exact mirror image of the right one"),
            },
        ),
    )

    def check_together(self) -> None:
        """The finest level is not coarser than the coarsest."""
        finest = self.finest_resolution
        needs = f"at least base_resolution, which is {self.base_resolution}"
        require(self.base_resolution <= finest, "field.finest_resolution", finest, needs)
