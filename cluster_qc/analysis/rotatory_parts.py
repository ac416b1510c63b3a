"""Where a rotatory strength comes from: its parts by fragment and by orbital pair, which sum to it exactly.

R = electric . magnetic (see `rotatory`), and either moment is a sum over pairs of AOs, operator times transition
density. In symmetrically orthogonalised AOs (P. O. Loewdin, J. Chem. Phys. 18, 365 (1950), 10.1063/1.1747632) every
element has its row, where the hole is, on one fragment and its column, where the electron is, on one. A fragment's
moment takes half of each element in its rows and in its columns; R is then the sum over pairs of fragments of

    R_AB = 1/2 (electric_A . magnetic_B + electric_B . magnetic_A).

The diagonal is what a fragment does by itself, the rest the coupling of two fragments' moments. In the velocity gauge
an origin moved by d changes the magnetic moment of B by -1/2 d x velocity_B, which the symmetric product cancels: each
part, not only the sum, is free of the origin. In the length gauge each part depends on it, and more than the sum does,
as a fragment's part of the transition density holds charge.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cluster_qc.analysis.fragments import fragment_names, sqrt_overlap
from cluster_qc.analysis.rotatory import Gauge, electric_dipoles
from cluster_qc.errors import InputError, NotConvergedError
from cluster_qc.model import Excitation, ExcitedStates, GroundState, MomentIntegrals
from cluster_qc.model.arrays import FloatArray, IntArray, frozen

_SAME = 1e-6
"""Relative difference between the moments summed here and those stored with the states."""


@dataclass(frozen=True, eq=False)
class RotatoryParts:
    """A rotatory strength taken apart, atomic units; divide by `units.rotatory_strength_cgs` for 1e-40 cgs."""

    label: str
    """The state, e.g. "S1"."""
    gauge: Gauge
    origin: FloatArray
    """Of the magnetic moment, and in the length gauge of the position, bohr, (3,)."""
    total: float
    """The rotatory strength."""
    fragments: tuple[str, ...]
    """Names along both axes of `pairs`; single atoms if the cluster has no fragments."""
    pairs: FloatArray
    """Parts by pair of fragments, symmetric, sum `total`, (nfragment, nfragment)."""
    occupied: IntArray
    """Orbital indices along the rows of `orbital_pairs`, (nocc,)."""
    virtual: IntArray
    """Orbital indices along its columns, (nvir,)."""
    orbital_pairs: FloatArray
    """Parts by substitution occupied -> virtual, sum `total`, (nocc, nvir)."""
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n, nocc, nvir = len(self.fragments), len(self.occupied), len(self.virtual)
        for name, shape in (("origin", (3,)), ("pairs", (n, n)), ("orbital_pairs", (nocc, nvir))):
            object.__setattr__(self, name, frozen(getattr(self, name), shape, name))

    def leading_orbital_pairs(self, count: int = 5) -> tuple[tuple[int, int, float], ...]:
        """The largest parts by magnitude: (occupied, virtual, part), orbital indices from 0."""
        order = np.argsort(-np.abs(self.orbital_pairs), axis=None)[:count]
        rows, columns = np.unravel_index(order, self.orbital_pairs.shape)
        return tuple(
            (int(self.occupied[i]), int(self.virtual[a]), float(self.orbital_pairs[i, a]))
            for i, a in zip(rows, columns, strict=True)
        )


def rotatory_parts(
    excitation: Excitation,
    integrals: MomentIntegrals,
    gauge: Gauge = "velocity",
    *,
    allow_unconverged: bool = False,
) -> RotatoryParts:
    """Split the rotatory strength of one singlet by fragments and by orbital pairs.

    Parts of opposite sign may each be far larger than their sum. For many states see `rotatory_parts_of_states`.

    Parameters
    ----------
    excitation
        A state, e.g. `singlets[0]`.
    integrals
        From `moment_integrals(singlets.ground, singlets.gauge_origin)`.
    gauge
        "velocity", whose parts are free of the origin, or "length".
    allow_unconverged
        Take an unconverged state.

    Raises
    ------
    UnavailableError
        For triplets.
    NotConvergedError
        If the state did not converge, unless `allow_unconverged`.
    InputError
        For an unknown gauge, or integrals of another molecule, basis set or origin.
    """
    return _Splitter(excitation.states, integrals, gauge).parts(excitation, allow_unconverged)


def rotatory_parts_of_states(
    states: ExcitedStates,
    integrals: MomentIntegrals,
    gauge: Gauge = "velocity",
    *,
    allow_unconverged: bool = False,
) -> Iterator[RotatoryParts]:
    """`rotatory_parts` of each state in turn; what depends on the molecule alone is computed once."""
    splitter = _Splitter(states, integrals, gauge)
    return (splitter.parts(state, allow_unconverged) for state in states)


class _Splitter:
    """The operators of one set of states, between orbitals and between orthogonalised AOs."""

    def __init__(self, states: ExcitedStates, integrals: MomentIntegrals, gauge: Gauge) -> None:
        if gauge not in ("length", "velocity"):
            raise InputError(f"gauge is {gauge!r}; it is 'length' or 'velocity'")
        ground = states.ground
        if integrals.position.shape[1] != len(ground.ao_atoms):
            raise InputError(
                f"the integrals are of {integrals.position.shape[1]} AOs, the ground state has {len(ground.ao_atoms)}"
            )
        self._gauge, self._origin = gauge, integrals.origin
        self._names, self._owner = _partition(ground)
        root = sqrt_overlap(ground)
        inverse = np.linalg.inv(root)
        occupied, virtual = (ground.coefficients[0][:, i] for i in (states.occupied, states.virtual))
        self._occupied, self._virtual = root @ occupied, root @ virtual
        electric = integrals.position if gauge == "length" else integrals.velocity
        self._by_orbitals, self._by_aos = (
            [left @ operator @ right for operator in (electric, integrals.magnetic)]
            for left, right in ((occupied.T, virtual), (inverse, inverse))
        )

    def parts(self, excitation: Excitation, allow_unconverged: bool) -> RotatoryParts:
        states = excitation.states
        if not (allow_unconverged or (excitation.converged and states.ground.converged)):
            raise NotConvergedError(
                f"{excitation.label} or its ground state did not converge",
                why="an unconverged root can have the moments of another state",
                fix="run with more cycles, or pass allow_unconverged=True to look all the same",
            )
        minus = 2 * (excitation.x - excitation.y)
        # Of the electric and the magnetic moment; in the velocity gauge the electric one is <0|d/dr|n>/E.
        weights = (
            2 * (excitation.x + excitation.y) if self._gauge == "length" else minus / excitation.energy,
            minus,
        )
        by_orbitals = [o * w for o, w in zip(self._by_orbitals, weights, strict=True)]
        electric, magnetic = (elements.sum(axis=(1, 2)) for elements in by_orbitals)
        known = electric_dipoles(states, self._gauge)[excitation.index]
        for found, stored in ((electric, known), (magnetic, states.require("magnetic")[excitation.index])):
            if np.abs(found - stored).max() > _SAME * max(1.0, np.abs(stored).max()):
                raise InputError(
                    "the integrals do not give the moments of this state",
                    why="they belong to another geometry, basis set or origin",
                    fix="use moment_integrals(states.ground, states.gauge_origin)",
                )
        electric_f, magnetic_f = (
            self._by_fragments(operator, self._occupied @ w @ self._virtual.T)
            for operator, w in zip(self._by_aos, weights, strict=True)
        )
        product = electric_f @ magnetic_f.T
        remarks: tuple[str, ...] = ()
        if self._gauge == "length":
            where = "({:.3f}, {:.3f}, {:.3f}) bohr".format(*self._origin)
            remarks = (f"length gauge: the parts hold for the origin {where} only",)
        return RotatoryParts(
            label=excitation.label,
            gauge=self._gauge,
            origin=self._origin,
            total=float(electric @ magnetic),
            fragments=self._names,
            pairs=0.5 * (product + product.T),
            occupied=states.occupied,
            virtual=states.virtual,
            orbital_pairs=0.5
            * (
                np.einsum("xia,x->ia", by_orbitals[0], magnetic)
                + np.einsum("xia,x->ia", by_orbitals[1], electric)
            ),
            remarks=remarks,
        )

    def _by_fragments(self, operator: FloatArray, density: FloatArray) -> FloatArray:
        """Moments of the fragments, (nfragment, 3), from an operator (3, nao, nao) and a transition density."""
        elements = operator * density
        by_ao = 0.5 * (elements.sum(axis=1) + elements.sum(axis=2))
        moments = np.zeros((len(self._names), 3))
        np.add.at(moments, self._owner, by_ao.T)
        return moments


def _partition(ground: GroundState) -> tuple[tuple[str, ...], IntArray]:
    """Names of the fragments and the one of each AO, (nao,); atoms if there are no fragments."""
    cluster = ground.cluster
    if cluster.fragments:
        names, of_atom = fragment_names(cluster)
    else:
        names = tuple(f"{symbol}{number}" for number, symbol in enumerate(cluster.symbols, 1))
        of_atom = tuple(range(cluster.natom))
    return names, np.asarray(of_atom)[ground.ao_atoms]
