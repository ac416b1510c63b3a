"""Orbitals and transition densities of a finished run as pictures, cube and Molden files."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from cluster_qc.errors import InputError
from cluster_qc.files import need_writable, replaced
from cluster_qc.model import (
    Cluster,
    Excitation,
    GroundState,
    NaturalTransitionOrbitals,
    Volume,
)
from cluster_qc.model.arrays import FloatArray
from cluster_qc.units import electronvolt
from cluster_qc.workflow.figures import with_share
from cluster_qc.workflow.look import load_ground, load_states

FORMATS = ("png", "svg", "pdf", "cube", "molden")
DEFAULT_FORMATS = ("png", "cube", "molden")
_PAIR_LIMIT = 20
_AT_ONCE = 6  # orbitals evaluated together, for the memory that they take


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
    densities: bool = False,
    formats: Sequence[str] = DEFAULT_FORMATS,
    share: float = 0.7,
    output: Path | None = None,
) -> tuple[dict[str, str], list[Path]]:
    """Write HOMO and LUMO of a run, or the leading natural transition orbitals of one of its states.

    Parameters
    ----------
    directory
        Results folder.
    state
        "S1", "T2", ...; None for HOMO and LUMO.
    pairs
        Hole and electron pairs of the state, by descending weight.
    densities
        Also the hole density, the electron density (both of all pairs) and their difference, as pictures and cubes.
    formats
        Of "png", "svg", "pdf", "cube", "molden".
    share
        Part of the density that the surfaces of the pictures enclose.
    output
        Folder; default the run's `orbitals`.

    Returns
    -------
    captions, written
        What was drawn, by the name of its files; the files.

    Raises
    ------
    InputError
        For a state that the run does not have, an unknown format, or densities without a state or a format for them.
    """
    wrong = [name for name in formats if name not in FORMATS]
    if wrong or not formats:
        raise InputError(
            f"the format is {', '.join(wrong) or 'missing'}", fix=f"choose of {', '.join(FORMATS)}"
        )
    if not 0 < share < 1:
        raise InputError(f"share is {share}; it is the enclosed part of the density, between 0 and 1")
    on_grid = [name for name in formats if name != "molden"]
    if densities and state is None:
        raise InputError("densities belong to an excited state", fix="give one, e.g. --state S1")
    if densities and not on_grid:
        raise InputError("a Molden file holds orbitals, no densities", fix="add a format, e.g. --format cube")
    ground, selected = select_orbitals(directory, state, pairs)
    folder = directory / "orbitals" if output is None else output
    need_writable(folder, folder=True)
    captions = {orbital.name: orbital.caption for orbital in selected}
    written = []
    if on_grid:
        from cluster_qc.drivers.volume import orbital_volumes
        from cluster_qc.plotting.orbitals import plot_orbital

        for start in range(0, len(selected), _AT_ONCE):
            some = selected[start : start + _AT_ONCE]
            columns = np.column_stack([orbital.coefficients for orbital in some])
            volumes = orbital_volumes(ground, columns, labels=tuple(orbital.caption for orbital in some))
            for orbital, volume in zip(some, (volume.with_fixed_phase() for volume in volumes), strict=True):
                caption = with_share(orbital.caption, share)
                draw = partial(plot_orbital, volume, ground.cluster, share=share, caption=caption)
                written += _write(folder / orbital.name, on_grid, volume, ground.cluster, draw)
    if densities and state is not None:
        from cluster_qc.plotting.orbitals import plot_density

        for name, volume in _densities(find_state(directory, state)).items():
            captions[name] = volume.label
            # A hole is drawn as what it is, a lack of electrons; its cube is positive.
            shown = replace(volume, values=-volume.values) if name.endswith("_hole_density") else volume
            draw = partial(
                plot_density, shown, ground.cluster, share=share, caption=with_share(volume.label, share)
            )
            written += _write(folder / name, on_grid, volume, ground.cluster, draw)
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
    return captions, written


def _write(
    stem: Path, formats: Sequence[str], volume: Volume, cluster: Cluster, draw: Callable[[Path], object]
) -> list[Path]:
    """Write stem.cube, and whatever pictures are asked for."""
    from cluster_qc.drivers.volume import write_cube

    written = []
    for kind in formats:
        written.append(stem.with_name(f"{stem.name}.{kind}"))
        with replaced(written[-1]) as temporary:
            if kind == "cube":
                write_cube(volume, cluster, temporary)
            else:
                draw(temporary)
    return written


def _densities(excitation: Excitation) -> dict[str, Volume]:
    """Hole and electron density of a state and their difference, by the name of their files; captions as labels."""
    from cluster_qc.drivers.nto import natural_transition_orbitals
    from cluster_qc.drivers.volume import transition_densities

    nto = natural_transition_orbitals(excitation)
    hole, electron = transition_densities(excitation.states.ground, nto)
    difference = replace(electron, values=electron.values - hole.values)
    total = f", weights of all pairs sum to {nto.weights.sum():.3f}"
    found = {}
    for name, volume, what in (
        ("hole_density", hole, f"hole density{total}"),
        ("electron_density", electron, f"electron density{total}"),
        ("density_difference", difference, "electron minus hole density"),
    ):
        found[f"{nto.label.lower()}_{name}"] = replace(volume, label=f"{_heading(nto)}, {what}, unrelaxed")
    return found


def select_orbitals(
    directory: Path, state: str | None = None, pairs: int = 1
) -> tuple[GroundState, list[Selected]]:
    """The orbitals that `export_orbitals` writes, and the ground state whose AOs they are made of."""
    return _frontier(directory) if state is None else _transition(directory, state, pairs)


def _frontier(directory: Path) -> tuple[GroundState, list[Selected]]:
    ground = load_ground(directory)
    mark = "" if ground.converged else ", NOT converged"
    found = []
    for name, index, energy, occupation in (
        ("homo", ground.nocc - 1, ground.homo, 2.0),
        ("lumo", ground.nocc, ground.lumo, 0.0),
    ):
        caption = f"{name.upper()} {energy / electronvolt:.2f} eV{mark}"
        found.append(Selected(name, caption, ground.coefficients[0][:, index], energy, occupation))
    return ground, found


def find_state(directory: Path, state: str) -> Excitation:
    """One excited state of a run, by its label.

    Raises
    ------
    InputError
        If it is no label, or the run does not have it.
    """
    match = re.fullmatch(r"([ST])([1-9]\d{0,3})", state.upper())
    if match is None:
        raise InputError(f"the state is {state!r}", fix="give S1, S2, ..., T1, ...")
    states = load_states(directory, "singlet" if match.group(1) == "S" else "triplet")
    number = int(match.group(2))
    if number > len(states):
        raise InputError(
            f"{directory} has no {state.upper()}; it has {match.group(1)}1 to {match.group(1)}{len(states)}",
            fix="run it with more states",
        )
    return states[number - 1]


def _transition(directory: Path, state: str, pairs: int) -> tuple[GroundState, list[Selected]]:
    if not 1 <= pairs <= _PAIR_LIMIT:
        raise InputError(f"{pairs} pairs were asked for; 1 to {_PAIR_LIMIT} are possible")
    from cluster_qc.drivers.nto import natural_transition_orbitals

    excitation = find_state(directory, state)
    nto = natural_transition_orbitals(excitation)
    found = []
    for pair in range(min(pairs, len(nto.weights))):
        for kind, columns in (("hole", nto.hole), ("electron", nto.electron)):
            caption = f"{_heading(nto)}, {kind} {pair + 1}, weight {nto.weights[pair]:.2f}"
            name = f"{nto.label.lower()}_{kind}" + (f"_{pair + 1}" if pairs > 1 else "")
            found.append(Selected(name, caption, columns[:, pair], 0.0, float(nto.weights[pair])))
    return excitation.states.ground, found


def _heading(nto: NaturalTransitionOrbitals) -> str:
    return f"{nto.label} {nto.energy / electronvolt:.2f} eV" + ("" if nto.converged else ", NOT converged")
