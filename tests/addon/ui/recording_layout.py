"""A layout that draws nothing and checks everything: functions, arguments, icons, properties and operators.

Without a window Blender never draws a panel. This stands in for `UILayout`, by Blender's own description of it, so that
a panel which would fail in one Blender fails the test in that Blender.
"""

from __future__ import annotations

from typing import Any

import bpy

_FUNCTIONS = bpy.types.UILayout.bl_rna.functions
_PROPERTIES = bpy.types.UILayout.bl_rna.properties
_NESTING = {"row", "column", "box", "split", "column_flow", "grid_flow"}


class Drawn:
    """What all layouts of one drawing have recorded: (function, what it shows)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def texts(self) -> list[str]:
        """Every text that is drawn, wrapped lines one by one."""
        return [text for kind, text in self.calls if kind in ("label", "progress") and text]

    def operators(self) -> list[str]:
        """Every operator that has a button, by its id."""
        return [text for kind, text in self.calls if kind == "operator"]

    def properties(self) -> list[str]:
        """Every property that has a field."""
        return [text for kind, text in self.calls if kind == "prop"]


class _OperatorProperties:
    """What `layout.operator` returns: takes only the properties that the operator has."""

    def __init__(self, idname: str) -> None:
        module, _, name = idname.partition(".")
        known = getattr(getattr(bpy.ops, module), name).get_rna_type().properties.keys()
        object.__setattr__(self, "_known", set(known))

    def __setattr__(self, name: str, _value: Any) -> None:
        assert name in self._known, f"the operator has no {name}"

    def __getattr__(self, name: str) -> Any:
        if name not in object.__getattribute__(self, "_known"):
            raise AttributeError(name)
        return ""


class RecordingLayout:
    """One layout; nested ones share the record."""

    def __init__(self, drawn: Drawn) -> None:
        object.__setattr__(self, "drawn", drawn)
        object.__setattr__(self, "use_property_split", False)

    def __setattr__(self, name: str, value: Any) -> None:
        prop = _PROPERTIES[name]
        if prop.type == "ENUM":
            assert value in prop.enum_items, f"{name} cannot be {value}"
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        if name not in _FUNCTIONS:
            raise AttributeError(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._call(name, args, kwargs)

        return call

    def _call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        parameters = {p.identifier: p for p in _FUNCTIONS[name].parameters if not p.is_output}
        given = {**dict(zip(parameters, args, strict=False)), **kwargs}
        unknown = set(given) - set(parameters)
        if unknown:
            raise TypeError(f"{name}() has no {', '.join(sorted(unknown))}")  # as Blender does
        missing = [key for key, p in parameters.items() if p.is_required and key not in given]
        assert not missing, f"{name}() lacks {missing}"
        for key, value in given.items():
            if parameters[key].type == "ENUM" and not isinstance(value, set) and parameters[key].enum_items:
                assert value in parameters[key].enum_items, f"{name}({key}={value!r})"
        return self._record(name, given)

    def _record(self, name: str, given: dict[str, Any]) -> Any:
        shown = str(given.get("text", ""))
        if name in ("prop", "prop_enum", "template_ID", "template_list"):
            data, key = (given["dataptr"], "propname") if name == "template_list" else (given["data"], "property")
            assert given[key] in data.bl_rna.properties, f"{data} has no {given[key]}"
            shown = f"{type(data).__name__}.{given[key]}"
            getattr(data, given[key])  # computed ones run
        elif name == "operator":
            shown = given["operator"]
            module, _, verb = shown.partition(".")
            assert verb in dir(getattr(bpy.ops, module)), f"there is no operator {shown}"
        elif name == "menu":
            shown = given["menu"]
            assert hasattr(bpy.types, shown), shown
        elif name == "popover":
            assert hasattr(bpy.types, given["panel"]), given["panel"]
        call = ("prop" if name == "prop_enum" else name, shown)
        if name != "prop_enum" or self.drawn.calls[-1:] != [call]:  # the buttons of one property are one field
            self.drawn.calls.append(call)
        if name in _NESTING:
            return RecordingLayout(self.drawn)
        return _OperatorProperties(shown) if name == "operator" else None


class PanelInstance:
    """Stands in for an instance of a panel, menu or list: its class's functions, and a recording layout."""

    def __init__(self, cls: type, drawn: Drawn) -> None:
        self._cls = cls
        self.layout = RecordingLayout(drawn)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._cls, name)
        return found.__get__(self) if callable(found) and not hasattr(found, "__self__") else found


def draw(cls: Any, context: Any = None) -> Drawn:
    """Draw a panel or a menu; what it drew. A panel whose poll says no draws nothing."""
    drawn = Drawn()
    context = bpy.context if context is None else context
    if "poll" in dir(cls) and not cls.poll(context):
        return drawn
    instance = PanelInstance(cls, drawn)
    for part in ("draw_header_preset", "draw"):
        function = getattr(cls, part, None)
        if function is not None:
            function(instance, context)
    return drawn
