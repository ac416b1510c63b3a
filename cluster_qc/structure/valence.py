"""Bond orders and formal charges of metal-free groups of atoms, by counting valences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from cluster_qc.structure.bonding import neighbour_lists

_VALENCE = {
    "H": 1, "B": 3, "C": 4, "Si": 4, "Ge": 4, "N": 3, "P": 3, "As": 3,
    "O": 2, "S": 2, "Se": 2, "Te": 2, "F": 1, "Cl": 1, "Br": 1, "I": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Lewis:
    """A closed-shell Lewis structure."""

    orders: tuple[int, ...]
    """Bond order of each bond, as the bonds were given."""
    charges: tuple[int, ...]
    """Formal charge of each atom."""

    @property
    def charge(self) -> int:
        """Total charge."""
        return sum(self.charges)


def lewis_structure(symbols: Sequence[str], pairs: Sequence[tuple[int, int]]) -> Lewis | None:
    """Find bond orders and charges that close every shell; None where the counting rules do not reach.

    Open valences are paired into multiple bonds between neighbours, as many as possible; a valence left over is a
    lone pair with its negative charge (a thiolate's S, a deprotonated N), two left over at one carbon a carbene.
    """
    neighbours = neighbour_lists(len(symbols), pairs)
    free = []
    charges = []
    for i in range(len(symbols)):
        state = _atom_state(i, symbols, neighbours)
        if state is None:
            return None
        free.append(state[0])
        charges.append(state[1])
    extra = _multiple_bonds(symbols, pairs, free)
    for (i, j), order in zip(pairs, extra, strict=True):
        free[i] -= order
        free[j] -= order
    for i, symbol in enumerate(symbols):
        if symbol == "C" and free[i] == 2:
            carbonyl = [j for j in neighbours[i] if symbols[j] == "O" and len(neighbours[j]) == 1]
            if len(neighbours[i]) == 1 and not carbonyl:
                charges[i], charges[neighbours[i][0]] = charges[i] - 1, charges[neighbours[i][0]] + 1
        else:
            charges[i] -= free[i]
    return Lewis(tuple(1 + order for order in extra), tuple(charges))


def _atom_state(i: int, symbols: Sequence[str], neighbours: list[list[int]]) -> tuple[int, int] | None:
    """Open valences and formal charge of an atom from the number of its neighbours."""
    symbol = symbols[i]
    if symbol not in _VALENCE:
        return None
    degree = len(neighbours[i])
    open_valences = _VALENCE[symbol] - degree
    oxygens = sum(symbols[j] == "O" and len(neighbours[j]) == 1 for j in neighbours[i])
    if symbol == "N" and degree == 3 and oxygens >= 2:
        return 1, 1
    if (
        symbol == "N"
        and degree == 2
        and any(symbols[j] == "N" and len(neighbours[j]) == 1 for j in neighbours[i])
    ):
        return 2, 1  # azides and diazo compounds: X=N(+)=N(-)
    if open_valences >= 0:
        return open_valences, 0
    if symbol == "B":
        return (0, -1) if degree == 4 else None
    if symbol in ("P", "As") and degree >= 5:
        return 0, 5 - degree
    if symbol in ("Si", "Ge") and degree >= 5:
        return 0, 4 - degree
    if symbol in ("N", "P", "As", "O", "S", "Se", "Te", "Cl", "Br", "I") and degree <= 4:
        return 0, -open_valences
    return None


def _multiple_bonds(symbols: Sequence[str], pairs: Sequence[tuple[int, int]], free: list[int]) -> list[int]:
    """Extra order (0 to 2) of each bond: the most bonds, carbon first, so that charges stay on heteroatoms.

    Of equal choices, cumulated double bonds come last: an aryl anion keeps its charge where its hydrogen is missing.
    """
    extra = [0] * len(pairs)
    usable = [k for k, (i, j) in enumerate(pairs) if free[i] > 0 and free[j] > 0]
    if not usable:
        return extra
    rows = np.zeros((len(symbols), len(usable)))
    gain = np.empty(len(usable))
    for column, k in enumerate(usable):
        i, j = pairs[k]
        rows[i, column] = rows[j, column] = 1
        gain[column] = 1 + sum(0.01 * (symbols[a] == "C") + 0.004 * (free[a] == 1) for a in (i, j))
    solution = milp(
        -gain,
        integrality=np.ones(len(usable)),
        bounds=Bounds(0, 2),
        constraints=LinearConstraint(rows, -np.inf, np.array(free, dtype=float)),
    )
    for column, k in enumerate(usable):
        extra[k] = round(float(solution.x[column]))
    return extra
