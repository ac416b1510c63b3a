"""The charge of the cluster in a crystal, which no CIF item states as a number, and the reasons for it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cluster_qc.errors import InputError
from cluster_qc.model import Cluster
from cluster_qc.model.elements import atomic_number
from cluster_qc.structure.bonding import bonded_pairs, bonds, is_cluster_metal, overlap_distance
from cluster_qc.structure.connectivity import split_ligands
from cluster_qc.structure.ions import METAL_CHARGES, expected_charge, ligand_charge
from cluster_qc.structure.molecule import Molecule, hill_formula
from cluster_qc.units import angstrom

Composition = dict[str, int]

_OTHER_STATES = {
    "Cu": (2,), "Au": (3,), "Pd": (0, 4), "Pt": (0, 4), "Ni": (0,), "Rh": (3,), "Ir": (3,), "Tl": (3,),
    "Sn": (4,), "Pb": (4,), "Hg": (1,),
}  # fmt: skip
"""Oxidation states met besides `METAL_CHARGES`."""
_KNOWN_IONS = {
    "AuBr4": -1, "AuCl4": -1, "Br4Cu": -2, "Cl4Co": -2, "Cl4Cu": -2, "Cl4Mn": -2, "Cl4Ni": -2, "Cl6Pd": -2, "Cl6Pt": -2,
    "Cl6Sb": -1, "Cl6Sn": -2, "F6Nb": -1, "F6Sb": -1, "F6Ta": -1, "F6Ti": -2, "F6Zr": -2,
    "CrO4": -2, "Cr2O7": -2, "MnO4": -1, "MoO4": -2, "O4Re": -1, "O4Tc": -1, "O4V": -3, "O4W": -2, "Mo6O19": -2,
    "Mo8O26": -4, "O19W6": -2, "O32W10": -4, "Mo12O40P": -3, "Mo12O40Si": -4, "O40PW12": -3, "O40SiW12": -4,
    "B10H10": -2, "B12H12": -2, "B12Cl12": -2, "B12F12": -2, "CH10B9": -1, "CH12B11": -1, "C2H12B9": -1,
    "C4H22B18Co": -1, "C10H10Co": 1, "C20H30Co": 1,
}  # fmt: skip
"""Ions beside clusters (Hill formulae) whose charge no counting of valences gives: other oxidation states, boranes."""
_HALOGENS = frozenset({"F", "Cl", "Br", "I"})
_COINAGE = frozenset({"Cu", "Ag", "Au"})


@dataclass(frozen=True)
class IonShare:
    """One kind of ion in the cluster and its part of the charge."""

    formula: str
    role: Literal["metal", "ligand"]
    count: int
    charge: float | None
    """Of one of them; None where the rules do not reach."""
    reason: str


_TOKEN = re.compile(
    r"(?P<element>[A-Z][a-z]?)(?P<count>\d{0,4})(?![\d.]|(?<=\d)[+-])"
    r"|(?P<open>[(\[{])|[)\]}](?:(?P<times>\d{1,3})(?![\d.+-]))?"
    r"|(?P<before>\d{0,2})(?P<sign>[+-])(?P<after>\d{0,2})"
)
"""A part of a moiety's formula; a number right before a sign is a charge behind a bracket, ambiguous elsewhere."""


def parse_moieties(text: str) -> list[tuple[Composition, int | None, float]]:
    """(composition, charge or None, count) of each part of _chemical_formula_moiety, e.g. "C72 H60 Ag P4 +, 2(B F4 -)".

    Parts that are no formula of whole numbers are left out.
    """
    parts = []
    for piece in text.replace("'", "").split(","):
        count, formula = re.match(r"\s*(\d{0,3}\.?\d{0,4})\s*(.*)", piece, re.DOTALL).groups()  # type: ignore[union-attr]
        parsed = _parse_formula(formula)
        if parsed is not None:
            parts.append((*parsed, float(count) if count not in ("", ".") else 1.0))
    return parts


def _parse_formula(text: str) -> tuple[Composition, int | None] | None:
    """Composition and charge of "[(C2 H5 N5)6 (H2 O)6 Ni3] 6+"; None if it is no formula."""
    levels: list[Counter[str]] = [Counter()]
    charge: int | None = None
    at = 0
    text = text.strip()
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            return None
        if token["element"]:
            levels[-1]["H" if token["element"] == "D" else token["element"]] += int(token["count"] or 1)
        elif token["open"]:
            levels.append(Counter())
        elif token["sign"]:
            charge = int(token["sign"] + (token["before"] or token["after"] or "1"))
        elif len(levels) == 1:
            return None
        else:
            for symbol, number in levels.pop().items():
                levels[-1][symbol] += number * int(token["times"] or 1)
        at = token.end()
        while text[at : at + 1].isspace():
            at += 1
    return (dict(levels[0]), charge) if len(levels) == 1 and levels[0] else None


def matching_moiety(text: str, symbols: Sequence[str]) -> tuple[Composition, int | None] | None:
    """Composition and charge of the moiety with these atoms, hydrogens not compared."""
    heavy = Counter(symbol for symbol in symbols if symbol != "H")
    exact = Counter(symbols)
    found = None
    for counts, charge, _ in parse_moieties(text):
        if counts == exact:
            return counts, charge
        if {k: v for k, v in counts.items() if k != "H"} == heavy:
            found = (counts, charge)
    return found


def crystal_charge(
    moiety: str, chosen: Molecule, copies: int, others: Sequence[Molecule]
) -> tuple[int, str, bool]:
    """Charge of the cluster, the reason, and whether the file itself states or implies it without a guess.

    Parameters
    ----------
    moiety
        _chemical_formula_moiety.
    chosen
        The cluster, whole with its hydrogens.
    copies
        Its number in the cell.
    others
        All molecules of the cell that are no copies of it.
    """
    matched = matching_moiety(moiety, chosen.symbols)
    charged = any(charge is not None for _, charge, _ in parse_moieties(moiety))
    if matched is not None and (matched[1] is not None or charged):
        return matched[1] or 0, "is stated in _chemical_formula_moiety", True
    if not others:
        return 0, "follows from a neutral crystal that holds nothing else", True
    charges = [_other_charge(moiety, molecule) for molecule in others]
    total = sum(q * molecule.weight for q, molecule in zip(charges, others, strict=True) if q is not None)
    balance = -total / copies
    if None not in charges and abs(balance - round(balance)) < 0.1:
        value = round(balance)
        if not value:
            return 0, "balances the other species of the crystal, which are neutral together", True
        return value, f"balances the other species of the crystal ({-value * copies:+d} in the cell)", False
    guess = species_charge(chosen)
    if guess is not None:
        return guess, "is the sum of the usual charges of its metals and ligands", False
    return 0, "was assumed: the crystal holds other species whose charges are unknown", False


def _other_charge(moiety: str, molecule: Molecule) -> int | None:
    """Charge of another species; from its moiety where hydrogens lack, since open valences would mislead."""
    matched = matching_moiety(moiety, molecule.symbols)
    if matched is not None and (matched[1] is not None or matched[0] != Counter(molecule.symbols)):
        return matched[1] or 0
    return species_charge(molecule)


def species_charge(molecule: Molecule) -> int | None:
    """Usual charge of a species: ions of its metals, closed shells of the rest; a lone O is a water without H sites.

    None where atoms lie on top of each other.
    """
    symbols = molecule.symbols
    if symbols == ("O",):
        return 0
    if _has_overlap(molecule):
        return None
    if molecule.formula in _KNOWN_IONS:
        return _KNOWN_IONS[molecule.formula]
    if len(symbols) > 2 and set(symbols) <= _HALOGENS:
        return -1 if len(symbols) % 2 else None
    if len(molecule.symbols) == 1 and molecule.symbols[0] in METAL_CHARGES:
        return METAL_CHARGES[molecule.symbols[0]]
    if not molecule.nmetal:
        return ligand_charge(molecule.symbols, bonded_pairs(molecule.symbols, molecule.positions))
    for multiplicity in (1, 2):  # the number of electrons allows one of the two
        try:
            cluster = Cluster("", molecule.symbols, molecule.positions * angstrom, multiplicity=multiplicity)
        except InputError:
            continue
        return expected_charge(cluster)
    return None


def _has_overlap(molecule: Molecule) -> bool:
    pairs = bonded_pairs(molecule.symbols, molecule.positions)
    return any(
        np.linalg.norm(molecule.positions[i] - molecule.positions[j])
        < overlap_distance(molecule.symbols[i], molecule.symbols[j])
        for i, j in pairs
    )


def explain_charge(cluster: Cluster) -> tuple[tuple[IonShare, ...], list[str]]:
    """Split the cluster's charge over its ligands and metals, and say where the sum looks wrong.

    Ligands carry the charge that closes their shells. The metals carry the rest: their usual ions if these add up to
    it, else the one oxidation state that does.

    Returns
    -------
    shares, warnings
        Metals first.
    """
    ligands = _ligand_shares(cluster)
    metals = Counter(symbol for symbol in cluster.symbols if is_cluster_metal(symbol))
    if not metals:
        return ligands, []
    if any(share.charge is None for share in ligands):
        unknown = ", ".join(share.formula for share in ligands if share.charge is None)
        shares = tuple(
            IonShare(symbol, "metal", count, None, f"the charge of {unknown} is not known")
            for symbol, count in sorted(metals.items())
        )
        return shares + ligands, []
    rest = cluster.charge - round(sum(share.count * (share.charge or 0.0) for share in ligands))
    states, reason, warning = _metal_states(metals, rest)
    shares = tuple(
        IonShare(symbol, "metal", metals[symbol], states[symbol], reason) for symbol in sorted(metals)
    )
    return shares + ligands, [warning] if warning else []


def _ligand_shares(cluster: Cluster) -> tuple[IonShare, ...]:
    pairs = bonds(cluster.symbols, cluster.coords)
    counted: Counter[tuple[str, int | None]] = Counter()
    for ligand in split_ligands(cluster):
        place = {atom: k for k, atom in enumerate(ligand)}
        inside = [(place[i], place[j]) for i, j in pairs if i in place and j in place]
        symbols = [cluster.symbols[i] for i in ligand]
        charge = METAL_CHARGES.get(symbols[0]) if len(symbols) == 1 else None
        charge = ligand_charge(symbols, inside) if charge is None else charge
        counted[hill_formula(symbols), charge] += 1
    return tuple(
        IonShare(
            formula,
            "ligand",
            count,
            charge,
            "the valence rules do not reach it" if charge is None else "closes every shell",
        )
        for (formula, charge), count in sorted(counted.items(), key=lambda item: (-item[1], str(item[0])))
    )


def _metal_states(metals: Counter[str], rest: int) -> tuple[dict[str, float], str, str]:
    """Oxidation state of each metal for the charge that the ligands leave, the reason, and a warning or ""."""
    usual = {symbol: METAL_CHARGES[symbol] for symbol in metals if symbol in METAL_CHARGES}
    unknown = [symbol for symbol in metals if symbol not in usual]
    if not unknown and sum(usual[symbol] * count for symbol, count in metals.items()) == rest:
        return {symbol: float(charge) for symbol, charge in usual.items()}, "usual ion", ""
    told = f"the ligands leave {rest:+d} for {hill_formula(list(metals.elements()))}"
    for symbol in unknown or sorted(metals):
        if any(other != symbol for other in unknown):
            continue
        left = rest - sum(usual[other] * count for other, count in metals.items() if other != symbol)
        state, remainder = divmod(left, metals[symbol])
        common = 0 <= state <= 7 if symbol in unknown else state in _OTHER_STATES.get(symbol, ())
        if remainder == 0 and common:
            states = {other: float(charge) for other, charge in usual.items()} | {symbol: float(state)}
            return states, f"by difference: {told}", ""
    mean = rest / sum(metals.values())
    warning = ""
    if set(metals) <= _COINAGE and 0 <= rest < sum(metals.values()):
        electrons = sum(metals.values()) - rest
        warning = (
            f"{told}: {electrons} valence electron(s) stay in the metal core, as in a superatom; if it is none, a "
            "hydrogen is missing or too many, or the charge is wrong"
        )
    elif not unknown:
        warning = (
            f"{told}, no usual oxidation states: look for a missing or surplus hydrogen or a wrong charge"
        )
    return dict.fromkeys(metals, mean), f"mean by difference: {told}", warning


def may_be_open_shell(shares: Sequence[IonShare]) -> list[str]:
    """Metals whose ions commonly carry unpaired electrons: 3d ions with a partly filled shell, most lanthanides."""
    found = []
    for share in shares:
        if share.role != "metal":
            continue
        number = atomic_number(share.formula)
        if 58 <= number <= 70 or (
            22 <= number <= 29 and (share.charge is None or 1 <= number - 18 - share.charge <= 9)
        ):
            found.append(share.formula)
    return found
