"""New ligands on a known core: a cluster's ligands replaced by others, its metals and donors kept in place."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from ase.data import atomic_numbers, covalent_radii, vdw_radii
from rdkit import Chem
from scipy.optimize import least_squares
from scipy.spatial.distance import cdist

from cluster_qc.errors import InputError
from cluster_qc.model import Cluster
from cluster_qc.model.arrays import FloatArray, IntArray
from cluster_qc.model.elements import is_metal
from cluster_qc.structure.binding import BoundLigand, bind
from cluster_qc.structure.binding_sites import Site, find_sites
from cluster_qc.structure.bonding import bonds, is_cluster_metal
from cluster_qc.structure.chirality import core_handedness
from cluster_qc.structure.conformers import Conformer, conformers, natural_distance, settle
from cluster_qc.structure.drawing import mirrored
from cluster_qc.structure.geometry import superposition
from cluster_qc.structure.ions import with_parts
from cluster_qc.structure.molecule import hill_formula
from cluster_qc.units import angstrom

Handedness = Literal["same", "other", "both"]

_TRIALS = 60
_SHAPES = 12
_COMBINATIONS = 64
_ALIKE_ANGSTROM = 0.4
_CLASH = 0.6
_SAME_KCAL = 0.01
_WINDOW_KCAL = 25.0
"""For each ligand, above the lowest start; beyond lie rings and bonds torn by a pucker that does not fit."""
_METAL_RADIUS = 2.4


@dataclass(frozen=True, eq=False)
class Start:
    """A start geometry: new ligands on the core, not relaxed."""

    cluster: Cluster
    held: tuple[int, ...]
    """Atoms that stand where the core has them: metals, donors, what lies between them, and shared rings."""
    clearance: float
    """Smallest distance of two atoms that do not belong together over the sum of their van der Waals radii (2.4
    angstrom for metals)."""
    energy_kcal: float
    """Of the ligands by the force field, without charges, kcal/mol."""


@dataclass(frozen=True, eq=False)
class _Placed:
    """A ligand on its site; angstrom."""

    site: Site
    ligand: BoundLigand
    positions: FloatArray
    held: tuple[int, ...]
    """Atoms on the place of one of the core's."""

    @property
    def symbols(self) -> list[str]:
        return [atom.GetSymbol() for atom in self.ligand.molecule.GetAtoms()]


class NoRoomError(InputError):
    """The ligands overlap on this core whatever their conformers."""


def start_geometries(
    core: Cluster,
    ligands: str | Sequence[str | None],
    *,
    handedness: Handedness = "same",
    limit: int = 6,
    name: str | None = None,
) -> list[Start]:
    """Put new ligands in the place of a cluster's own.

    The donors of a new ligand and the atoms between them are those that match the old ligand's (elements and bonds), or
    are marked by atom maps 1, 2, ... in the order of the core's donors (by atomic number of the metal they bind, then
    their own). As many protons leave the donors as their old charge asks for; charged groups elsewhere in a ligand stay
    and change the charge of the cluster. Marked donors of another element stand as much farther from their metal as
    their covalent radius is larger, and with one atom between them as far apart as in the free ligand. A ring that
    holds two of these atoms takes the old ligand's pucker where both rings are of one kind; the rest is searched for
    conformers. Mirror images of core and ligands together give mirror images, atom by atom.

    Parameters
    ----------
    core
        A whole cluster; its ligands say where and how the new ones bind. Single atoms between the metals stay.
    ligands
        SMILES of the free ligand (CXSMILES for a chiral axis), one enantiomer; or one entry for each ligand of the
        core in their order, None to keep the old one.
    handedness
        "same": the core as it is; "other": its mirror image under the same ligands; "both", of which one where the
        ligands overlap is left out, which `Cluster.source` of the others says.
    limit
        Start geometries for each handedness.
    name
        Of the clusters; by default their formula.

    Returns
    -------
    list of Start
        With the core's multiplicity, positions in bohr; metals first, then ligand by ligand. For each handedness by
        force-field energy.

    Raises
    ------
    InputError
        For a SMILES that is no molecule or no closed shell, contains metals, leaves a stereocentre, a double bond or
        the axis of an atropisomer open, lacks the old ligand's donors or has them in several ways, or cannot lose the
        protons; for ligands that overlap whatever their conformers; for a core without ligands.
    """
    images = {"same": [core], "other": [core.mirrored()], "both": [core, core.mirrored()]}.get(handedness)
    if images is None:
        raise InputError(f"handedness is {handedness!r}", fix="choose 'same', 'other' or 'both'")
    found: list[Start] = []
    crowded: NoRoomError | None = None
    for image, which in zip(images, ("core as given", "mirror image of the core"), strict=False):
        try:
            found += _starts(image, ligands, limit, name)
        except NoRoomError as error:
            crowded, note = error, f"; none on the {which}, where they overlap"
    if crowded is None:
        return found
    if not found:
        raise crowded
    return [replace(s, cluster=replace(s.cluster, source=s.cluster.source + note)) for s in found]


def _starts(core: Cluster, ligands: str | Sequence[str | None], limit: int, name: str | None) -> list[Start]:
    sites, rest = find_sites(core)
    drawn = [ligands] * len(sites) if isinstance(ligands, str) else list(ligands)
    if len(drawn) != len(sites):
        raise InputError(
            f"{len(drawn)} ligands were given; {core.name} has {len(sites)}",
            fix=f"give one SMILES for all, or one for each: {_listed(sites)}",
        )
    kept = [site for site, smiles in zip(sites, drawn, strict=True) if smiles is None]
    taken = [(site, smiles) for site, smiles in zip(sites, drawn, strict=True) if smiles is not None]
    if not taken:
        raise InputError("every ligand is kept, so there is nothing to build")
    bound = _bound(taken, sites)
    written = list(dict.fromkeys(ligand.told for ligand in bound)) + ["(kept)"] * (None in drawn)
    source = f"ligands {', '.join(written)} on the core of {core.source or core.name}"
    if _is_other_hand(core, bound):
        image = [replace(ligand, molecule=mirrored(ligand.molecule)) for ligand in bound]
        found = _fitted(core.mirrored(), [site for site, _ in taken], image, rest, kept, name)
        found = [replace(start, cluster=start.cluster.mirrored()) for start in found]
    else:
        found = _fitted(core, [site for site, _ in taken], bound, rest, kept, name)
    return [replace(start, cluster=replace(start.cluster, source=source)) for start in found[:limit]]


def _listed(sites: Sequence[Site]) -> str:
    """The ligands of a core in their order, e.g. "1 to 4 C3H4NS2 (N on Cu, S on Au)"."""
    parts = []
    for label, group in itertools.groupby(enumerate(sites, start=1), key=lambda item: item[1].label):
        numbers = [number for number, _ in group]
        span = f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
        parts.append(f"{span} {label}")
    return ", ".join(parts)


def _bound(taken: Sequence[tuple[Site, str]], sites: Sequence[Site]) -> list[BoundLigand]:
    try:
        return [bind(smiles, site) for site, smiles in taken]
    except InputError as error:
        if len({site.label for site in sites}) == 1:
            raise
        raise InputError(
            error.what,
            why=error.why,
            fix=f"{error.fix}; or give one SMILES for each ligand of the core, which has {_listed(sites)} ('keep', in "
            "Python None, leaves one as it is)",
        ) from None


def _is_other_hand(core: Cluster, bound: Sequence[BoundLigand]) -> bool:
    """Whether the mirror image is to be built and mirrored back.

    Of each pair of enantiomers one is built, so that their geometries are exact mirror images.
    """
    here = [Chem.MolToCXSmiles(ligand.molecule) for ligand in bound]
    there = [Chem.MolToCXSmiles(mirrored(ligand.molecule)) for ligand in bound]
    return there < here or (there == here and core_handedness(core) == "M")


def _fitted(
    core: Cluster,
    sites: Sequence[Site],
    bound: Sequence[BoundLigand],
    rest: Sequence[int],
    kept: Sequence[Site],
    name: str | None,
) -> list[Start]:
    """All start geometries on one hand of the core, lowest first; `rest` are its metals and single atoms."""
    frame = [*rest, *(i for site in kept for i in site.atoms)]
    points = _donor_places(core, sites, bound)
    classes = _alike(points, sites, bound)
    shapes = [_shapes(sites[members[0]], bound[members[0]], points) for members in classes]
    found = []
    for choice in itertools.islice(_combinations(shapes), _COMBINATIONS):
        placed: dict[int, _Placed] = {}
        for members, shape in zip(classes, choice, strict=True):
            first = sites[members[0]]
            placed |= {k: _place(first, sites[k], bound[k], shape, points) for k in members}
        settled, energy = _settle([placed[k] for k in range(len(sites))], points, rest, kept)
        start = _start(core, points, frame, settled, energy, name)
        if start is not None:
            found.append(start)
    if not found:
        raise NoRoomError(
            f"the ligands {', '.join(sorted({ligand.smiles for ligand in bound}))} do not fit on {core.name}: in every "
            "conformer tried two of them overlap, or another atom than the donors comes within bonding distance of a "
            "metal",
            why="such a start geometry relaxes into nonsense",
            fix="take a core with more room, or a smaller ligand",
        )
    found.sort(key=lambda start: start.energy_kcal)
    found = [s for s in found if s.energy_kcal < found[0].energy_kcal + _WINDOW_KCAL * len(sites)]
    return [found[k] for k in _different([start.energy_kcal for start in found])]


def _combinations(shapes: Sequence[Sequence[Conformer]]) -> Iterator[tuple[Conformer, ...]]:
    """One shape of each kind of ligand: the first of all, then the next of one of them, and so on."""
    counts = [range(len(some)) for some in shapes]
    for total in range(sum(map(len, shapes)) - len(shapes) + 1):
        for choice in _adding_up(counts, total):
            yield tuple(some[k] for some, k in zip(shapes, choice, strict=True))


def _adding_up(counts: Sequence[range], total: int) -> Iterator[tuple[int, ...]]:
    """Numbers, one out of each range from 0, with that sum."""
    if not counts:
        if total == 0:
            yield ()
        return
    for first in counts[0][: total + 1]:
        for others in _adding_up(counts[1:], total - first):
            yield (first, *others)


def _donor_places(core: Cluster, sites: Sequence[Site], bound: Sequence[BoundLigand]) -> FloatArray:
    """The core's positions (angstrom) with donors of another element moved.

    They stand farther from their metal by the change of their covalent radius, and where one atom lies between two of
    them, as far from each other as in the free ligand.
    """
    points = core.coords / angstrom
    moved = points.copy()
    for site, ligand in zip(sites, bound, strict=True):
        centres = np.array([points[list(metals)].mean(axis=0) for metals in site.metals])
        donors = list(site.donors)
        for atom, place, centre in zip(ligand.anchors, donors, centres, strict=False):
            symbols = ligand.molecule.GetAtomWithIdx(atom).GetSymbol(), core.symbols[place]
            new, old = (float(covalent_radii[atomic_numbers[symbol]]) for symbol in symbols)
            away = points[place] - centre
            moved[place] += (new - old) * away / np.linalg.norm(away)
        if len(donors) == 2 and len(ligand.loose) == 1:
            first, second = list(ligand.anchors)[:2]
            bite = natural_distance(ligand.molecule, first, second)
            moved[donors] = _with_bite(moved[donors], centres, bite)
    return moved


def _with_bite(donors: FloatArray, centres: FloatArray, bite: float) -> FloatArray:
    """Two donors (2, 3) that far apart, each as far from its metals as before and moved no more than that takes."""
    reach = np.linalg.norm(donors - centres, axis=1)

    def misfit(flat: FloatArray) -> FloatArray:
        first, second = flat.reshape(2, 3)
        lengths = np.linalg.norm(flat.reshape(2, 3) - centres, axis=1) - reach
        return np.concatenate(
            [lengths, [np.linalg.norm(first - second) - bite], 0.01 * (flat - donors.ravel())]
        )

    return np.asarray(least_squares(misfit, donors.ravel()).x.reshape(2, 3))


def _different(energies: Sequence[float]) -> list[int]:
    """Of an ascending list the first of each run of equal values."""
    return [k for k in range(len(energies)) if k == 0 or energies[k] - energies[k - 1] > _SAME_KCAL]


def _shapes(site: Site, ligand: BoundLigand, points: FloatArray) -> list[Conformer]:
    """Conformers with the old ligand's pucker, then those with a pucker of their own."""
    both = [ligand.anchors | ligand.ring, ligand.anchors] if ligand.ring else [ligand.anchors]
    metals = [points[list(bonded)].mean(axis=0) for bonded in site.metals]
    return [
        shape
        for anchors in both
        for shape in conformers(
            ligand.molecule,
            {i: points[place] for i, place in anchors.items()},
            metals,
            trials=_TRIALS,
            limit=_SHAPES,
            loose=ligand.loose,
        )
    ]


def _alike(points: FloatArray, sites: Sequence[Site], bound: Sequence[BoundLigand]) -> list[list[int]]:
    """Sites that a rotation carries into each other under the same ligand, so that one set of shapes serves all."""
    marks = []
    for site, ligand in zip(sites, bound, strict=True):
        metals = [m for bonded in site.metals for m in bonded]
        marks.append(points[[*metals, *ligand.anchors.values(), *ligand.ring.values()]])
    classes: list[list[int]] = []
    for k, ligand in enumerate(bound):
        for members in classes:
            first = members[0]
            if ligand.smiles != bound[first].smiles or marks[k].shape != marks[first].shape:
                continue
            if [*ligand.anchors, *ligand.ring] != [*bound[first].anchors, *bound[first].ring]:
                continue
            rotation, shift = superposition(marks[first], marks[k])
            misfit = np.sqrt(((marks[first] @ rotation + shift - marks[k]) ** 2).sum(axis=1).mean())
            if misfit < _ALIKE_ANGSTROM:
                members.append(k)
                break
        else:
            classes.append([k])
    return classes


def _place(origin: Site, site: Site, ligand: BoundLigand, shape: Conformer, points: FloatArray) -> _Placed:
    """A shape carried from the site where it was found to one like it; its anchors stand where the core has them."""
    index = list(shape.held)
    places = ligand.anchors | ligand.ring
    here = points[[places[i] for i in index]]
    metals = [points[[m for bonded in s.metals for m in bonded]] for s in (origin, site)]
    rotation, shift = superposition(
        np.vstack([shape.positions[index], metals[0]]), np.vstack([here, metals[1]])
    )
    positions = shape.positions @ rotation + shift
    positions[index] = here
    donors = tuple(ligand.anchors)[: len(site.donors)]
    whole = set(shape.held) == set(places)
    return _Placed(site, ligand, positions, shape.held if whole else donors)


def _settle(
    trial: Sequence[_Placed], points: FloatArray, rest: Sequence[int], kept: Sequence[Site]
) -> tuple[list[_Placed], float]:
    """All new ligands relaxed together by the force field, what they have of the core held; kcal/mol."""
    positions, energy = settle(
        [ligand.ligand.molecule for ligand in trial] + [site.molecule for site in kept],
        [ligand.positions for ligand in trial] + [points[list(site.atoms)] for site in kept],
        [ligand.held for ligand in trial] + [range(len(site.atoms)) for site in kept],
        points[list(rest)],
    )
    return [replace(ligand, positions=new) for ligand, new in zip(trial, positions, strict=False)], energy


def _start(
    core: Cluster,
    points: FloatArray,
    frame: Sequence[int],
    placed: Sequence[_Placed],
    energy: float,
    name: str | None,
) -> Start | None:
    """The whole cluster, or None if its ligands overlap, or bind the metals otherwise than the old ones."""
    symbols = [core.symbols[i] for i in frame]
    parts = [points[list(frame)]]
    owner = [-1] * len(frame)
    held = list(range(len(frame)))
    wanted: set[tuple[int, int]] = set()
    for k, ligand in enumerate(placed):
        first = len(symbols)
        symbols += ligand.symbols
        parts.append(ligand.positions)
        owner += [k] * len(ligand.positions)
        held += [first + i for i in ligand.held]
        donors = zip(ligand.ligand.anchors, ligand.site.metals, strict=False)
        wanted |= {(frame.index(m), first + donor) for donor, metals in donors for m in metals}
    positions = np.vstack(parts)
    clearance = _clearance(symbols, positions, np.array(owner), {i for _, i in wanted})
    if clearance < _CLASH:
        return None
    cluster = Cluster(
        name=hill_formula(symbols) if name is None else name,
        symbols=tuple(symbols),
        coords=positions * angstrom,
        charge=core.charge + sum(ligand.ligand.charge - ligand.site.charge for ligand in placed),
        multiplicity=core.multiplicity,
    )
    found = {
        (i, j)
        for i, j in bonds(cluster.symbols, cluster.coords)
        if i < len(frame) <= j and is_cluster_metal(cluster.symbols[i])
    }
    if found != wanted or core_handedness(cluster) != core_handedness(core):
        return None
    return Start(with_parts(cluster), tuple(held), clearance, energy)


def _clearance(symbols: Sequence[str], positions: FloatArray, owner: IntArray, donors: set[int]) -> float:
    """See `Start.clearance`."""
    radii = np.array([_METAL_RADIUS if is_metal(s) else vdw_radii[atomic_numbers[s]] for s in symbols])
    ratio = cdist(positions, positions) / (radii[:, None] + radii)
    ratio[owner[:, None] == owner] = np.inf
    bound = np.zeros(len(symbols), dtype=bool)
    bound[list(donors)] = True
    ratio[np.ix_(bound, owner < 0)] = np.inf
    ratio[np.ix_(owner < 0, bound)] = np.inf
    return float(ratio.min())
