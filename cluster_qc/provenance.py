"""Where a number comes from: program versions, processor, threads, memory."""

from __future__ import annotations

import os
import platform
import resource
import sys
from importlib import metadata
from pathlib import Path

_PROGRAMS = ("cluster_qc", "pyscf", "numpy", "scipy")


def versions() -> dict[str, str]:
    """Versions of this package, of the programs behind its numbers, and of Python."""
    found = {name: version(name) for name in _PROGRAMS}
    return {**found, "python": platform.python_version()}


def version(name: str) -> str:
    """Version of an installed package."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def host() -> str:
    """Processor model and number of threads, without the machine's name."""
    return f"{cpu_model()}, {threads()} threads"


def cpu_model() -> str:
    """The processor as the operating system names it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def threads() -> int:
    """Threads that a calculation here uses: what the environment or the batch system says, or the cores allowed."""
    for name in ("OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK"):
        wanted = os.environ.get(name, "").split(",")[0]
        if wanted.isdigit() and int(wanted) > 0:
            return int(wanted)
    return allowed_cores()


def allowed_cores(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores this process may keep busy: its affinity, or the processor share of its container where that is less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
        cores = min(cores, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no container, or no limit ("max")
        pass
    return cores


def peak_memory_gib() -> float:
    """Largest resident memory of this process so far, GiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 ** (3 if sys.platform == "darwin" else 2)
