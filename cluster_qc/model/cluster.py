"""A molecule: a finite, whole cluster with its charge, multiplicity and fragments."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from cluster_qc.errors import InputError
from cluster_qc.model.arrays import FloatArray, frozen
from cluster_qc.model.elements import atomic_number
from cluster_qc.units import angstrom

_CLOSEST = 0.6 * angstrom
"""H2 has 0.74 angstrom; a C-H bond whose length in angstrom was taken for bohr has 0.58."""


@dataclass(frozen=True)
class Fragment:
    """A named set of atoms, such as the metal core or one ligand's periphery."""

    name: str
    atoms: tuple[int, ...]
    """Atom indices, counted from 0."""


@dataclass(frozen=True, eq=False)
class Cluster:
    """A whole molecule, ready for a calculation.

    Raises
    ------
    InputError
        For an unknown element, two atoms closer than 0.6 angstrom, an impossible multiplicity for the number of
        electrons, or fragments that overlap or name atoms that do not exist.
    """

    name: str
    symbols: tuple[str, ...]
    """Element symbols, natom of them."""
    coords: FloatArray
    """Positions in bohr, shape (natom, 3)."""
    charge: int = 0
    multiplicity: int = 1
    """2S + 1."""
    fragments: tuple[Fragment, ...] = ()
    """Disjoint; atoms in none of them are reported as "rest"."""
    ions: tuple[tuple[tuple[int, ...], int], ...] = ()
    """(atoms, formal charge) of the closed-shell ions that make up the cluster, for the SCF guess; may be empty."""
    source: str = ""
    """Where the structure comes from: a file and what was chosen in it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "symbols", tuple(self.symbols))
        if not self.symbols:
            raise InputError("a cluster needs at least one atom")
        object.__setattr__(self, "coords", frozen(self.coords, (self.natom, 3), "coords"))
        numbers = [atomic_number(symbol) for symbol in self.symbols]
        self._check_distances()
        electrons = sum(numbers) - self.charge
        if self.multiplicity < 1:
            raise InputError(
                f"the multiplicity is {self.multiplicity}; it is 2S + 1, so 1 for a closed shell, 2, 3, ..."
            )
        if electrons < self.multiplicity - 1 or (electrons - self.multiplicity + 1) % 2:
            charge = f"{self.charge:+d}" if self.charge else "0"
            raise InputError(
                f"{self.formula} with charge {charge} has {electrons} electrons, which cannot have "
                f"multiplicity {self.multiplicity}",
                why="an even number of electrons needs an odd multiplicity (1, 3, ...) and the reverse",
                fix="give the right charge or multiplicity, or look for a missing or surplus hydrogen atom",
            )
        self._check_fragments()

    def __repr__(self) -> str:
        spin = f"charge {self.charge}, multiplicity {self.multiplicity}"
        return f"<{self.name}: {self.formula}, {self.natom} atoms, {spin}>"

    def _check_distances(self) -> None:
        if self.natom < 2:
            return
        delta = np.linalg.norm(self.coords[:, None] - self.coords[None], axis=-1)
        delta[np.diag_indices(self.natom)] = math.inf
        i, j = np.unravel_index(int(delta.argmin()), delta.shape)
        if delta[i, j] < _CLOSEST:
            raise InputError(
                f"atoms {i + 1} ({self.symbols[i]}) and {j + 1} ({self.symbols[j]}) are "
                f"{delta[i, j] / angstrom:.3f} angstrom apart",
                why="no two nuclei are this close; angstrom were taken for bohr, or a disordered site counted twice",
                fix="check the unit (angstrom in files; positions * angstrom in Python) and the disorder choice",
            )

    def _check_fragments(self) -> None:
        seen: dict[int, str] = {}
        for fragment in self.fragments:
            for atom in fragment.atoms:
                if not 0 <= atom < self.natom:
                    raise InputError(
                        f"fragment {fragment.name!r} names atom {atom}, but the atoms are 0 to {self.natom - 1}"
                    )
                if atom in seen:
                    raise InputError(f"atom {atom} is in two fragments, {seen[atom]!r} and {fragment.name!r}")
                seen[atom] = fragment.name

    @property
    def natom(self) -> int:
        """Number of atoms."""
        return len(self.symbols)

    @property
    def nelectron(self) -> int:
        """Number of electrons, those of effective core potentials included."""
        return sum(atomic_number(symbol) for symbol in self.symbols) - self.charge

    @property
    def formula(self) -> str:
        """Hill formula: C, H, then the others by the alphabet; without carbon, all by the alphabet."""
        counts = Counter(self.symbols)
        first = [s for s in ("C", "H") if s in counts] if "C" in counts else []
        order = first + sorted(set(counts) - set(first))
        return "".join(f"{s}{counts[s] if counts[s] > 1 else ''}" for s in order)

    def with_coords(self, coords: ArrayLike, source: str | None = None) -> Cluster:
        """A copy with other positions (bohr, (natom, 3))."""
        return replace(
            self, coords=np.asarray(coords, dtype=float), source=self.source if source is None else source
        )

    def with_fragments(self, fragments: tuple[Fragment, ...]) -> Cluster:
        """A copy with other fragments."""
        return replace(self, fragments=fragments)

    def with_ions(self, ions: tuple[tuple[tuple[int, ...], int], ...]) -> Cluster:
        """A copy with other ions."""
        return replace(self, ions=ions)

    def mirrored(self) -> Cluster:
        """The mirror image (z -> -z): every chiral centre and the core's handedness inverted."""
        flipped = np.array(self.coords)
        flipped[:, 2] *= -1
        return replace(self, coords=flipped, source=f"mirror image of {self.source or self.name}")
