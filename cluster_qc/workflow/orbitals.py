"""Orbitals of a finished run as pictures, cube and Molden files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cluster_qc.errors import InputError, StorageError
from cluster_qc.files import need_writable, replaced
from cluster_qc.model import ExcitedStates, GroundState
from cluster_qc.model.arrays import FloatArray
from cluster_qc.units import electronvolt
from cluster_qc.workflow.look import load_step

FORMATS = ("png", "cube", "molden")
_PAIR_LIMIT = 20


@dataclass(frozen=True, eq=False)
class Selected:
    """An orbital and what to call it."""

    name: str
    """Of its files."""
    caption: str
    coefficients: FloatArray
    """(nao,)."""
    energy: float
    """Hartree; 0 for natural transition orbitals, which have none."""
    occupation: float
    """In the ground state; the pair's weight for natural transition orbitals."""


def export_orbitals(
    directory: Path,
    *,
    state: str | None = None,
    pairs: int = 1,
    formats: Sequence[str] = FORMATS,
    share: float = 0.7,
    output: Path | None = None,
) -> tuple[list[Selected], list[Path]]:
    """Write HOMO and LUMO of a run, or the leading natural transition orbitals of one of its states.

    Parameters
    ----------
    directory
        Results folder.
    state
        "S1", "T2", ...; None for HOMO and LUMO.
    pairs
        Hole and electron pairs of the state, by descending weight.
    formats
        Of "png", "cube", "molden".
    share
        Part of the density that the surfaces of the pictures enclose.
    output
        Folder; default the run's `orbitals`.

    Raises
    ------
    InputError
        For a state that the run does not have, or an unknown format.
    """
    wrong = [name for name in formats if name not in FORMATS]
    if wrong or not formats:
        raise InputError(
            f"the format is {', '.join(wrong) or 'missing'}", fix=f"choose of {', '.join(FORMATS)}"
        )
    if not 0 < share < 1:
        raise InputError(f"share is {share}; it is the enclosed part of the density, between 0 and 1")
    ground, selected = select_orbitals(directory, state, pairs)
    folder = directory / "orbitals" if output is None else output
    need_writable(folder, folder=True)
    written = []
    if "png" in formats or "cube" in formats:
        from cluster_qc.drivers.volume import orbital_volume, write_cube

        for orbital in selected:
            volume = orbital_volume(ground, orbital.coefficients, label=orbital.caption)
            if "png" in formats:
                from cluster_qc.plotting.orbitals import plot_orbital

                written.append(folder / f"{orbital.name}.png")
                with replaced(written[-1]) as temporary:
                    plot_orbital(volume, ground.cluster, temporary, share=share, caption=orbital.caption)
            if "cube" in formats:
                written.append(folder / f"{orbital.name}.cube")
                with replaced(written[-1]) as temporary:
                    write_cube(volume, ground.cluster, temporary)
    if "molden" in formats:
        from cluster_qc.drivers.molden import write_molden

        written.append(folder / f"{'frontier' if state is None else state.lower()}.molden")
        write_molden(
            ground,
            written[-1],
            np.column_stack([orbital.coefficients for orbital in selected]),
            energies=[orbital.energy for orbital in selected],
            occupations=[orbital.occupation for orbital in selected],
            labels=[orbital.name for orbital in selected],
        )
    return selected, written


def select_orbitals(
    directory: Path, state: str | None = None, pairs: int = 1
) -> tuple[GroundState, list[Selected]]:
    """The orbitals that `export_orbitals` writes, and the ground state whose AOs they are made of."""
    return _frontier(directory) if state is None else _transition(directory, state, pairs)


def _frontier(directory: Path) -> tuple[GroundState, list[Selected]]:
    ground = load_step(directory, "scf")
    if not isinstance(ground, GroundState):
        raise StorageError(f"{directory}: its record of the ground state holds something else")
    mark = "" if ground.converged else ", NOT converged"
    found = []
    for name, index, energy, occupation in (
        ("homo", ground.nocc - 1, ground.homo, 2.0),
        ("lumo", ground.nocc, ground.lumo, 0.0),
    ):
        caption = f"{name.upper()} {energy / electronvolt:.2f} eV{mark}"
        found.append(Selected(name, caption, ground.coefficients[0][:, index], energy, occupation))
    return ground, found


def _transition(directory: Path, state: str, pairs: int) -> tuple[GroundState, list[Selected]]:
    match = re.fullmatch(r"([ST])([1-9]\d{0,3})", state.upper())
    if match is None:
        raise InputError(f"the state is {state!r}", fix="give S1, S2, ..., T1, ...")
    if not 1 <= pairs <= _PAIR_LIMIT:
        raise InputError(f"{pairs} pairs were asked for; 1 to {_PAIR_LIMIT} are possible")
    states = load_step(directory, "singlets" if match.group(1) == "S" else "triplets")
    if not isinstance(states, ExcitedStates):
        raise StorageError(f"{directory}: its record of the states holds something else")
    number = int(match.group(2))
    if number > len(states):
        raise InputError(
            f"{directory} has no {state.upper()}; it has {match.group(1)}1 to {match.group(1)}{len(states)}",
            fix="run it with more states",
        )
    from cluster_qc.drivers.nto import natural_transition_orbitals

    nto = natural_transition_orbitals(states[number - 1])
    mark = "" if nto.converged else ", NOT converged"
    found = []
    for pair in range(min(pairs, len(nto.weights))):
        for kind, columns in (("hole", nto.hole), ("electron", nto.electron)):
            which = f"{kind} {pair + 1}, weight {nto.weights[pair]:.2f}"
            caption = f"{nto.label} {nto.energy / electronvolt:.2f} eV{mark}, {which}"
            name = f"{nto.label.lower()}_{kind}" + (f"_{pair + 1}" if pairs > 1 else "")
            found.append(Selected(name, caption, columns[:, pair], 0.0, float(nto.weights[pair])))
    return states.ground, found
