"""A cluster as closed-shell ions: metal cations and ligands with their formal charges."""

from __future__ import annotations

from collections.abc import Sequence

from cluster_qc.model import Cluster
from cluster_qc.structure.bonding import bonds
from cluster_qc.structure.connectivity import find_fragments, split_ligands
from cluster_qc.structure.valence import lewis_structure

METAL_CHARGES: dict[str, int] = {
    "Cu": 1, "Ag": 1, "Au": 1, "Tl": 1, "Li": 1, "Na": 1, "K": 1, "Rb": 1, "Cs": 1,
    "Ni": 2, "Pd": 2, "Pt": 2, "Zn": 2, "Cd": 2, "Hg": 2, "Mg": 2, "Ca": 2, "Sr": 2, "Ba": 2, "Pb": 2, "Sn": 2,
    "Rh": 1, "Ir": 1, "Al": 3, "Ga": 3, "In": 3, "Sc": 3, "Y": 3, "La": 3, "Lu": 3, "Bi": 3,
}  # fmt: skip
"""Charge of each metal's usual ion with an even number of electrons."""


def ligand_charge(symbols: Sequence[str], pairs: Sequence[tuple[int, int]]) -> int | None:
    """Charge that closes every shell of a metal-free group of atoms, None where the rules do not reach."""
    lewis = lewis_structure(symbols, pairs)
    return None if lewis is None else lewis.charge


def _assign(cluster: Cluster) -> list[tuple[tuple[int, ...], int]] | None:
    pairs = bonds(cluster.symbols, cluster.coords)
    found: list[tuple[tuple[int, ...], int]] = []
    ligands = split_ligands(cluster)
    held = {i for ligand in ligands for i in ligand}
    for i in range(cluster.natom):
        if i not in held:
            if cluster.symbols[i] not in METAL_CHARGES:
                return None
            found.append(((i,), METAL_CHARGES[cluster.symbols[i]]))
    for ligand in ligands:
        if len(ligand) == 1 and cluster.symbols[ligand[0]] in METAL_CHARGES:
            found.append((ligand, METAL_CHARGES[cluster.symbols[ligand[0]]]))
            continue
        place = {atom: k for k, atom in enumerate(ligand)}
        inside = [(place[i], place[j]) for i, j in pairs if i in place and j in place]
        charge = ligand_charge([cluster.symbols[i] for i in ligand], inside)
        if charge is None:
            return None
        found.append((ligand, charge))
    return found


def expected_charge(cluster: Cluster) -> int | None:
    """Sum of the usual ions' charges, whatever charge the cluster carries; None where the rules do not reach."""
    ions = _assign(cluster)
    return None if ions is None else sum(charge for _, charge in ions)


def ionic_fragments(cluster: Cluster) -> list[tuple[tuple[int, ...], int]] | None:
    """Split a cluster into closed-shell ions whose charges add up to its own.

    Every metal is the usual ion of its element (Cu+, Ag+, Au+, Pt2+, Zn2+, ...), every ligand carries the charge that
    closes its shells: Cu2Au2L4 becomes two Cu+, two Au+ and four L-.

    Returns
    -------
    list of (atoms, charge), or None
        Metals first, then ligands, each with its atom indices and formal charge; None if a metal's ion or a ligand's
        charge is not known, the cluster is not a singlet, or the charges do not add up (mixed valence, metal-metal
        electrons, a radical).
    """
    if cluster.multiplicity != 1:
        return None
    ions = _assign(cluster)
    if ions is None or sum(charge for _, charge in ions) != cluster.charge:
        return None
    return ions


def with_parts(cluster: Cluster) -> Cluster:
    """A copy that knows its fragments and, where they are unambiguous, its ions."""
    ions = ionic_fragments(cluster) or ()
    return cluster.with_fragments(find_fragments(cluster)).with_ions(tuple(ions))
