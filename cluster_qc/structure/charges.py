"""The charge of the cluster in a crystal, which no CIF item states as a number."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from cluster_qc.errors import InputError
from cluster_qc.model import Cluster
from cluster_qc.structure.bonding import bonded_pairs
from cluster_qc.structure.ions import METAL_CHARGES, expected_charge, ligand_charge
from cluster_qc.structure.molecule import Molecule
from cluster_qc.units import angstrom

Composition = dict[str, int]


def parse_moieties(text: str) -> list[tuple[Composition, int | None, int]]:
    """(composition, charge or None, count) of each part of _chemical_formula_moiety, e.g. "C72 H60 Ag P4 +, B F4 -"."""
    parts = []
    for piece in text.replace("'", "").split(","):
        match = re.fullmatch(r"\s*(\d*)\s*\(?\s*([^()]*?)\s*\)?\s*", piece)
        if match is None:
            continue
        count = int(match.group(1)) if match.group(1) else 1
        counts: Counter[str] = Counter()
        charge: int | None = None
        for word in match.group(2).split():
            sign = re.fullmatch(r"(\d*)([+-])", word)
            element = re.fullmatch(r"([A-Z][a-z]?)(\d*)", word)
            if sign:
                charge = int(sign.group(2) + (sign.group(1) or "1"))
            elif element:
                symbol = "H" if element.group(1) == "D" else element.group(1)
                counts[symbol] += int(element.group(2) or 1)
            else:
                counts.clear()
                break
        if counts:
            parts.append((dict(counts), charge, count))
    return parts


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
    moiety: str, chosen: Molecule, copies: int, molecules: Sequence[Molecule]
) -> tuple[int, str]:
    """Charge of the cluster and, if it was inferred, from what (else "")."""
    matched = matching_moiety(moiety, chosen.symbols)
    charged = any(charge is not None for _, charge, _ in parse_moieties(moiety))
    if matched is not None and (matched[1] is not None or charged):
        return matched[1] or 0, ""
    others = [molecule for molecule in molecules if molecule.formula != chosen.formula]
    if not others:
        return 0, ""
    total = 0.0
    for molecule in others:
        charge = species_charge(molecule)
        if charge is None:
            total = float("nan")
            break
        total -= charge * molecule.weight
    balance = total / copies
    if balance == balance and abs(balance - round(balance)) < 0.1:
        value = round(balance)
        return (
            value,
            f"balances the other species of the crystal ({-value * copies:+d} in the cell)" if value else "",
        )
    guess = species_charge(chosen)
    if guess is not None:
        return guess, "is the sum of the usual charges of its metals and ligands"
    return 0, "was assumed: the crystal holds other species whose charges are unknown"


def species_charge(molecule: Molecule) -> int | None:
    """Usual charge of a species: ions of its metals, closed shells of the rest; a lone O is a water without H sites."""
    if set(molecule.symbols) == {"O"}:
        return 0
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
