"""The atom list of a CIF. No choice is made here but dropping what is no atom."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

import gemmi

from cluster_qc.errors import InputError
from cluster_qc.model.elements import atomic_number
from cluster_qc.structure.cif_text import DataBlock

_COLUMNS = ("label", "fract_x", "fract_y", "fract_z", "type_symbol", "occupancy", "disorder_assembly",
            "disorder_group", "calc_flag", "attached_hydrogens", "site_symmetry_order")  # fmt: skip
_FARTHEST = 100.0
"""No refinement leaves an atom this many cells away; a lost decimal point does."""
_SUPPRESSED = "suppressed"
"""The Cambridge database marks the minor alternative of a disordered place with a question mark behind its label."""
_FRACTION = re.compile(r"[+-]?\d{1,2}/[1-9]\d?")
"""A coordinate such as 1/4, which is no number of the CIF grammar but has one meaning only."""
_CENTROID = re.compile(r"(Cg|Cp|Ct|Cnt|Cent)\d*[A-Z']*$")


@dataclass(frozen=True)
class Site:
    """One row of the atom list."""

    label: str
    """For messages only: labels repeat in real files."""
    symbol: str
    position: tuple[float, float, float]
    """Fractional coordinates."""
    occupancy: float | None
    """None where the file gives none."""
    assembly: str
    group: int
    """Disorder group; 0 outside any, negative for disorder about a symmetry element."""
    attached_hydrogens: int | None = None
    """Hydrogens on this site without sites of their own, as the file says."""
    general: bool = False
    """The file says that it is on no symmetry element, however close it may be to one."""


def read_sites(data: DataBlock, known: dict[str, float], warnings: list[str]) -> tuple[Site, ...]:
    """Sites of the atom list; dummies, empty sites and sites without coordinates are dropped with a warning.

    Parameters
    ----------
    data
        The data block.
    known
        Elements of the sum formula, which settle what a label such as CU1 stands for.
    warnings
        Extended by what was dropped or read in another way.

    Raises
    ------
    StructureError
        kind "malformed" or "missing", with the line, for missing columns and unreadable values.
    """
    table = {name: data.column(f"_atom_site_{name}") for name in _COLUMNS}
    line = next((data.line(f"_atom_site_fract_{axis}") for axis in "xyz" if table[f"fract_{axis}"]), None)
    for axis in "xyz":
        if not table[f"fract_{axis}"]:
            raise data.error(
                f"the atom list has no column _atom_site_fract_{axis}",
                why="two coordinates out of three place no atom",
                fix="add the column, or export the CIF again",
                line=line,
            )
    if len({len(column) for column in table.values() if column}) > 1:
        raise data.error(
            "the columns of the atom list are not equally long",
            why="which values belong to one atom cannot be told",
            fix="keep all _atom_site_ columns that are read in one loop",
            line=line,
        )
    sites: list[Site] = []
    dropped: dict[str, list[str]] = {"dummy or empty": [], "without coordinates": [], _SUPPRESSED: []}
    deuterium = 0
    for row in range(len(table["fract_x"])):
        value = {name: entries[row] if entries else "" for name, entries in table.items()}
        label = value["label"] or value["type_symbol"] or f"row {row + 1}"
        symbol = None
        if value["calc_flag"].lower() != "dum":
            symbol = _element(
                data, row, value["type_symbol"], value["label"], known, bool(table["type_symbol"])
            )
        occupancy = _occupancy(data, row, label, value["occupancy"])
        if symbol is None or occupancy == 0:
            dropped["dummy or empty"].append(label)
            continue
        if label.endswith("?"):
            dropped[_SUPPRESSED].append(label)
            continue
        if not any(value[f"fract_{axis}"] for axis in "xyz"):
            dropped["without coordinates"].append(label)
            continue
        deuterium += re.match(r"[DT]\d*$", value["type_symbol"] or value["label"]) is not None
        x, y, z = (_coordinate(data, row, label, axis, value[f"fract_{axis}"]) for axis in "xyz")
        attached = value["attached_hydrogens"]
        sites.append(
            Site(
                label,
                symbol,
                (x, y, z),
                occupancy,
                value["disorder_assembly"],
                _group(value["disorder_group"]),
                int(attached) if attached.isdigit() and int(attached) < 5 else None,
                value["site_symmetry_order"] == "1",
            )
        )
    for what, labels in dropped.items():
        if labels:
            warnings.append(f"dropped {len(labels)} {what} site(s): {', '.join(labels)}")
    if deuterium:
        warnings.append(f"{deuterium} deuterium site(s) are treated as hydrogen")
    if not sites:
        raise data.error("the atom list holds no atoms", kind="missing", fix="complete the CIF", line=line)
    return tuple(sites)


def _group(text: str) -> int:
    """Disorder group: PART numbers as they are, letters by the alphabet."""
    try:
        return int(text) if text else 0
    except ValueError:
        letter = re.search("[A-Za-z]", text)
        return 1 + ord(letter.group(0).upper()) - ord("A") if letter else 0


def _symbol(text: str) -> str | None:
    symbol = "H" if text in ("D", "T") else text
    try:
        atomic_number(symbol)
    except InputError:
        return None
    return symbol


def _element(
    data: DataBlock, row: int, type_symbol: str, label: str, known: dict[str, float], typed: bool
) -> str | None:
    """Element of a site from its type symbol, else its label; None if it is no atom."""
    letters = re.match(r"[A-Za-z]+", type_symbol)
    if letters and (symbol := _symbol(letters.group(0).capitalize())):
        return symbol
    letters = re.match(r"[A-Za-z]+", label)
    if letters is None or _CENTROID.match(label) or (typed and not type_symbol and label[:1] in "QX"):
        return None
    word = letters.group(0)
    one, two = _symbol(word[0].upper()), _symbol(word[:2].capitalize()) if len(word) > 1 else None
    if known:
        one, two = one if one in known else None, two if two in known else None
        return two or one
    if one and two and word[1].isupper():
        raise data.error(
            f"the label {label} may be {one} or {two}, and neither _atom_site_type_symbol nor a formula tells",
            kind="ambiguous",
            why="another element is another molecule",
            fix="add the column _atom_site_type_symbol",
            line=data.line("_atom_site_label", row),
        )
    return two or one


def _coordinate(data: DataBlock, row: int, label: str, axis: str, text: str) -> float:
    tag = f"_atom_site_fract_{axis}"
    number = float(gemmi.cif.as_number(text)) if text else math.nan
    if _FRACTION.fullmatch(text):
        number = float(Fraction(text))
    if math.isfinite(number) and abs(number) < _FARTHEST:
        return number
    raise data.error(
        f"{tag} of {label} is {text or 'missing'!r}, "
        + ("far outside the cell" if math.isfinite(number) else "not a number"),
        why="the atom has no place without it",
        fix="repair that line, or export the CIF again",
        line=data.line(tag, row),
    )


def _occupancy(data: DataBlock, row: int, label: str, text: str) -> float | None:
    if not text:
        return None
    number = float(gemmi.cif.as_number(text))
    if 0 <= number <= 1.05:  # refined freely, an occupancy may pass 1 by its uncertainty
        return number
    raise data.error(
        f"_atom_site_occupancy of {label} is {text!r}",
        why="it is a number between 0 and 1",
        fix="repair that line, or export the CIF again",
        line=data.line("_atom_site_occupancy", row),
    )
