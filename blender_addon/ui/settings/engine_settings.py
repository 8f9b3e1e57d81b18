"""The engine's own settings as Blender properties: one group a stage, one property a setting, under the same names.

`scene.dreamfusion.guidance.scale` is the engine's `guidance.scale`. Ranges and defaults are the engine's; a test
compares them with `dreamfusion_engine/config/stages.py`. Two differ in kind: `mesh.iso` is a number or "auto" there, a
switch and a number here; `mesh.texture` is a list of the sizes that make sense.
"""

from __future__ import annotations

from bpy.props import BoolProperty, EnumProperty, FloatProperty, FloatVectorProperty, IntProperty, IntVectorProperty
from bpy.types import PropertyGroup

from . import artist_settings, range_limits

TEXTURE_SIZES = (256, 512, 1024, 2048, 4096, 8192)  # pixels


class DREAMFUSION_PG_guidance(PropertyGroup):
    """Score distillation from the diffusion model (`guidance` of the engine)."""

    scale: FloatProperty(
        name="Scale",
        description="How strictly the object follows the prompt. Too high gives garish colours, too low gives a blur",
        default=7.0,
        min=0.0,
        max=1000.0,
        soft_min=1.0,
        soft_max=100.0,
        step=50,
        precision=1,
    )
    scale_kept: FloatProperty(
        name="Scale Kept",
        description="Share of the scale that is left at the end of training. Less gives truer colours",
        default=0.2,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    rescale: FloatProperty(
        name="Rescale",
        description="Share of the guided picture that is brought back to natural contrast. Higher is less saturated",
        default=0.6,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    t_max: FloatVectorProperty(
        name="Noise Max",
        description="Most noise that a render gets, at the start and at the end of training. Decides the overall shape",
        size=2,
        default=(0.98, 0.3),
        min=0.002,
        max=0.999,
        precision=3,
        update=range_limits.above("t_max", "t_min"),
    )
    t_min: FloatVectorProperty(
        name="Noise Min",
        description="Least noise that a render gets, at the start and at the end of training. Decides the details",
        size=2,
        default=(0.5, 0.02),
        min=0.001,
        max=0.998,
        precision=3,
        update=range_limits.below("t_min", "t_max"),
    )
    anneal_until: FloatProperty(
        name="Anneal Until",
        description="Part of the training after which the noise range is at its end and the scale begins to fall",
        default=0.7,
        min=0.01,
        max=1.0,
        subtype="FACTOR",
    )
    weighting: EnumProperty(
        name="Weighting",
        description="How much each noise level counts",
        items=(
            ("uniform", "Uniform", "Every noise level counts the same. Sharper details"),
            ("sigma_squared", "Sigma Squared", "Noisy levels count more, as in the DreamFusion paper"),
            ("alpha_sigma", "Alpha Sigma", "Middle levels count most"),
        ),
        default="uniform",
    )
    annealing: EnumProperty(
        name="Annealing",
        description="How the noise range moves from its start to its end",
        items=(
            ("linear", "Even", "At one pace"),
            ("sqrt", "Fast First", "Fast at first, then slower. Details begin earlier"),
            ("step", "In One Step", "At its start until Anneal Until, then at its end"),
        ),
        default="linear",
    )
    score: EnumProperty(
        name="Score",
        description="What the model's predictions are made into",
        items=(
            ("sds", "SDS", "Score distillation, as in DreamFusion"),
            ("csd", "CSD", "Towards the prompt alone. For large models; the built-in one falls apart"),
            ("nfsd", "NFSD", "Without the part that is noise. For large models; the built-in one falls apart"),
            ("sdi", "SDI", "Noise found by inversion, several times as slow"),
            ("vsd", "VSD", "Against a model that learns the renders, two to three times as slow"),
            ("sampled", "Sampled", "Towards a picture sampled from the noised render. Softer, nearly twice as slow"),
        ),
        default="sds",
        update=artist_settings.settle_score,
    )
    view_prompts: EnumProperty(
        name="View Prompts",
        description="Add front, side, back or overhead view to the prompt, against objects with several faces",
        items=(
            ("nearest", "Nearest View", "The words of the view that is nearest to each camera"),
            ("interpolated", "Interpolated", "The words of neighbouring views, mixed by the camera's angle"),
            ("off", "Off", "The prompt alone"),
        ),
        default="nearest",
    )
    perp_neg: EnumProperty(
        name="Perp-Neg",
        description="Push other views' features away from each view, against objects with several faces. Slower",
        items=(
            ("auto", "Automatic", "On for full checkpoints, off for the built-in model"),
            ("on", "On", "Always"),
            ("off", "Off", "Never"),
        ),
        default="auto",
    )


class DREAMFUSION_PG_camera(PropertyGroup):
    """Where training looks from (`camera` of the engine). The object's box reaches from -1 to 1."""

    distance: FloatVectorProperty(
        name="Distance",
        description="Nearest and farthest camera, in halves of the object's box",
        size=2,
        default=(3.0, 3.5),
        min=1.8,
        max=100.0,
        soft_max=6.0,
        precision=2,
        update=range_limits.pair("distance"),
    )
    fov_deg: FloatVectorProperty(
        name="Field of View",
        description="Smallest and largest vertical field of view, in degrees",
        size=2,
        default=(36.0, 42.0),
        min=1.0,
        max=120.0,
        precision=1,
        update=range_limits.pair("fov_deg"),
    )
    elevation_deg: FloatVectorProperty(
        name="Elevation",
        description="Lowest and highest camera above the horizon, in degrees",
        size=2,
        default=(-10.0, 80.0),
        min=-90.0,
        max=90.0,
        precision=1,
        update=range_limits.pair("elevation_deg"),
    )
    target_jitter: FloatProperty(
        name="Target Jitter",
        description="How far from the middle the cameras aim, in halves of the object's box",
        default=0.02,
        min=0.0,
        max=0.5,
        precision=3,
    )


class DREAMFUSION_PG_optimize(PropertyGroup):
    """The training loop (`optimize` of the engine)."""

    steps: IntProperty(
        name="Steps",
        description="Training steps. More is slower and finer",
        default=1200,
        min=1,
        max=1_000_000,
        soft_min=100,
        soft_max=15_000,
    )
    views: IntProperty(
        name="Views per Step",
        description="Renders per step, each from another side. More is slower, steadier and takes more memory",
        default=2,
        min=1,
        max=64,
        soft_max=8,
    )
    resolution: IntVectorProperty(
        name="Resolution",
        description="Pixels along a render's side, in the first and in the second half of training",
        size=2,
        default=(32, 48),
        min=8,
        max=1024,
        soft_max=128,
    )
    learning_rate: FloatProperty(
        name="Learning Rate",
        description="Size of the optimizer's steps. Lower it when the object breaks up",
        default=0.015,
        min=0.0001,
        max=1.0,
        soft_max=0.1,
        precision=4,
        step=0.1,
    )
    albedo_until: FloatProperty(
        name="Unlit Until",
        description="Part of the training without lighting, at its start",
        default=0.2,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    textureless: FloatProperty(
        name="White Clay",
        description="Share of the lit renders without colour, so that the shape itself has to be right",
        default=0.2,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    orientation: FloatProperty(
        name="Orientation",
        description="Penalty for surfaces that face away from the camera and still show",
        default=0.1,
        min=0.0,
        max=1e6,
        soft_max=10.0,
        precision=4,
    )
    smoothness: FloatProperty(
        name="Smoothness",
        description="Penalty for ripples of the surface. Too high rounds edges off",
        default=0.04,
        min=0.0,
        max=1e6,
        soft_max=10.0,
        precision=4,
    )
    opacity: FloatProperty(
        name="Emptiness",
        description="Penalty for filling space. Higher gives a smaller and cleaner object, too high lets it vanish",
        default=0.012,
        min=0.0,
        max=1e6,
        soft_max=1.0,
        precision=4,
        step=0.1,
    )
    entropy: FloatProperty(
        name="Sharpness",
        description="Penalty for haze, from the middle of the training on",
        default=1.2,
        min=0.0,
        max=1e6,
        soft_max=10.0,
        precision=3,
    )
    levels_until: FloatProperty(
        name="Coarse Until",
        description="Part of the training by which the finest details are allowed",
        default=0.3,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    gradient_clip: FloatProperty(
        name="Gradient Clip",
        description="Largest change that one step may ask for. 0 is no limit",
        default=1.0,
        min=0.0,
        max=1e6,
        soft_max=10.0,
        precision=2,
    )


class DREAMFUSION_PG_mesh(PropertyGroup):
    """From density to a textured mesh (`mesh` of the engine)."""

    resolution: IntProperty(
        name="Lattice",
        description="Cells along the box when the surface is cut out. More catches finer details",
        default=160,
        min=16,
        max=1024,
        soft_min=64,
        soft_max=512,
    )
    iso_auto: BoolProperty(
        name="Automatic Level",
        description="Measure the density at which the surface agrees best with the renders",
        default=True,
    )
    iso: FloatProperty(
        name="Surface Level",
        description="Density at which the surface is cut out. Lower gives a fatter object",
        default=10.0,
        min=0.001,
        max=10_000.0,
        soft_max=100.0,
    )
    smoothing: IntProperty(
        name="Smoothing",
        description="Rounds of smoothing that keep the volume",
        default=20,
        min=0,
        max=100,
    )
    triangles: IntProperty(
        name="Triangles",
        description="Most triangles that the mesh may have",
        default=20_000,
        min=100,
        max=5_000_000,
        soft_min=1_000,
        soft_max=200_000,
    )
    min_part: FloatProperty(
        name="Smallest Part",
        description="Loose parts under this share of the largest part's volume are removed",
        default=0.01,
        min=0.0,
        max=0.999,
        precision=3,
        subtype="FACTOR",
    )
    texture: EnumProperty(
        name="Texture Size",
        description="Pixels along the colour texture's side",
        items=[(str(size), f"{size} px", f"{size} by {size} pixels", size) for size in TEXTURE_SIZES],
        default="1024",
    )
    padding: IntProperty(
        name="Padding",
        description="Pixels of colour beyond the edges of the texture's islands, against seams",
        default=8,
        min=0,
        max=64,
        subtype="PIXEL",
    )
    unwrap_seconds: FloatProperty(
        name="Unwrap Time",
        description="Seconds that the unwrap may take. After that a simpler one is used",
        default=40.0,
        min=0.1,
        max=3600.0,
        soft_min=5.0,
        soft_max=300.0,
        precision=0,
        step=500,
    )


CLASSES = (DREAMFUSION_PG_guidance, DREAMFUSION_PG_camera, DREAMFUSION_PG_optimize, DREAMFUSION_PG_mesh)
