"""How much memory this process may still take."""

from __future__ import annotations

from pathlib import Path


def available_bytes() -> int:
    """Memory that is free for this process: the machine's, or the container's where that is less."""
    free = [_meminfo_available()]
    limit = _number(Path("/sys/fs/cgroup/memory.max"))
    used = _number(Path("/sys/fs/cgroup/memory.current"))
    if limit is not None and used is not None:
        free.append(max(0, limit - used))
    return min(free)


def _meminfo_available() -> int:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return 8 * 2**30


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
