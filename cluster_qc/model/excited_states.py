"""Vertical excitations: energies, amplitudes, transition moments and natural transition orbitals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cluster_qc.errors import UnavailableError
from cluster_qc.model.arrays import BoolArray, FloatArray, IntArray, frozen
from cluster_qc.model.ground_state import GroundState
from cluster_qc.model.history import TDDFTCycle
from cluster_qc.model.method import TDDFTMethod
from cluster_qc.units import electronvolt


@dataclass(frozen=True, eq=False)
class ExcitedStates:
    """Excitations of a closed-shell ground state, in ascending order of energy.

    Amplitudes are normalised to sum(X^2) - sum(Y^2) = 1/2. Moments of the real orbitals used here are real
    arrays; `velocity` and `magnetic` are matrix elements of the real antisymmetric operators named below, that is,
    the imaginary parts of the Hermitian ones.
    """

    ground: GroundState
    method: TDDFTMethod
    excitation_energies: FloatArray
    """(nstates,), hartree."""
    error_estimates: FloatArray
    """(nstates,), hartree: iteration error from the residual plus the named approximations."""
    converged: BoolArray
    """(nstates,)."""
    occupied: IntArray
    """Indices of the occupied orbitals that take part, (nocc,)."""
    virtual: IntArray
    """Indices of the virtual orbitals that take part, (nvir,)."""
    x: FloatArray
    """Excitation amplitudes, (nstates, nocc, nvir)."""
    y: FloatArray
    """De-excitation amplitudes, (nstates, nocc, nvir); zeros in the Tamm-Dancoff approximation."""
    gauge_origin: FloatArray | None = None
    """Origin of `magnetic`, bohr, (3,); None for triplets."""
    electric: FloatArray | None = None
    """<0| r |n>, bohr, (nstates, 3); multiply by -1 for the electron's charge. None for triplets."""
    velocity: FloatArray | None = None
    """<0| d/dr + [r, V_ECP] |n>, 1/bohr, (nstates, 3), equal to +E <0|r|n> for exact states. None for triplets."""
    magnetic: FloatArray | None = None
    """1/2 <0| (r - gauge_origin) x d/dr |n>, atomic units, (nstates, 3), with the term of each effective core potential
    V_A at R_A, 1/2 (R_A - gauge_origin) x [r, V_A]. None for triplets."""
    approximations: tuple[str, ...] = ()
    """Every approximation made, each with its error estimate."""
    history: tuple[TDDFTCycle, ...] = ()
    """Every cycle, those before an interruption included; empty in records of early versions, which kept none."""

    def __post_init__(self) -> None:
        n = len(self.excitation_energies)
        nocc, nvir = len(self.occupied), len(self.virtual)
        for name, shape, dtype in (
            ("excitation_energies", (n,), float),
            ("error_estimates", (n,), float),
            ("converged", (n,), bool),
            ("occupied", (nocc,), np.intp),
            ("virtual", (nvir,), np.intp),
            ("x", (n, nocc, nvir), float),
            ("y", (n, nocc, nvir), float),
        ):
            object.__setattr__(self, name, frozen(getattr(self, name), shape, name, dtype))
        moments: tuple[tuple[str, tuple[int, ...]], ...] = (
            ("gauge_origin", (3,)),
            ("electric", (n, 3)),
            ("velocity", (n, 3)),
            ("magnetic", (n, 3)),
        )
        for moment, size in moments:
            value = getattr(self, moment)
            if value is not None:
                object.__setattr__(self, moment, frozen(value, size, moment))

    def __len__(self) -> int:
        return len(self.excitation_energies)

    def __getitem__(self, index: int) -> Excitation:
        n = len(self)
        if not -n <= index < n:
            raise IndexError(f"state {index} of {n}; indices count from 0")
        return Excitation(self, index % n)

    def __repr__(self) -> str:
        return f"<{len(self)} {self.spin}s of {self.ground!r}>"

    def __iter__(self) -> Iterator[Excitation]:
        return (self[i] for i in range(len(self)))

    @property
    def spin(self) -> str:
        """The spin of the states, "singlet" or "triplet"."""
        return self.method.spin

    @property
    def oscillator_strengths(self) -> FloatArray:
        """Length form, (nstates,), dimensionless.

        Raises
        ------
        UnavailableError
            For triplets, which have no transition dipole without spin-orbit coupling.
        """
        electric = self.require("electric")
        return np.asarray(2.0 / 3.0 * self.excitation_energies * (electric**2).sum(axis=1))

    def require(self, moment: str) -> FloatArray:
        """The array of "electric", "velocity" or "magnetic" transition dipoles.

        Raises
        ------
        UnavailableError
            If the moment does not exist for these states.
        """
        value: FloatArray | None = getattr(self, moment)
        if value is not None:
            return value
        if self.spin == "triplet":
            raise UnavailableError(
                f"triplet states have no {moment} transition dipole with the ground state",
                why="spin forbids it without spin-orbit coupling; it does not exist, it is not zero",
                fix="use singlet states",
            )
        raise UnavailableError(
            f"the {moment} transition dipoles were not computed for these states",
            why="a record of an early version, or of another program, lacks them",
            fix="compute the excited states again",
        )


@dataclass(frozen=True, eq=False)
class Excitation:
    """One state of an `ExcitedStates`, as a view."""

    states: ExcitedStates
    index: int
    """Counted from 0."""

    def __repr__(self) -> str:
        return f"<{self.label} of {self.states.ground.cluster.name}, {self.energy / electronvolt:.3f} eV>"

    @property
    def label(self) -> str:
        """The name of the state: "S1" for the lowest singlet, "T1" for the lowest triplet."""
        return f"{'S' if self.states.spin == 'singlet' else 'T'}{self.index + 1}"

    @property
    def energy(self) -> float:
        """Excitation energy, hartree."""
        return float(self.states.excitation_energies[self.index])

    @property
    def route(self) -> str:
        """How the state was iterated; see `TDDFTMethod.route`."""
        return "reference" if self.index == 0 else self.states.method.route

    @property
    def converged(self) -> bool:
        """False if it did not come to what its route asks for."""
        return bool(self.states.converged[self.index])

    @property
    def x(self) -> FloatArray:
        """Excitation amplitudes, (nocc, nvir)."""
        return np.asarray(self.states.x[self.index])

    @property
    def y(self) -> FloatArray:
        """De-excitation amplitudes, (nocc, nvir)."""
        return np.asarray(self.states.y[self.index])


@dataclass(frozen=True, eq=False)
class NaturalTransitionOrbitals:
    """Singular vectors of sqrt(2) X, not renormalised (Martin, J. Chem. Phys. 118, 4775 (2003), 10.1063/1.1558471)."""

    label: str
    """The state, e.g. "S1"."""
    energy: float
    """Excitation energy, hartree."""
    weights: FloatArray
    """Squared singular values, descending, (npair,). They sum to 1 in TDA, to 1 + 2|Y|^2 otherwise."""
    hole: FloatArray
    """(nao, npair)."""
    electron: FloatArray
    """(nao, npair)."""
    homo_lumo_weight: float
    """2 X^2 of the HOMO->LUMO element, the share of the state in that single substitution."""
    converged: bool = True

    def __post_init__(self) -> None:
        npair = len(self.weights)
        nao = np.shape(self.hole)[0]
        for name, shape in (
            ("weights", (npair,)),
            ("hole", (nao, npair)),
            ("electron", (nao, npair)),
        ):
            object.__setattr__(self, name, frozen(getattr(self, name), shape, name))

    def __repr__(self) -> str:
        leading = ", ".join(f"{weight:.3f}" for weight in self.weights[:3])
        return f"<natural transition orbitals of {self.label}, leading weights {leading}>"

    @property
    def participation_ratio(self) -> float:
        """(sum w)^2 / sum w^2: the number of pairs that matter."""
        return float(self.weights.sum() ** 2 / (self.weights**2).sum())

    @property
    def lost_weight(self) -> float:
        """1 - sum(weights): zero in TDA, negative by the de-excitations (2|Y|^2) in full TDDFT."""
        return float(1.0 - self.weights.sum())
