"""What this machine has and at which rate it runs, for `cluster-qc doctor`."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from cluster_qc.provenance import allowed_cores, cpu_model, threads, version, versions

_EXTRAS = {
    "tblite": "GFN2-xTB geometries",
    "geometric": "DFT geometries",
    "pyscf-dispersion": "D3 and D4 dispersion",
    "pyvista": "orbital pictures",
    "executorlib": "campaigns on this machine",
    "vamas": "VAMAS files",
}
_STANDARD_JOB_GIB = 16
_GIB = 2**30


def doctor_text() -> str:
    """A report of cores, memory, disk, linear algebra and optional packages, with what to do about what is amiss."""
    lines, advice = [], []
    cores, used = allowed_cores(), threads()
    lines.append(f"processor   {cpu_model()}")
    lines.append(f"cores       {cores} allowed of {os.cpu_count()}, {used} threads in use")
    if used > cores:
        advice.append(f"{used} threads share {cores} cores: set OMP_NUM_THREADS={cores}")
    from cluster_qc.drivers import blas
    from cluster_qc.drivers.memory import available_bytes

    free = available_bytes() / _GIB
    lines.append(f"memory      {free:.1f} GiB free")
    if free < _STANDARD_JOB_GIB:
        advice.append(f"a standard job of 96 atoms needs up to {_STANDARD_JOB_GIB} GiB of memory")
    for name, folder in (("disk here", Path.cwd()), ("temporary", Path(tempfile.gettempdir()))):
        lines.append(f"{name:12s}{shutil.disk_usage(folder).free / _GIB:.0f} GiB free in {folder}")
    lines.append("")
    lines.append("linear algebra       version       kernel       threads   double   single (GFLOP/s)")
    for library in blas.measure():
        single = "" if library.gflops_single is None else f"{library.gflops_single:9.0f}"
        lines.append(
            f"{library.name:20s} {library.version:13s} {library.kernel:12s} {library.threads:7d}"
            f"{library.gflops_double:9.0f}{single}"
        )
    if os.environ.get("OPENBLAS_CORETYPE"):
        advice.append(
            f"OPENBLAS_CORETYPE={os.environ['OPENBLAS_CORETYPE']} is set: NumPy may have been loaded with a slow "
            "kernel; unset it, each library gets its own"
        )
    lines.append("")
    lines.append("installed   " + ", ".join(f"{name} {number}" for name, number in versions().items()))
    for name, purpose in _EXTRAS.items():
        found = version(name)
        lines.append(f"  {name:18s} {found:15s} {purpose}")
    lines.append("")
    lines += [f"! {text}" for text in advice] or ["nothing amiss"]
    return "\n".join(lines)
