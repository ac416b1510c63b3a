"""Which atoms of a ligand can bind where another one does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rdkit import Chem

from cluster_qc.errors import InputError
from cluster_qc.structure.binding_sites import Site, connecting_frame
from cluster_qc.structure.drawing import check_double_bonds, has_isotopes, is_carbene, read_ligand

_ACIDITY = ("S", "Se", "O", "N", "P", "C")
"""Which donors give their proton first."""
_MOST_NEIGHBOURS = {"O": 1, "S": 1, "Se": 1, "N": 2}
"""Heavy neighbours of a donor of the free ligand; a thioether's S or a tertiary amine's N is only taken where the old
ligand binds by one, or where it is marked."""


_MOST_SHOWN = 4
"""Ways to bind that a message writes out."""


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
    told: str
    """How it was drawn and how it binds, donors marked: "S=C1NCCS1 bound as C1C[N:1]=C([S-:2])S1"."""

    @property
    def charge(self) -> int:
        """Formal charge of the bound ligand."""
        return int(Chem.GetFormalCharge(self.molecule))


def bind(smiles: str, site: Site) -> BoundLigand:
    """Find out how a ligand binds at a site.

    Raises
    ------
    InputError
        As `start_geometries` says.
    """
    smiles = smiles.strip()
    bare = read_ligand(smiles)
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
    pattern = _pattern(site, old)
    if not usable:
        raise _no_site(smiles, molecule, site, pattern, surplus, wanted, marked=bool(mapped))
    scores = {match: _strangeness(molecule, match, site, old, usable[match]) for match in usable}
    least = min(scores.values())
    best = [match for match, score in scores.items() if score == least]
    ways = {_signature(molecule, usable[match], match, ndonor): match for match in sorted(best, reverse=True)}
    if len(ways) > 1:
        shown = [repr(_marked(bare, match[:ndonor])) for match in sorted(ways.values())[:_MOST_SHOWN]]
        raise InputError(
            f"{smiles} can bind in {len(ways)} ways: it has several {pattern} groups",
            why="which atoms bind which metal is not for the program to guess",
            fix=f"mark the donors by atom maps, {_marks(site)}: {' or '.join(shown)}",
        )
    match = min(best)
    _check_carbenes(bare, match[:ndonor], smiles)
    check_double_bonds(bare, match, smiles)
    places = dict(zip(match, (site.atoms[i] for i in old), strict=True))
    same = [molecule.GetAtomWithIdx(i).GetSymbol() for i in match[:ndonor]] == site.donor_symbols
    ring = _shared_rings(molecule, match, site, old) if same else {}
    loose = frozenset() if same else frozenset(match[ndonor:])
    for atom in molecule.GetAtoms():
        atom.SetAtomMapNum(0)
    bound = _deprotonated(molecule, usable[match], match)
    left_out = " (isotope labels left out)" if has_isotopes(Chem.MolFromSmiles(smiles)) else ""
    told = f"{smiles}{left_out} bound as {_marked(Chem.RemoveHs(bound), match[:ndonor])}"
    return BoundLigand(smiles, bound, places, ring, loose, told)


def _check_carbenes(molecule: Chem.Mol, donors: Sequence[int], smiles: str) -> None:
    for atom in molecule.GetAtoms():
        if is_carbene(atom) and atom.GetIdx() not in donors:
            raise InputError(
                f"{smiles} has a carbene carbon that is no donor, atom {atom.GetIdx() + 1}",
                why="an atom in brackets has the hydrogens written there and no others",
                fix="write its hydrogens, as in [CH2], or take the brackets away",
            )


def _marked(molecule: Chem.Mol, donors: Sequence[int]) -> str:
    """SMILES with the donors marked."""
    copy = Chem.Mol(molecule)
    for number, donor in enumerate(donors, start=1):
        if donor < copy.GetNumAtoms():
            copy.GetAtomWithIdx(donor).SetAtomMapNum(number)
    return str(Chem.MolToSmiles(copy))


def _marks(site: Site) -> str:
    """Which mark goes to which donor of the core."""
    bound = zip(site.donor_symbols, site.metal_symbols, strict=True)
    return ", ".join(
        f":{number} in place of {donor} on {metal}" for number, (donor, metal) in enumerate(bound, start=1)
    )


def _signed(charge: int) -> str:
    return f"{charge:+d}" if charge else "0"


def _no_site(
    smiles: str,
    molecule: Chem.Mol,
    site: Site,
    pattern: str,
    surplus: dict[tuple[int, ...], int],
    wanted: int,
    *,
    marked: bool,
) -> InputError:
    """Why a ligand cannot take a site."""
    protons = max(surplus.values(), default=0)
    if surplus and (protons < 0 or marked):
        return InputError(
            f"the donors of {smiles} have charge {_signed(wanted + protons)}, those of the ligand it replaces, "
            f"{site.label}, {_signed(wanted)}" + (", and too few hydrogens to lose" if protons > 0 else ""),
            why="the metals' oxidation states would change",
            fix="draw the free acid or its anion; a ligand of another charge needs a core of such ligands (a file)",
        )
    what = f"{smiles} does not bind as the ligand it replaces, {site.label}: it has no {pattern} group"
    why = f"the new donors go where the old ones are, and each old ligand has charge {_signed(wanted)} there"
    fix = f"take a ligand that binds so, or mark the atoms that bind: {_marks(site)}"
    if {atom.GetSymbol() for atom in molecule.GetAtoms()} >= set(site.donor_symbols):
        if not {"N", "S"}.isdisjoint(site.donor_symbols):
            why += "; S of a chain or ring and N with three substituents bind only where they are marked"
        acid = "draw the free ligand with its acidic hydrogens (S=C-N-H), or " if wanted < 0 else ""
        fix = f"{acid}mark the atoms that bind: {_marks(site)}"
    return InputError(
        what + (f" that can lose {protons} of its protons" if protons else ""), why=why, fix=fix
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


def _pattern(site: Site, frame: Sequence[int]) -> str:
    """The frame for messages: a chain such as N-C-S where it is one, a single donor as P(C)(C)(C)."""
    symbols = [site.molecule.GetAtomWithIdx(i).GetSymbol() for i in frame]
    if len(site.donors) == 1:
        return symbols[0] + "".join(f"({symbol})" for symbol in symbols[1:])
    if len(site.donors) == 2:
        return "-".join([symbols[0], *symbols[2:], symbols[1]])
    return "-".join(symbols)


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
            f"{smiles} marks the donors {sorted(mapped)}; the ligand it replaces, {site.label}, has {count}",
            fix=f"mark {_marks(site)}",
        )
    frame = tuple(connecting_frame(molecule, [mapped[k] for k in range(1, count + 1)]))
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
    atoms = {i: molecule.GetAtomWithIdx(i) for i in donors if _hydrogens(molecule, i)}
    ready = sorted(atoms, key=lambda i: (_acidity(atoms[i].GetSymbol()), _is_doubly_bonded(atoms[i]), i))
    return tuple(ready[:surplus]) if len(ready) >= surplus else None


def _is_doubly_bonded(atom: Chem.Atom) -> bool:
    """True for the imine N of an amidine, whose other N gives its proton."""
    return any(bond.GetBondType() == Chem.BondType.DOUBLE for bond in atom.GetBonds())


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


def _signature(molecule: Chem.Mol, acidic: Sequence[int], match: Sequence[int], ndonor: int) -> str:
    """Equal for matches that give the same bound ligand, by symmetry or by resonance between its donors."""
    bound = Chem.RWMol(_deprotonated(molecule, acidic, match))
    for atom in bound.GetAtoms():
        atom.SetAtomMapNum(0)
    for number, donor in enumerate(match[:ndonor], start=1):
        bound.GetAtomWithIdx(donor).SetAtomMapNum(number)
    for i in match:
        bound.GetAtomWithIdx(i).SetFormalCharge(0)
        bound.GetAtomWithIdx(i).SetNoImplicit(True)
    for bond in bound.GetBonds():
        if bond.GetBeginAtomIdx() in match and bond.GetEndAtomIdx() in match:
            bond.SetStereo(Chem.BondStereo.STEREONONE)
            bond.SetBondType(Chem.BondType.SINGLE)
    return str(Chem.MolToSmiles(bound))


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
