"""How much memory this process may still take."""

from __future__ import annotations

import os
import resource
from pathlib import Path

_ADDRESS_SPACE, _RESIDENT = 0, 1  # columns of /proc/self/statm


def available_bytes(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Memory that is free for this process: the machine's, its container's or its batch job's, whichever is least."""
    free = [_meminfo_available()]
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]  # ulimit -v
    if limit != resource.RLIM_INFINITY:
        free.append(max(0, limit - _pages(_ADDRESS_SPACE)))
    allocated = _slurm_allocation()
    if allocated is not None:
        free.append(max(0, allocated - _resident()))
    most = _number(cgroup / "memory.max")
    used = _number(cgroup / "memory.current")
    if most is not None and used is not None:
        free.append(max(0, most - used + _reclaimable(cgroup)))
    return min(free)


def _reclaimable(cgroup: Path) -> int:
    """The part of a container's memory that caches files and is given back when needed."""
    try:
        lines = (cgroup / "memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))


def _slurm_allocation() -> int | None:
    """Memory that Slurm gave this job on a node; a node may have much more, but a job that takes it is killed."""
    per_node = os.environ.get("SLURM_MEM_PER_NODE", "")
    per_core = os.environ.get("SLURM_MEM_PER_CPU", "")
    cores = os.environ.get("SLURM_CPUS_PER_TASK", "1")
    if per_node.isdigit() and int(per_node):
        return int(per_node) * 2**20
    if per_core.isdigit() and int(per_core) and cores.isdigit():
        return int(per_core) * int(cores) * 2**20
    return None


def _resident() -> int:
    """Memory that this process holds already."""
    return _pages(_RESIDENT)


def _pages(column: int) -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[column])
    except (OSError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


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
