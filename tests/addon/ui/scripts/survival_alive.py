"""Whether a process lives."""

import os
import sys

import addon

try:
    os.kill(int(sys.argv[1]), 0)
    addon.tell(alive=True)
except ProcessLookupError:
    addon.tell(alive=False)
