"""The three-index tensors of one molecule, shared by its calculations."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pyscf import lib

from cluster_qc.drivers.ri import RITensor
from cluster_qc.errors import InputError
from cluster_qc.model import DFTMethod

Progress = Callable[[float | None, str], None]


class TensorCache:
    """The three-index tensors of one molecule, one for each range-separation parameter, built when first needed.

    Hand one cache to `run_scf` and `response_tensors` to compute the integrals once.
    """

    def __init__(self, mole: Any, method: DFTMethod, scratch: str | Path | None, report: Progress) -> None:
        self._mole = mole
        self._method = method
        self._scratch = scratch
        self._report = report
        self._tensors: dict[float, RITensor] = {}

    def get(self, omega: float = 0.0) -> RITensor:
        """The tensor of erf(omega r)/r, or of 1/r for omega = 0."""
        if omega not in self._tensors:
            if omega < 0:
                raise InputError(
                    f"the functional {self._method.functional!r} needs short-range exchange integrals",
                    why="only full-range and long-range (erf) exchange is available",
                    fix='use a global hybrid or a long-range corrected one, e.g. "pbe0" or "cam-b3lyp"',
                )
            path = None
            if self._scratch is not None:
                path = Path(self._scratch) / f"ri-{tensor_key(self._mole, self._method, omega)}.f32"
            self._tensors[omega] = RITensor(
                self._mole,
                self._method.auxiliary_basis,
                omega=omega,
                path=path or Path(lib.param.TMPDIR) / f"ri-{os.getpid()}-{omega}.f32",
                progress=self._report,
            )
        return self._tensors[omega]

    def forget(self, omega: float) -> None:
        """Free the tensor of a range separation that is not needed any more, in memory and on disk."""
        tensor = self._tensors.pop(omega, None)
        if tensor is not None:
            tensor.delete()


def tensor_key(mole: Any, method: DFTMethod, omega: float) -> str:
    """Identify a tensor file: geometry, basis sets and range separation."""
    digest = hashlib.sha256()
    digest.update(np.ascontiguousarray(mole.atom_coords()).tobytes())
    digest.update(np.ascontiguousarray(mole._bas).tobytes())
    digest.update(np.ascontiguousarray(mole._env[20:]).tobytes())
    digest.update(f"{method.auxiliary_basis} {omega} {mole.cart} 4".encode())
    return digest.hexdigest()[:16]
