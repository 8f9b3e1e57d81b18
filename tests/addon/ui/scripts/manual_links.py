"""Where F1 leads for every operator and every property of the add-on, by Blender's own look-up."""

import addon
import bpy
from bl_operators.wm import WM_OT_doc_view_manual

addon.enable()
wanted = [f"bpy.ops.dreamfusion.{name}" for name in dir(bpy.ops.dreamfusion)]
groups = [cls for cls in bpy.types.PropertyGroup.__subclasses__() if cls.__name__.startswith("DREAMFUSION_")]
for cls in [*groups, bpy.types.AddonPreferences.bl_rna_get_subclass_py("DREAMFUSION_AP_preferences")]:
    wanted += [
        f"bpy.types.{cls.__name__}.{prop.identifier}"
        for prop in cls.bl_rna.properties
        if prop.is_runtime and not prop.is_hidden and cls.is_registered
    ]
addon.tell(links={name: WM_OT_doc_view_manual._lookup_rna_url(name, verbose=False) for name in wanted})
addon.tell(blenders_own=WM_OT_doc_view_manual._lookup_rna_url("bpy.ops.mesh.subdivide", verbose=False))
addon.disable()
addon.tell(after=WM_OT_doc_view_manual._lookup_rna_url("bpy.ops.dreamfusion.generate", verbose=False))
