"""Load every BLAS at its best kernel, and know what runs.

The PySCF wheel carries an old OpenBLAS that does not know newer processors and falls back to a slow kernel unless
OPENBLAS_CORETYPE names one; the same variable slows the newer OpenBLAS of NumPy and SciPy down. Each library reads
the variable once, when it is loaded. So: NumPy and SciPy first without it, then PySCF with it.
"""

from __future__ import annotations

import os
from pathlib import Path

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
    try:
        import pyscf.lib  # noqa: F401
    finally:
        if user_value is None:
            os.environ.pop("OPENBLAS_CORETYPE", None)
        else:
            os.environ["OPENBLAS_CORETYPE"] = user_value
