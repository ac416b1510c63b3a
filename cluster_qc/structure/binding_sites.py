"""Where the ligands of a cluster bind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rdkit import Chem

from cluster_qc.errors import InputError
from cluster_qc.model import Cluster
from cluster_qc.model.elements import atomic_number
from cluster_qc.structure.bonding import bonds, is_cluster_metal, neighbour_lists
from cluster_qc.structure.chirality import ligand_molecule
from cluster_qc.structure.connectivity import split_ligands
from cluster_qc.structure.molecule import hill_formula


@dataclass(frozen=True, eq=False)
class Site:
    """Where one ligand of a cluster binds."""

    atoms: tuple[int, ...]
    """The ligand's atoms in the cluster."""
    donors: tuple[int, ...]
    """Its atoms bonded to metals, by atomic number of the lightest of these, then by their own."""
    metals: tuple[tuple[int, ...], ...]
    """The metals that each donor binds."""
    metal_symbols: tuple[str, ...]
    """The element of these, e.g. "Au" or "Au, Cu"."""
    molecule: Chem.Mol
    """The ligand without metals, sanitized; atom k is `atoms[k]`."""

    @property
    def charge(self) -> int:
        """Formal charge of the ligand."""
        return int(Chem.GetFormalCharge(self.molecule))

    @property
    def donor_symbols(self) -> list[str]:
        """Elements of the donors."""
        return [self.molecule.GetAtomWithIdx(self.atoms.index(i)).GetSymbol() for i in self.donors]

    @property
    def label(self) -> str:
        """What binds here and how, e.g. "C3H4NS2 (N on Cu, S on Au)"."""
        formula = hill_formula([atom.GetSymbol() for atom in self.molecule.GetAtoms()])
        bound = zip(self.donor_symbols, self.metal_symbols, strict=True)
        return f"{formula} ({', '.join(f'{donor} on {metal}' for donor, metal in bound)})"

    def frame(self) -> tuple[int, ...]:
        """Donors, then the atoms between them, as indices into `atoms`."""
        donors = [self.atoms.index(i) for i in self.donors]
        return tuple(connecting_frame(self.molecule, donors))


def find_sites(cluster: Cluster) -> tuple[list[Site], list[int]]:
    """The ligands of a cluster and its other atoms: metals and single atoms between them (chloride, sulfide, hydride).

    Raises
    ------
    InputError
        If there is no ligand, one binds no metal, or one's bond orders do not follow from its geometry.
    """
    neighbours = neighbour_lists(cluster.natom, bonds(cluster.symbols, cluster.coords))
    sites: list[Site] = []
    for ligand in split_ligands(cluster):
        if len(ligand) == 1:
            continue
        metals = {i: tuple(j for j in neighbours[i] if is_cluster_metal(cluster.symbols[j])) for i in ligand}
        donors = sorted(
            (i for i in ligand if metals[i]),
            key=lambda i: (min(atomic_number(cluster.symbols[j]) for j in metals[i]),
                           atomic_number(cluster.symbols[i]), i),
        )  # fmt: skip
        where = f"the ligand of atoms {ligand[0] + 1} to {ligand[-1] + 1} of {cluster.name}"
        if not donors:
            raise InputError(
                f"{where} binds no metal",
                why="the core is a whole cluster whose ligands are replaced",
                fix="give one without solvent and counter-ions",
            )
        molecule = ligand_molecule(cluster, ligand)
        try:
            if molecule is None:
                raise ValueError("its valences cannot be counted")
            Chem.SanitizeMol(molecule)
        except ValueError as error:
            raise InputError(
                f"{where} has no Lewis structure: {str(error).strip().splitlines()[0]}",
                why="the charge and the donors of the new ligand are taken from the old one",
                fix="give a core with complete, undamaged ligands",
            ) from None
        bonded = tuple(metals[i] for i in donors)
        elements = tuple(", ".join(sorted({cluster.symbols[m] for m in some})) for some in bonded)
        sites.append(Site(ligand, tuple(donors), bonded, elements, molecule))
    if not sites:
        raise InputError(f"{cluster.name} has no ligands to replace", fix="give a ligand-protected cluster")
    held = {i for site in sites for i in site.atoms}
    return sites, [i for i in range(cluster.natom) if i not in held]


def connecting_frame(molecule: Chem.Mol, donors: Sequence[int]) -> list[int]:
    """Donors and, after them, the atoms on the shortest paths between them; one donor: its heavy neighbours."""
    frame = list(donors)
    if len(donors) == 1:
        return frame + sorted(
            atom.GetIdx() for atom in molecule.GetAtomWithIdx(donors[0]).GetNeighbors() if atom.GetAtomicNum() > 1
        )  # fmt: skip
    for i in range(len(donors)):
        for j in range(i + 1, len(donors)):
            if molecule.GetBondBetweenAtoms(donors[i], donors[j]) is None:
                path = Chem.GetShortestPath(molecule, donors[i], donors[j])
                frame += [k for k in path if k not in frame]
    return frame
