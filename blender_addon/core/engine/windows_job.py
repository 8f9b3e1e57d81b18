"""A Windows job object that ends its processes when its last handle is closed. Imported on Windows only."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_EXTENDED_LIMIT_INFORMATION = 9  # JobObjectExtendedLimitInformation
_KILL_ON_JOB_CLOSE = 0x2000  # JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
_LIMIT_FLAGS_AT = 16  # offset of BasicLimitInformation.LimitFlags, after two 64-bit times
# sizeof(JOBOBJECT_EXTENDED_LIMIT_INFORMATION): 64 + 48 + 4 * 8 on 64-bit Windows, the only one that Blender runs on.
_SIZE = 144


class KillOnCloseJob:
    """A job object around one process and all that it starts."""

    _kernel: Any
    _handle: Any

    def __init__(self, process_handle: int) -> None:
        """process_handle: int, of a running process.
        Raises OSError where the system refuses.
        """
        if sys.platform != "win32":
            raise OSError("job objects are of Windows")
        self._kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        self._kernel.CreateJobObjectW.restype = ctypes.c_void_p
        self._kernel.CreateJobObjectW.argtypes = [ctypes.c_void_p, ctypes.c_wchar_p]
        self._kernel.SetInformationJobObject.argtypes = [
            ctypes.c_void_p,
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_uint32,
        ]
        self._kernel.AssignProcessToJobObject.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        self._kernel.CloseHandle.argtypes = [ctypes.c_void_p]
        self._handle = self._kernel.CreateJobObjectW(None, None)
        if not self._handle:
            raise ctypes.WinError(ctypes.get_last_error())
        limits = (ctypes.c_uint8 * _SIZE)()
        ctypes.c_uint32.from_buffer(limits, _LIMIT_FLAGS_AT).value = _KILL_ON_JOB_CLOSE
        done = self._kernel.SetInformationJobObject(self._handle, _EXTENDED_LIMIT_INFORMATION, limits, _SIZE)
        if not done or not self._kernel.AssignProcessToJobObject(self._handle, process_handle):
            error = ctypes.WinError(ctypes.get_last_error())
            self._close()
            raise error

    def _close(self) -> None:
        if self._handle:
            self._kernel.CloseHandle(self._handle)
            self._handle = None

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._close()
