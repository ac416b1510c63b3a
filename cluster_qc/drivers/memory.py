"""How much memory this process may still take."""

from __future__ import annotations

from pathlib import Path


def available_bytes(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Memory that is free for this process: the machine's, or the container's where that is less."""
    free = [_meminfo_available()]
    limit = _number(cgroup / "memory.max")
    used = _number(cgroup / "memory.current")
    if limit is not None and used is not None:
        free.append(max(0, limit - used + _reclaimable(cgroup)))
    return min(free)


def _reclaimable(cgroup: Path) -> int:
    """The part of a container's memory that caches files and is given back when needed."""
    try:
        lines = (cgroup / "memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))


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
