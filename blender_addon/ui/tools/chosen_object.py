"""The object that tools work on: the active one, if DreamFusion made it."""

from __future__ import annotations

from typing import Any

from bpy.types import Context, Object

from ...core.phrase import phrase
from ..scene import object_recipe
from ..translation import translated


def chosen(context: Context) -> Object | None:
    """The active object, if it is a result of the add-on and a mesh."""
    obj = context.active_object
    return obj if object_recipe.is_result(obj) and obj.type == "MESH" else None


def obstacle(context: Context, *, changes: bool) -> str:
    """Why a tool cannot be used now, for its grey button; "" if it can.

    changes: bool, whether the tool changes the object.
    """
    obj = chosen(context)
    if obj is None:
        return phrase("Select an object that DreamFusion made")
    if changes and context.mode != "OBJECT":
        return phrase("Go back to Object Mode first")
    if changes and (obj.library is not None or obj.data.library is not None):
        return phrase("The object belongs to another file")
    return ""


class Tool:
    """The common part of all tools: they need an object that DreamFusion made."""

    changes = False

    @classmethod
    def poll(cls: Any, context: Context) -> bool:
        """Whether the tool can be used. If not, the grey button's hint says what is missing."""
        why_not = obstacle(context, changes=cls.changes)
        if why_not:
            cls.poll_message_set(translated(why_not))
        return not why_not


class ChangingTool(Tool):
    """The common part of tools that change the object."""

    changes = True
