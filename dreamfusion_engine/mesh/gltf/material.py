"""The base colour of a glTF material: which UVs it uses, and the same material with another texture there.

Khronos, "glTF 2.0 Specification", section 3.9, KHR_texture_transform, and KHR_materials_pbrSpecularGlossiness, whose
diffuse colour is shown in the place of the base colour where a program knows it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

WHITE = [1.0, 1.0, 1.0, 1.0]
_GLOSS = "KHR_materials_pbrSpecularGlossiness"
_TRANSFORM = "KHR_texture_transform"
_BASE = ("pbrMetallicRoughness", "baseColorTexture", "baseColorFactor")
_DIFFUSE = (_GLOSS, "diffuseTexture", "diffuseFactor")


def mapping(value: Any) -> dict[str, Any]:
    """Return `value` where it is a dict, else an empty one."""
    return value if isinstance(value, dict) else {}


def base_colour(material: dict[str, Any]) -> tuple[dict[str, Any] | None, Any]:
    """Return the reference to the texture of the base colour or None, and the factor as the file says it."""
    gloss = mapping(material.get("extensions")).get(_GLOSS)
    room, texture, factor = _DIFFUSE if isinstance(gloss, dict) else _BASE
    slot = gloss if isinstance(gloss, dict) else mapping(material.get(room))
    info = slot.get(texture)
    return (info if isinstance(info, dict) else None), slot.get(factor, WHITE)


def uv_set(info: dict[str, Any] | None) -> int:
    """Return the n of TEXCOORD_n that a reference to a texture means; 0 where it says nothing sound.

    KHR_texture_transform may name another set than the reference itself.
    """
    if info is None:
        return 0
    said = _transform(info).get("texCoord", info.get("texCoord", 0))
    return said if type(said) is int and said >= 0 else 0


def is_moved(info: dict[str, Any]) -> bool:
    """Return whether KHR_texture_transform moves, turns or scales a texture.

    info: dict, a reference to it.
    """
    return any(name in _transform(info) for name in ("offset", "rotation", "scale"))


def with_picture(material: dict[str, Any], texture: int) -> dict[str, Any]:
    """Return a copy of a material whose base colour has another picture, on the same UVs and with the same factor.

    material: dict, of the file; its base colour has a texture.
    texture: int, its number in the file.
    """
    made = copy.deepcopy(material)
    info, _ = base_colour(made)
    assert info is not None
    info["index"] = texture
    return made


def painted(material: dict[str, Any], texture: int, coordinates: int) -> dict[str, Any]:
    """Return a copy of a material with a new texture as its base colour, and the colour factor white.

    The rest stays: alpha, the other textures, the extensions. The texture's KHR_texture_transform goes.
    texture: int, its number in the file.
    coordinates: int, the n of TEXCOORD_n.
    """
    made = copy.deepcopy(material)
    slots = [(made, *_BASE)]
    extensions = made.get("extensions")
    if isinstance(extensions, dict) and isinstance(extensions.get(_GLOSS), dict):
        slots.append((extensions, *_DIFFUSE))
    for owner, room, name, factor in slots:
        slot = mapping(owner.get(room))
        owner[room] = slot
        slot[name] = _reference(mapping(slot.get(name)), texture, coordinates)
        if factor in slot:
            alpha = slot[factor][3] if isinstance(slot[factor], list) and len(slot[factor]) == 4 else 1.0
            slot[factor] = [1.0, 1.0, 1.0, alpha]
    return made


def matt(name: str, texture: int, coordinates: int, roughness: float) -> dict[str, Any]:
    """Return a new matt material with a base-colour texture.

    name, texture, coordinates: as for `painted`.
    roughness: float in [0, 1].
    """
    pbr = {
        "baseColorTexture": _reference({}, texture, coordinates),
        "metallicFactor": 0.0,
        "roughnessFactor": roughness,
    }
    return {"name": name, "pbrMetallicRoughness": pbr}


def others_use(material: dict[str, Any], coordinates: int) -> bool:
    """Return whether a texture other than the base colour's uses TEXCOORD_n.

    material: dict, of the file.
    coordinates: int, n.
    """
    return any(uv_set(info) == coordinates for info in _others(material))


def move_others(material: dict[str, Any], before: int, after: int) -> None:
    """Let the textures other than the base colour's that use TEXCOORD_`before` use TEXCOORD_`after`. In place.

    material: dict, of the file.
    before, after: int.
    """
    for info in _others(material):
        if uv_set(info) == before:
            transform = _transform(info)
            (transform if "texCoord" in transform else info)["texCoord"] = after


def _others(value: Any, name: str = "") -> Iterator[dict[str, Any]]:
    """All references to textures in a material, at any depth, but those of the base colour."""
    if isinstance(value, dict):
        if name.endswith("Texture") and "index" in value:
            if name not in (_BASE[1], _DIFFUSE[1]):
                yield value
            return
        for key, inner in value.items():
            if key != "extras":
                yield from _others(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _others(inner)


def _transform(info: dict[str, Any]) -> dict[str, Any]:
    return mapping(mapping(info.get("extensions")).get(_TRANSFORM))


def _reference(info: dict[str, Any], texture: int, coordinates: int) -> dict[str, Any]:
    """A reference to `texture`, with what `info` said beside that."""
    made = {**info, "index": texture}
    if coordinates or "texCoord" in made:
        made["texCoord"] = coordinates
    kept = {name: value for name, value in mapping(made.pop("extensions", None)).items() if name != _TRANSFORM}
    return {**made, "extensions": kept} if kept else made
