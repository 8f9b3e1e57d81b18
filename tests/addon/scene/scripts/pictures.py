"""Pictures from PNG bytes, and nothing left behind."""

import struct
import sys
from pathlib import Path
from typing import Any

import addon
import scene_probe

pictures = addon.part("ui.scene.icons")
said: dict[str, Any] = {}
row = Path(sys.argv[1]).read_bytes()
said["before"] = [pictures.icon("a"), pictures.has("a")]
pictures.register()
nothing = scene_probe.counts()
said["shown"] = [pictures.show("a", row), pictures.show_row("job/views", row, 4)]
said["has"] = [pictures.has(key) for key in ("a", "job/views/0", "job/views/3", "job/views/4", "job/views", "b")]
for _ in range(50):
    pictures.show("a", row)
said["damaged"] = [
    pictures.show("bad", data) for data in (b"", b"no picture", row[:20], b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
]
huge = bytearray(row)
huge[16:24] = struct.pack(">II", 12_000, 12_000)
said["huge"] = [pictures.decoded(bytes(huge)) is None, pictures.show("bad", bytes(huge))]
said["same"] = scene_probe.counts() == nothing
parts = [pictures.decoded(row).square(number, 4) for number in range(4)]
said["parts"] = [[part.width, part.height, list(part.values[:4]), list(part.values[-4:])] for part in parts]
pictures.forget("job")
said["forgotten"] = [pictures.has("job/views/0"), pictures.has("a")]
pictures.unregister()
said["after"] = [pictures.icon("a"), pictures.has("a")]
pictures.register()
said["again"] = [pictures.has("a"), pictures.show("a", row)]
pictures.unregister()
addon.tell(**said)
