"""Images of every kind on their way to the engine: what is sent for each, and why some are refused."""

import hashlib
import os
from array import array
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import addon
import bpy

addon.enable()
given = addon.part("ui.scene.given_image")
job = addon.part("core.job")
icons = addon.part("ui.scene.icons")
FOLDER = os.environ["FOLDER"]
W, H = 32, 24
said: dict[str, Any] = {}


def marked(image: Any) -> Any:
    """Blue at half alpha below, opaque red above; top left is white. In light, where the image has floats."""
    values = array("f", bytes(16 * W * H))
    image.pixels.foreach_get(values)
    for y in range(H):
        for x in range(W):
            pixel = (1.0, 1.0, 1.0, 1.0) if y >= H - 8 and x < 8 else (1.0, 0.0, 0.0, 1.0) if y >= 12 else LOWER
            values[4 * (y * W + x) : 4 * (y * W + x) + 4] = array("f", pixel)
    image.pixels.foreach_set(values)
    image.update()
    return image


LOWER: tuple[float, ...] = (0.0, 0.0, 0.5, 0.5)


def corners(data: bytes) -> list[list[int]]:
    """Top left, top right, bottom left of a PNG, 8 bits; the engine's reader is Pillow, this is Blender's."""
    pixels = icons.decoded(data)
    assert pixels is not None, data[:20]
    w, h, values = pixels.width, pixels.height, pixels.values
    places = ((1, h - 2), (w - 2, h - 2), (1, 1))
    return [[w, h]] + [[round(255 * v) for v in values[4 * (y * w + x) : 4 * (y * w + x) + 4]] for x, y in places]


def sent(image: Any) -> bytes:
    return bytes(given.image_file(image))


def refused(image: Any) -> list[str]:
    try:
        given.image_file(image)
    except job.EngineTrouble as error:
        trouble = error.trouble
        return [trouble.code, trouble.what, trouble.why, trouble.fix, given.obstacle(image)]
    return []


new = bpy.data.images.new
image = marked(new("Generated", W, H, alpha=True))
said["generated"] = corners(sent(image))
image.pack()
said["packed"] = [sent(image) == bytes(image.packed_file.data), corners(sent(image))]
image.pixels[0:4] = (0.0, 1.0, 0.0, 1.0)
said["painted after packing"] = [image.is_dirty, sent(image) == bytes(image.packed_file.data)]

path = os.path.join(FOLDER, "saved.png")
saved = marked(new("Saved", W, H, alpha=True))
saved.filepath_raw, saved.file_format = path, "PNG"
saved.save()
said["saved"] = [saved.is_dirty, sent(saved) == Path(path).read_bytes()]
loaded = bpy.data.images.load(path)
said["not loaded yet"] = [loaded.has_data, sent(loaded) == Path(path).read_bytes()]
marked(loaded)
loaded.pixels[0:4] = (0.0, 1.0, 0.0, 1.0)
loaded.update()
said["painted"] = [loaded.is_dirty, sent(loaded) != Path(path).read_bytes(), corners(sent(loaded))[1]]
loaded.reload()
loaded.alpha_mode = "NONE"
said["no alpha"] = corners(sent(loaded))
os.rename(path, path + ".away")
gone = bpy.data.images.load(path + ".away")
gone.filepath = "//nowhere.png"
said["gone"] = refused(gone)
said["gone, loaded before"] = corners(sent(loaded))[0]

LOWER = (0.0, 0.0, 0.25, 0.5)  # light of 0.5, times alpha
floats = marked(new("Floats", W, H, alpha=True, float_buffer=True))
said["floats"] = corners(sent(floats))
values = array("f", [float("nan"), 7.0, -3.0, 1.0] * (W * H))
floats.pixels.foreach_set(values)
said["wild floats"] = corners(sent(floats))[1]
exr = os.path.join(FOLDER, "light.exr")
LOWER = (0.0, 0.0, 0.05, 0.5)
floats = marked(new("Light", W, H, alpha=True, float_buffer=True))
floats.filepath_raw, floats.file_format = exr, "OPEN_EXR"
floats.save()
light = bpy.data.images.load(exr)
said["exr"] = corners(sent(light))
said["its light"] = light.pixels[4 * (W + 1) + 2]  # Blender writes other numbers into the file than it has

large = new("Large", 3000, 1500, alpha=True)
large.generated_color = (0.25, 0.5, 1.0, 1.0)
said["large"] = corners(sent(large))
said["enormous"] = refused(new("Enormous", 8192, 4096))
tiled = new("Tiles", W, H, tiled=True)
said["tiled"] = refused(tiled)
# Only a render makes one of these; a stand-in has what is looked at.
said["viewer"] = refused(SimpleNamespace(name="Render Result", type="RENDER_RESULT", source="VIEWER"))
for source in ("MOVIE", "SEQUENCE"):
    other = new(source, 4, 4)
    other.source = source
    said[source.lower()] = refused(other)
text = os.path.join(FOLDER, "text.png")
with open(text, "w") as file:
    file.write("this is no picture")
said["no picture"] = refused(bpy.data.images.load(text))
heavy = os.path.join(FOLDER, "heavy.png")
with open(heavy, "wb") as stream:
    stream.write(b"\x89PNG\r\n\x1a\n")
    stream.truncate((64 << 20) + 1)
said["heavy"] = refused(bpy.data.images.load(heavy))
wide = os.path.join(FOLDER, "wide.png")
head = addon.part("core.png").png_file(bytes(12), 2, 2, 3)
with open(wide, "wb") as stream:
    stream.write(head[:16] + (40000).to_bytes(4, "big") + (40000).to_bytes(4, "big") + head[24:])
said["wide"] = refused(bpy.data.images.load(wide))
said["left behind"] = [image.name for image in bpy.data.images if image.name.startswith("DreamFusion")]
said["same twice"] = hashlib.sha256(sent(large)).hexdigest() == hashlib.sha256(sent(large)).hexdigest()
addon.disable()
addon.tell(**said)
