"""How much of an excitation moves charge between metal and ligand: numbers first, then a label they support.

The charge-transfer number Omega_AB is the weight of configurations with the hole on A and the electron on B, from the
Loewdin-orthogonalised transition density (Plasser and Lischka, J. Chem. Theory Comput. 8, 2777 (2012),
10.1021/ct300307c). Its row sums are the hole shares, its column sums the electron shares, all pairs included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cluster_qc.analysis.fragments import Shares, fragment_names, shares_of_atoms, sqrt_overlap
from cluster_qc.errors import InputError, NotConvergedError
from cluster_qc.model import GroundState, NaturalTransitionOrbitals
from cluster_qc.model.arrays import FloatArray
from cluster_qc.model.elements import is_metal

NAMED_FROM = 0.25
"""A component enters the label from this share of the excitation on."""
NET_FROM = 0.10
"""MLCT and LMCT need this much net charge moved that way; below, metal and ligand are merely delocalised together."""


@dataclass(frozen=True, eq=False)
class TransitionCharacter:
    """Hole and electron of one excitation, and the four ways its weight divides; these four sum to 1."""

    label: str | None
    """Built by `character_label` from the four numbers below; None without metals, which leave no ligands to tell."""
    hole: Shares
    electron: Shares
    mlct: float
    """Hole on metal, electron on ligand."""
    lmct: float
    """Hole on ligand, electron on metal."""
    mc: float
    """Both on metal (metal-centred)."""
    lc: float
    """Both on ligands, the same or different ones (ligand-centred); all of a molecule without metals."""
    fragments: tuple[str, ...]
    """Names along both axes of `numbers`; empty without fragments."""
    numbers: FloatArray
    """Charge-transfer numbers between fragments, (nfragment, nfragment): row = hole, column = electron; sum 1."""

    @property
    def net_metal_to_ligand(self) -> float:
        """Charge that leaves the metals, hole share minus electron share of the metals (= MLCT - LMCT)."""
        return self.mlct - self.lmct


def charge_transfer_numbers(ground: GroundState, ntos: NaturalTransitionOrbitals) -> FloatArray:
    """Compute charge-transfer numbers between atoms, (natom, natom): row = hole, column = electron; sum 1.

    Raises
    ------
    InputError
        If the orbitals belong to another basis set than the ground state, or all weights vanish.
    """
    nao = len(ground.ao_atoms)
    if ntos.hole.shape[0] != nao:
        raise InputError(f"the NTOs of {ntos.label} have {ntos.hole.shape[0]} AOs, the ground state {nao}")
    total = float(ntos.weights.sum())
    if not total > 0:
        raise InputError(f"the NTO weights of {ntos.label} sum to zero: there is no excitation to analyse")
    root = sqrt_overlap(ground)
    density = (root @ ntos.hole * np.sqrt(ntos.weights)) @ (root @ ntos.electron).T
    natom = ground.cluster.natom
    member = np.zeros((natom, nao))
    member[ground.ao_atoms, np.arange(nao)] = 1.0
    return np.asarray(member @ density**2 @ member.T) / float((density**2).sum())


def character_label(mlct: float, lmct: float, mc: float, lc: float) -> str:
    """Build the label that four shares (sum 1) support, e.g. "MLCT", "LC", "LC/MLCT".

    Every component of at least `NAMED_FROM` (0.25) is named, the largest first; of MLCT and LMCT only the larger one.
    If that one is large enough to be named but the net charge, MLCT - LMCT, is below `NET_FROM` (0.10), metal and
    ligand share hole and electron alike, and the label is "delocalised" whatever else is large.
    """
    transfer, share = ("MLCT", mlct) if mlct >= lmct else ("LMCT", lmct)
    if share >= NAMED_FROM and abs(mlct - lmct) < NET_FROM:
        return "delocalised"
    shares = {transfer: share, "MC": mc, "LC": lc}
    named = [name for name in sorted(shares, key=lambda name: -shares[name]) if shares[name] >= NAMED_FROM]
    return "/".join(named) or "delocalised"  # four equal shares, rounded down


def transition_character(
    ground: GroundState, ntos: NaturalTransitionOrbitals, *, allow_unconverged: bool = False
) -> TransitionCharacter:
    """Add up hole and electron shares over all NTO pairs with their weights, and the character they support.

    The total weight is normalised to 1 here; `ntos.lost_weight` says how far from 1 it was. Metals are told from
    ligands by element.

    Raises
    ------
    NotConvergedError
        If the state did not converge, unless `allow_unconverged`.
    InputError
        As in `charge_transfer_numbers`.
    """
    if not (ntos.converged or allow_unconverged):
        raise NotConvergedError(
            f"{ntos.label} did not converge",
            why="the character of an unconverged state is not that of any state",
            fix="run it with more cycles, or pass allow_unconverged=True to look all the same",
        )
    cluster = ground.cluster
    atoms = charge_transfer_numbers(ground, ntos)
    metal = np.array([is_metal(symbol) for symbol in cluster.symbols])
    components = {
        "mlct": float(atoms[metal][:, ~metal].sum()),
        "lmct": float(atoms[~metal][:, metal].sum()),
        "mc": float(atoms[metal][:, metal].sum()),
        "lc": float(atoms[~metal][:, ~metal].sum()),
    }
    names, owner = fragment_names(cluster) if cluster.fragments else ((), (0,) * cluster.natom)
    member = np.zeros((len(names), cluster.natom))
    if names:
        member[owner, np.arange(cluster.natom)] = 1.0
    return TransitionCharacter(
        label=character_label(**components) if metal.any() else None,
        hole=shares_of_atoms(cluster, atoms.sum(axis=1)),
        electron=shares_of_atoms(cluster, atoms.sum(axis=0)),
        fragments=names,
        numbers=member @ atoms @ member.T,
        **components,
    )
