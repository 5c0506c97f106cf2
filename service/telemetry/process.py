"""What this process is and takes."""

import os
import platform
import resource
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/proc/self/statm")
_RESIDENT: Final = 1
"""Its field of resident pages (proc(5))."""


def python_version() -> str:
    """The version of Python."""
    return platform.python_version()


def cpu_seconds() -> float:
    """Processor time that it and its children that have ended took."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def resident_bytes() -> int:
    """Memory that it has, with what it shares; 0 where the system does not tell."""
    try:
        fields = _MEMORY.read_text("ascii").split()
    except OSError:
        return 0
    return int(fields[_RESIDENT]) * os.sysconf("SC_PAGE_SIZE")
