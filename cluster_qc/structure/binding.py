"""Where the ligands of a cluster bind, and which atoms of another ligand can bind there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rdkit import Chem, rdBase

from cluster_qc.errors import InputError
from cluster_qc.model import Cluster
from cluster_qc.model.elements import atomic_number
from cluster_qc.structure.bonding import bonds, is_cluster_metal, neighbour_lists
from cluster_qc.structure.chirality import ligand_molecule
from cluster_qc.structure.connectivity import split_ligands

_ACIDITY = ("S", "Se", "O", "N", "P", "C")
"""Which donors give their proton first."""
_MOST_NEIGHBOURS = {"O": 1, "S": 1, "Se": 1, "N": 2}
"""Heavy neighbours of a donor of the free ligand; a thioether's S or a tertiary amine's N is only taken where the old
ligand binds by one, or where it is marked."""


@dataclass(frozen=True, eq=False)
class Site:
    """Where one ligand of a cluster binds."""

    atoms: tuple[int, ...]
    """The ligand's atoms in the cluster."""
    donors: tuple[int, ...]
    """Its atoms bonded to metals, by atomic number of the lightest of these, then by their own."""
    metals: tuple[tuple[int, ...], ...]
    """The metals that each donor binds."""
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

    def frame(self) -> tuple[int, ...]:
        """Donors, then the atoms between them, as indices into `atoms`."""
        donors = [self.atoms.index(i) for i in self.donors]
        return tuple(_frame(self.molecule, donors))


@dataclass(frozen=True, eq=False)
class BoundLigand:
    """A free ligand and how it binds at a site."""

    smiles: str
    molecule: Chem.Mol
    """With all hydrogens but the protons that it lost."""
    anchors: dict[int, int]
    """Atom of `molecule` -> atom of the core in whose place it goes: donors first, then what lies between them."""
    ring: dict[int, int]
    """The same for further atoms of rings that the old ligand has too; standing there fixes the pucker."""
    loose: frozenset[int]
    """Anchors that only show the way: what lies between donors of other elements than the old ones."""

    @property
    def charge(self) -> int:
        """Formal charge of the bound ligand."""
        return int(Chem.GetFormalCharge(self.molecule))


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
        sites.append(Site(ligand, tuple(donors), tuple(metals[i] for i in donors), molecule))
    if not sites:
        raise InputError(f"{cluster.name} has no ligands to replace", fix="give a ligand-protected cluster")
    held = {i for site in sites for i in site.atoms}
    return sites, [i for i in range(cluster.natom) if i not in held]


def bind(smiles: str, site: Site) -> BoundLigand:
    """Find out how a ligand binds at a site.

    Raises
    ------
    InputError
        As `start_geometries` says.
    """
    with rdBase.BlockLogs():
        bare = Chem.MolFromSmiles(smiles)
    if bare is None or not bare.GetNumAtoms() or len(smiles.split()) > 1:
        raise InputError(f"{smiles!r} is not a valid SMILES", fix="check brackets and ring numbers")
    if "." in smiles:
        raise InputError(f"{smiles!r} is more than one molecule", fix="give one ligand")
    _check_stereo(bare, smiles)
    molecule = Chem.AddHs(bare)
    old = site.frame()
    ndonor = len(site.donors)
    mapped = {atom.GetAtomMapNum(): atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetAtomMapNum()}
    candidates = [_mapped_frame(molecule, mapped, site, smiles)] if mapped else _matches(molecule, site, old)
    wanted = _local_charge(site.molecule, old)
    surplus = {match: _local_charge(molecule, match) - wanted for match in candidates}
    usable = {}
    for match, protons in surplus.items():
        acidic = _acidic(molecule, match[:ndonor], protons) if protons >= 0 else None
        if acidic is not None:
            usable[match] = acidic
    pattern = "-".join(site.molecule.GetAtomWithIdx(i).GetSymbol() for i in _reading_order(site, old))
    if not usable:
        raise _no_site(smiles, molecule, site, pattern, surplus, wanted)
    ranks = list(Chem.CanonicalRankAtoms(molecule, breakTies=False))
    scores = {match: _strangeness(molecule, match, site, old, usable[match]) for match in usable}
    least = min(scores.values())
    best = [match for match, score in scores.items() if score == least]
    ways = len({_signature(match, ranks, ndonor) for match in best})
    if ways > 1:
        raise InputError(
            f"{smiles} can bind in {ways} ways: it has several {pattern} groups",
            why="which atoms bind which metal is not for the program to guess",
            fix="mark the donors by atom maps in the order of the core's donors, e.g. [NH:1] and [S:2]",
        )
    match = min(best)
    places = dict(zip(match, (site.atoms[i] for i in old), strict=True))
    same = [molecule.GetAtomWithIdx(i).GetSymbol() for i in match[:ndonor]] == site.donor_symbols
    ring = _shared_rings(molecule, match, site, old) if same else {}
    loose = frozenset() if same else frozenset(match[ndonor:])
    for atom in molecule.GetAtoms():
        atom.SetAtomMapNum(0)
    return BoundLigand(smiles, _deprotonated(molecule, usable[match], match), places, ring, loose)


def _no_site(
    smiles: str,
    molecule: Chem.Mol,
    site: Site,
    pattern: str,
    surplus: dict[tuple[int, ...], int],
    wanted: int,
) -> InputError:
    """Why a ligand cannot take a site."""
    if surplus and max(surplus.values()) < 0:
        return InputError(
            f"the donors of {smiles} have charge {wanted + max(surplus.values()):+d}, those of the ligand it replaces "
            f"{wanted:+d}",
            why="the metals' oxidation states would change",
            fix="draw the ligand with the charge of the old one, or with protons on its donors to lose",
        )
    protons = max(surplus.values(), default=0)
    what = f"{smiles} does not bind as the ligand it replaces: it has no {pattern} group"
    elements = {atom.GetSymbol() for atom in molecule.GetAtoms()}
    fix = "draw the free ligand with its acidic hydrogens (S=C-N-H), or mark the donors: [S:2]=C1[NH:1]CCS1"
    if not elements >= set(site.donor_symbols):
        donors = " and ".join(dict.fromkeys(site.donor_symbols))
        fix = f"this core binds its ligands by {donors}; take one whose ligands bind as this one does"
    return InputError(
        what + (f" that can lose {protons} of its protons" if protons else ""),
        why=f"the new donors go where the old ones are, and each old ligand has charge {wanted:+d} there",
        fix=fix,
    )


def _local_charge(molecule: Chem.Mol, frame: Sequence[int]) -> int:
    """Formal charge of the frame, its neighbours and the rings through it; charged groups further out stay as drawn."""
    near = set(frame)
    for i in frame:
        near |= {other.GetIdx() for other in molecule.GetAtomWithIdx(i).GetNeighbors()}
    for ring in Chem.GetSymmSSSR(molecule):
        if not set(frame).isdisjoint(ring):
            near |= set(ring)
    return sum(molecule.GetAtomWithIdx(i).GetFormalCharge() for i in near)


def _check_stereo(bare: Chem.Mol, smiles: str) -> None:
    unspecified = [
        entry
        for entry in Chem.FindPotentialStereo(Chem.Mol(bare))
        if entry.specified == Chem.StereoSpecified.Unspecified
    ]
    for entry in unspecified:
        if entry.type != Chem.StereoType.Bond_Double:
            continue
        bond = bare.GetBondWithIdx(entry.centeredOn)
        if bond.GetBeginAtom().GetSymbol() == bond.GetEndAtom().GetSymbol() == "C":  # C=N is set by the core
            raise InputError(
                f"{smiles} leaves open how the double bond between atoms {bond.GetBeginAtomIdx() + 1} and "
                f"{bond.GetEndAtomIdx() + 1} is arranged",
                why="every ligand of the cluster is to be the same isomer",
                fix="write C/C=C/C for trans (E) or C/C=C\\C for cis (Z) there",
            )
    missing = [entry.centeredOn for entry in unspecified if entry.type == Chem.StereoType.Atom_Tetrahedral]
    if missing:
        raise InputError(
            f"{smiles} leaves the hand of stereocentres open: atom {', '.join(str(i + 1) for i in missing)}",
            why="every ligand of the cluster is to be the same enantiomer",
            fix="write [C@H] or [C@@H] there",
        )


def _frame(molecule: Chem.Mol, donors: Sequence[int]) -> list[int]:
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


def _reading_order(site: Site, frame: Sequence[int]) -> Sequence[int]:
    """The frame as a chain where it is one, for messages."""
    if len(site.donors) == 2 and len(frame) > 2:
        return [frame[0], *frame[2:], frame[1]]
    return frame


def _matches(molecule: Chem.Mol, site: Site, old: Sequence[int]) -> list[tuple[int, ...]]:
    """All ways to lay the old ligand's frame (elements, connections) over the new ligand, donors first."""
    query = Chem.RWMol()
    for i in old:
        query.AddAtom(Chem.AtomFromSmarts(f"[#{site.molecule.GetAtomWithIdx(i).GetAtomicNum()}]"))
    for a in range(len(old)):
        for b in range(a):
            if site.molecule.GetBondBetweenAtoms(old[a], old[b]) is not None:
                query.AddBond(a, b, Chem.BondType.UNSPECIFIED)
                query.ReplaceBond(query.GetNumBonds() - 1, Chem.BondFromSmarts("~"))
    found = molecule.GetSubstructMatches(query.GetMol(), uniquify=False, maxMatches=10000)
    places = old[: len(site.donors)]
    return [
        match
        for match in found
        if all(
            _heavy_neighbours(molecule, new)
            <= max(
                _heavy_neighbours(site.molecule, place),
                _MOST_NEIGHBOURS.get(molecule.GetAtomWithIdx(new).GetSymbol(), 4),
            )
            for new, place in zip(match, places, strict=False)
        )
    ]


def _heavy_neighbours(molecule: Chem.Mol, atom: int) -> int:
    return sum(other.GetAtomicNum() > 1 for other in molecule.GetAtomWithIdx(atom).GetNeighbors())


def _mapped_frame(molecule: Chem.Mol, mapped: dict[int, int], site: Site, smiles: str) -> tuple[int, ...]:
    """The frame of donors marked 1, 2, ... by atom maps."""
    count = len(site.donors)
    if sorted(mapped) != list(range(1, count + 1)):
        raise InputError(
            f"{smiles} marks the donors {sorted(mapped)}; the ligand it replaces has {count}",
            fix=f"use the atom maps 1 to {count}, in the order of the core's donors",
        )
    frame = tuple(_frame(molecule, [mapped[k] for k in range(1, count + 1)]))
    if len(frame) != len(site.frame()):
        raise InputError(
            f"{smiles} has {len(frame) - count} atom(s) between its donors, the ligand it replaces "
            f"{len(site.frame()) - count}",
            why="it would not reach from metal to metal as the old one does",
            fix="take a core whose ligands bridge by as many atoms",
        )
    return frame


def _hydrogens(molecule: Chem.Mol, atom: int) -> list[int]:
    return [
        other.GetIdx() for other in molecule.GetAtomWithIdx(atom).GetNeighbors() if other.GetAtomicNum() == 1
    ]


def _acidic(molecule: Chem.Mol, donors: Sequence[int], surplus: int) -> tuple[int, ...] | None:
    """The donors that lose one proton each, or None if there are too few."""
    ready = [i for i in donors if _hydrogens(molecule, i)]
    ready.sort(key=lambda i: (_acidity(molecule.GetAtomWithIdx(i).GetSymbol()), i))
    return tuple(ready[:surplus]) if len(ready) >= surplus else None


def _deprotonated(molecule: Chem.Mol, acidic: Sequence[int], frame: Sequence[int]) -> Chem.Mol:
    """Without one hydrogen on each acidic donor; of D-C=E the more acidic end has the charge, however it was drawn."""
    edited = Chem.RWMol(molecule)
    Chem.Kekulize(edited, clearAromaticFlags=True)
    for donor in acidic:
        edited.GetAtomWithIdx(donor).SetFormalCharge(edited.GetAtomWithIdx(donor).GetFormalCharge() - 1)
    for bearer in frame:
        if edited.GetAtomWithIdx(bearer).GetFormalCharge() < 0:
            _shift_charge(edited, bearer, frame)
    # Hydrogens follow all other atoms, so that the numbers of these do not change.
    for hydrogen in sorted((_hydrogens(molecule, donor)[0] for donor in acidic), reverse=True):
        edited.RemoveAtom(hydrogen)
    result = edited.GetMol()
    Chem.SanitizeMol(result)
    return result


def _shift_charge(edited: Chem.RWMol, bearer: int, frame: Sequence[int]) -> None:
    """Move a negative charge from D in D-C=E to E, all of the frame, where E is the more acidic of the two."""
    atom = edited.GetAtomWithIdx(bearer)
    for middle in [other.GetIdx() for other in atom.GetNeighbors() if other.GetIdx() in frame]:
        for bond in edited.GetAtomWithIdx(middle).GetBonds():
            end = bond.GetOtherAtom(edited.GetAtomWithIdx(middle))
            if bond.GetBondType() != Chem.BondType.DOUBLE or end.GetIdx() not in frame:
                continue
            if _acidity(end.GetSymbol()) < _acidity(atom.GetSymbol()):
                edited.GetBondBetweenAtoms(bearer, middle).SetBondType(Chem.BondType.DOUBLE)
                bond.SetBondType(Chem.BondType.SINGLE)
                end.SetFormalCharge(end.GetFormalCharge() - 1)
                atom.SetFormalCharge(atom.GetFormalCharge() + 1)
                return


def _acidity(symbol: str) -> int:
    return _ACIDITY.index(symbol) if symbol in _ACIDITY else len(_ACIDITY)


def _strangeness(
    molecule: Chem.Mol, match: Sequence[int], site: Site, old: Sequence[int], acidic: Sequence[int]
) -> int:
    """How much the donors differ from the old ones in heavy neighbours and in hydrogens that stay."""
    total = 0
    for new, place in zip(match[: len(site.donors)], old, strict=False):
        heavy = _heavy_neighbours(molecule, new) - _heavy_neighbours(site.molecule, place)
        hydrogens = len(_hydrogens(molecule, new)) - (new in acidic)
        total += 2 * abs(heavy) + abs(hydrogens - len(_hydrogens(site.molecule, place)))
    return total


def _signature(match: Sequence[int], ranks: Sequence[int], ndonor: int) -> tuple[tuple[int, ...], ...]:
    """Equal for matches that symmetry makes the same: the donors in their order, the others in any."""
    return tuple(ranks[i] for i in match[:ndonor]), tuple(sorted(ranks[i] for i in match[ndonor:]))


def _shared_rings(molecule: Chem.Mol, match: Sequence[int], site: Site, old: Sequence[int]) -> dict[int, int]:
    """Ring atoms of the new ligand that can stand where the old ligand's stand: same size, same kinds of atoms."""
    found: dict[int, int] = {}
    pairs = dict(zip(old, match, strict=True))
    for ring in Chem.GetSymmSSSR(site.molecule):
        shared = [i for i in ring if i in pairs]
        if len(shared) < 2:
            continue
        for other in Chem.GetSymmSSSR(molecule):
            if len(other) != len(ring) or not all(pairs[i] in other for i in shared):
                continue
            turned = _aligned(list(ring), list(other), pairs, shared)
            if turned is None:
                continue
            alike = all(
                _kind(site.molecule.GetAtomWithIdx(i)) == _kind(molecule.GetAtomWithIdx(j))
                for i, j in turned.items()
                if i not in pairs
            )
            if alike:
                found |= {j: site.atoms[i] for i, j in turned.items() if i not in pairs}
    return found


def _aligned(
    ring: list[int], other: list[int], pairs: dict[int, int], shared: list[int]
) -> dict[int, int] | None:
    """The second ring's atoms laid on the first's so that the shared atoms agree."""
    size = len(ring)
    for start in range(size):
        for step in (1, -1):
            laid = {ring[k]: other[(start + step * k) % size] for k in range(size)}
            if all(laid[i] == pairs[i] for i in shared):
                return laid
    return None


def _kind(atom: Chem.Atom) -> tuple[bool, bool]:
    """Whether a ring atom is planar, and aromatic; lone pairs do not count, so that O may replace S."""
    planar = atom.GetHybridization() == Chem.HybridizationType.SP2 and atom.GetAtomicNum() in (5, 6)
    return planar, atom.GetIsAromatic()
