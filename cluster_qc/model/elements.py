"""Element symbols and atomic numbers, without a chemistry package."""

from __future__ import annotations

from cluster_qc.errors import InputError

_SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr "
    "Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu "
    "Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr"
).split()
_NUMBERS = {symbol: number for number, symbol in enumerate(_SYMBOLS, start=1)}

_NONMETALS = frozenset("H He B C N O F Ne Si P S Cl Ar Ge As Se Br Kr Te I Xe At Rn".split())


def atomic_number(symbol: str) -> int:
    """Atomic number of an element symbol.

    Raises
    ------
    InputError
        If the symbol names no element.
    """
    try:
        return _NUMBERS[symbol]
    except KeyError:
        raise InputError(
            f"unknown element {symbol!r}",
            why="the nuclear charge and the basis set follow from the element",
            fix="use a standard symbol such as 'Au'; write deuterium as 'H' and drop dummy atoms",
        ) from None


def is_element(symbol: str) -> bool:
    """True for the symbol of an element, in its usual spelling."""
    return symbol in _NUMBERS


def is_metal(symbol: str) -> bool:
    """True for metals; metalloids that act as ligand atoms (B, Si, Ge, As, Te) are not counted as metals."""
    atomic_number(symbol)
    return symbol not in _NONMETALS
