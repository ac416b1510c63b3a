"""Integrals of the moment operators between AOs, for taking transition moments apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cluster_qc.model.arrays import FloatArray, frozen


@dataclass(frozen=True, eq=False)
class MomentIntegrals:
    """The operators behind the moments of `ExcitedStates`, each (3, nao, nao), atomic units."""

    position: FloatArray
    """<mu| r - origin |nu>, symmetric."""
    velocity: FloatArray
    """<mu| d/dr + [r, V_ECP] |nu>, antisymmetric."""
    magnetic: FloatArray
    """1/2 <mu| (r - origin) x d/dr |nu> with the term of each effective core potential, antisymmetric."""
    origin: FloatArray
    """Bohr, (3,)."""

    def __post_init__(self) -> None:
        nao = np.shape(self.position)[-1]
        for name in ("position", "velocity", "magnetic"):
            object.__setattr__(self, name, frozen(getattr(self, name), (3, nao, nao), name))
        object.__setattr__(self, "origin", frozen(self.origin, (3,), "origin"))
