"""Natural transition orbitals by singular value decomposition, on copies of the amplitudes."""

from __future__ import annotations

import numpy as np

from cluster_qc.model import Excitation, NaturalTransitionOrbitals

_NEGLIGIBLE = 1e-8


def natural_transition_orbitals(excitation: Excitation) -> NaturalTransitionOrbitals:
    """Hole and electron orbitals of one state from sqrt(2) X (Martin 2003, 10.1063/1.1558471).

    Pairs with a weight below 1e-8 are dropped. The phase of each pair is fixed by making the hole's largest AO
    coefficient positive; the electron's follows from the pair's positive singular value.

    Parameters
    ----------
    excitation
        A state, e.g. `singlets[0]`.
    """
    states = excitation.states
    coefficients = states.ground.coefficients[0]
    left, singular, right = np.linalg.svd(np.sqrt(2.0) * excitation.x, full_matrices=False)
    weights = singular**2
    keep = weights > _NEGLIGIBLE
    hole = coefficients[:, states.occupied] @ left[:, keep]
    electron = coefficients[:, states.virtual] @ right[keep].T
    signs = np.sign(hole[np.abs(hole).argmax(axis=0), np.arange(hole.shape[1])])
    return NaturalTransitionOrbitals(
        label=excitation.label,
        energy=excitation.energy,
        weights=weights[keep],
        hole=hole * signs,
        electron=electron * signs,
        homo_lumo_weight=_homo_lumo_weight(excitation),
        converged=excitation.converged,
    )


def _homo_lumo_weight(excitation: Excitation) -> float:
    states = excitation.states
    nocc = states.ground.nocc
    homo = np.flatnonzero(states.occupied == nocc - 1)
    lumo = np.flatnonzero(states.virtual == nocc)
    if not homo.size or not lumo.size:
        return 0.0
    return float(2.0 * excitation.x[homo[0], lumo[0]] ** 2)
