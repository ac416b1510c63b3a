"""Load every BLAS at its best kernel, and know what runs.

The PySCF wheel carries an old OpenBLAS that does not know newer processors and falls back to a slow kernel unless
OPENBLAS_CORETYPE names one; the same variable slows the newer OpenBLAS of NumPy and SciPy down. Each library reads
the variable once, when it is loaded. So: NumPy and SciPy first without it, then PySCF with it. All of them get the
threads of the allocation: OpenBLAS by itself counts cores that a container's quota or a batch system does not grant.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster_qc.provenance import threads

_KERNEL_BY_FLAG = (("avx2", "Haswell"), ("avx", "Sandybridge"))


def _best_old_kernel() -> str | None:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return None
    present = set(flags)
    return next((kernel for flag, kernel in _KERNEL_BY_FLAG if flag in present), None)


def load() -> None:
    """Import NumPy, SciPy and PySCF in the order that gives each its best kernel; a no-op once PySCF is there.

    A value of OPENBLAS_CORETYPE set by the user is restored afterwards for child processes.
    """
    user_value = os.environ.pop("OPENBLAS_CORETYPE", None)
    import numpy  # noqa: F401, ICN001
    import scipy.linalg  # noqa: F401

    kernel = user_value or _best_old_kernel()
    if kernel is not None:
        os.environ["OPENBLAS_CORETYPE"] = kernel
    # PySCF runs any .pyscf_conf.py of the working folder or the home as a program: it gets an empty file instead.
    configuration = os.environ.get("PYSCF_CONFIG_FILE")
    os.environ["PYSCF_CONFIG_FILE"] = str(Path(__file__).parents[1] / "py.typed")
    try:
        import pyscf.lib  # noqa: F401
    finally:
        del os.environ["PYSCF_CONFIG_FILE"]
        if configuration is not None:
            os.environ["PYSCF_CONFIG_FILE"] = configuration
        if user_value is None:
            os.environ.pop("OPENBLAS_CORETYPE", None)
        else:
            os.environ["OPENBLAS_CORETYPE"] = user_value
    set_threads(threads())


def set_threads(number: int) -> None:
    """Set the threads of every BLAS and of PySCF's own loops in this process."""
    import pyscf.lib
    import threadpoolctl

    threadpoolctl.threadpool_limits(number)
    pyscf.lib.num_threads(number)


@dataclass(frozen=True)
class Library:
    """A linear algebra library in this process and what it does a second."""

    name: str
    """Who brought it: "numpy", "scipy" or "pyscf"."""
    version: str
    kernel: str
    """The processor type it runs the code of."""
    threads: int
    gflops_double: float
    gflops_single: float | None
    """None where single precision is not used."""


def measure(size: int = 3000) -> list[Library]:
    """Time a matrix product of (size, size) in each library, each alone on the cores."""
    import numpy as np
    import pyscf.lib
    import scipy.linalg.blas
    import threadpoolctl

    rng = np.random.default_rng(0)
    double = rng.normal(size=(size, size))
    single = double.astype(np.float32)
    products: dict[str, tuple[Callable[[Any], Any], bool]] = {
        "numpy": (lambda a: a @ a.copy(), True),
        "scipy": (lambda a: getattr(scipy.linalg.blas, "sgemm" if a is single else "dgemm")(1.0, a, a), True),
        "pyscf": (lambda a: pyscf.lib.dot(a, a), False),
    }
    pools = threadpoolctl.threadpool_info()
    found = []
    for name, (product, has_single) in products.items():
        pool: dict[str, Any] = next(
            (p for p in pools if p["user_api"] == "blas" and f"/{name}" in p["filepath"].lower()),
            next((p for p in pools if p["user_api"] == "blas"), {}),
        )
        found.append(
            Library(
                name,
                str(pool.get("version") or "-"),
                str(pool.get("architecture") or "-"),
                int(pool.get("num_threads", 0)),
                _rate(product, double),
                _rate(product, single) if has_single else None,
            )
        )
    return found


def _rate(product: Callable[[Any], Any], matrix: Any) -> float:
    """GFLOP/s, the best of three after one to warm up."""
    product(matrix)
    best = float("inf")
    for _ in range(3):
        begin = time.perf_counter()
        product(matrix)
        best = min(best, time.perf_counter() - begin)
    return 2e-9 * len(matrix) ** 3 / best
