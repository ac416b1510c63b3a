"""What one CIF data block says: cell, symmetry operations, atom sites. No choice is made here but dropping dummies."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import gemmi
import numpy as np

from cluster_qc.errors import InputError, StructureError
from cluster_qc.model.arrays import FloatArray
from cluster_qc.model.elements import atomic_number
from cluster_qc.structure.xyz import read_text

_ABSENT = {"", ".", "?"}
_OPERATOR_TAGS = (
    "_space_group_symop_operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
    "_space_group_symop.operation_xyz",
)
_NAME_TAGS = (
    "_symmetry_space_group_name_Hall",
    "_space_group_name_Hall",
    "_space_group_name_H-M_alt",
    "_symmetry_space_group_name_H-M",
    "_space_group_name_H-M_full",
    "_space_group_IT_number",
    "_symmetry_Int_Tables_number",
)


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


@dataclass(frozen=True)
class Crystal:
    """One data block."""

    path: Path
    block: str
    cell: gemmi.UnitCell
    operations: tuple[gemmi.Op, ...]
    """All of them, centring included, translations within [0, 1)."""
    space_group: str
    sites: tuple[Site, ...]
    flack: str | None
    moiety: str
    formula_sum: dict[str, float]
    warnings: tuple[str, ...]

    @property
    def orthogonalisation(self) -> FloatArray:
        """Cartesian = matrix @ fractional, angstrom."""
        return np.array(self.cell.orth.mat.tolist())

    @property
    def is_sohncke(self) -> bool:
        """True if no operation mirrors: the space group admits one hand only."""
        return all(op.det_rot() > 0 for op in self.operations)


def _given(value: str | None) -> str:
    """Return the text of a CIF value, '' where it is absent."""
    text = gemmi.cif.as_string(value).strip() if value else ""
    return "" if text in _ABSENT else text


def read_crystal(path: str | Path, block: str | None = None) -> Crystal:
    """Parse one data block of a CIF.

    Raises
    ------
    StructureError
        For a missing or malformed file, an ambiguous block, missing cell, symmetry or coordinates.
    """
    path = Path(path)
    text = read_text(path)
    try:
        document = gemmi.cif.read_string(text)
    except (ValueError, RuntimeError) as error:
        message = str(error)
        found = re.search(r":(\d+)(?::\d+)?", message)
        line = int(found.group(1)) if found else None
        raise StructureError(
            f"{path}{f':{line}' if line else ''}: not a valid CIF: {message.removeprefix('string:')}",
            kind="malformed",
            why="the file breaks the CIF grammar, so nothing in it can be trusted",
            fix="repair that place, or export the CIF again",
            line=line,
        ) from None
    data = _pick_block(path, document, block)
    warnings: list[str] = []
    cell = _cell(path, data)
    operations, group_name = _symmetry(path, data, cell, warnings)
    counts = _formula(_given(data.find_value("_chemical_formula_sum")))
    sites = _sites(path, text, data, counts, warnings)
    flack = _given(data.find_value("_refine_ls_abs_structure_Flack"))
    return Crystal(
        path=path,
        block=data.name,
        cell=cell,
        operations=operations,
        space_group=group_name,
        sites=sites,
        flack=flack or None,
        moiety=_given(data.find_value("_chemical_formula_moiety")),
        formula_sum=counts,
        warnings=tuple(warnings),
    )


def _has_sites(data: gemmi.cif.Block) -> bool:
    return any(len(data.find_loop(f"_atom_site_fract_{axis}")) for axis in "xyz")


def _pick_block(path: Path, document: gemmi.cif.Document, wanted: str | None) -> gemmi.cif.Block:
    names = [data.name for data in document]
    if not names:
        raise StructureError(
            f"{path} has no data block", kind="malformed", fix="give a CIF with a data_ block"
        )
    if wanted is not None:
        for data in document:
            if data.name == wanted:
                return data
        raise StructureError(
            f"{path} has no data block {wanted!r}", kind="missing", fix=f"choose one of: {', '.join(names)}"
        )
    full = [data for data in document if _has_sites(data)]
    if not full:
        raise StructureError(
            f"{path} holds no atom coordinates",
            kind="missing",
            why="a molecule needs the _atom_site_fract_x, _y and _z columns",
            fix="take the CIF with the refined structure",
        )
    if len(full) > 1:
        raise StructureError(
            f"{path} holds {len(full)} structures",
            kind="ambiguous",
            why="each is another crystal; which one is meant is not for the program to guess",
            fix=f"choose one with block=: {', '.join(data.name for data in full)}",
        )
    return full[0]


def _cell(path: Path, data: gemmi.cif.Block) -> gemmi.UnitCell:
    values = []
    for name in ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma"):
        tag = f"_cell_{name}"
        item = data.find_pair_item(tag)
        value = gemmi.cif.as_number(data.find_value(tag) or "?")
        if not math.isfinite(value) or value <= 0:
            raise StructureError(
                f"{path}: {tag} is missing or not a positive number",
                kind="malformed",
                why="without the unit cell fractional coordinates are no positions",
                fix="complete the CIF",
                line=item.line_number if item else None,
            )
        values.append(value)
    cell = gemmi.UnitCell(*values)
    if not cell.is_crystal() or not cell.volume > 1:
        raise StructureError(
            f"{path}: the cell parameters describe no cell", kind="malformed", fix="check lengths and angles"
        )
    return cell


def _named_group(data: gemmi.cif.Block, cell: gemmi.UnitCell) -> gemmi.SpaceGroup | None:
    for tag in _NAME_TAGS:
        name = _given(data.find_value(tag))
        if not name:
            continue
        try:
            if "Hall" in tag:
                group = gemmi.find_spacegroup_by_ops(gemmi.symops_from_hall(name))
            elif name.isdigit():
                group = gemmi.find_spacegroup_by_number(int(name))
            else:
                group = gemmi.find_spacegroup_by_name(name, cell.alpha, cell.gamma)
        except (ValueError, RuntimeError):
            continue
        if group is not None:
            return group
    return None


def _symmetry(
    path: Path, data: gemmi.cif.Block, cell: gemmi.UnitCell, warnings: list[str]
) -> tuple[tuple[gemmi.Op, ...], str]:
    named = _named_group(data, cell)
    raw: list[str] = []
    line = None
    for tag in _OPERATOR_TAGS:
        raw = [_given(value) for value in data.find_values(tag) if _given(value)]
        if raw:
            item = data.find_loop_item(tag) or data.find_pair_item(tag)
            line = item.line_number if item else None
            break
    if not raw:
        if named is None:
            raise StructureError(
                f"{path}: no symmetry information (no operators, no known space-group name)",
                kind="symmetry",
                why="reading it as P1 could leave out half of a molecule",
                fix="add _space_group_symop_operation_xyz or _space_group_name_H-M_alt; 'x,y,z' alone if it is P1",
            )
        warnings.append(f"no symmetry operators in the file; those of space group {named.xhm()} were used")
        return tuple(op.wrap() for op in named.operations()), named.xhm()
    operations: dict[str, gemmi.Op] = {}
    for text in raw:
        try:
            op = gemmi.Op(text).wrap()
        except (ValueError, RuntimeError):
            raise StructureError(
                f"{path}: {text!r} is not a symmetry operator",
                kind="malformed",
                fix="write it like -x,y+1/2,-z",
                line=line,
            ) from None
        operations[op.triplet()] = op
    if any(abs(op.det_rot()) != op.DEN**3 for op in operations.values()) or any(
        (a * b).wrap().triplet() not in operations for a in operations.values() for b in operations.values()
    ):
        raise StructureError(
            f"{path}: the {len(operations)} symmetry operators do not form a group",
            kind="symmetry",
            why="an operator is missing or mistyped, and molecules built with them would be wrong",
            fix="list all operators of the space group, centring included",
            line=line,
        )
    if named is not None and len(list(named.operations())) != len(operations):
        warnings.append(
            f"the file lists {len(operations)} symmetry operators, but its space group {named.xhm()} has "
            f"{len(list(named.operations()))}; the listed ones were used"
        )
    ordered = sorted(operations.values(), key=lambda op: op != gemmi.Op("x,y,z"))
    return tuple(ordered), named.xhm() if named is not None else ""


def _formula(text: str) -> dict[str, float]:
    counts: dict[str, float] = {}
    for symbol, number in re.findall(r"([A-Z][a-z]?)\s*(\d*\.?\d*)", text):
        element = "H" if symbol == "D" else symbol
        counts[element] = counts.get(element, 0.0) + (float(number) if number not in ("", ".") else 1.0)
    return counts


def _element(type_symbol: str, label: str, known: dict[str, float]) -> str | None:
    """Element of a site from its type symbol, else its label; None if neither names one."""
    for text, is_label in ((type_symbol, False), (label, True)):
        letters = re.match(r"[A-Za-z]+", text)
        if letters is None:
            continue
        word = letters.group(0)
        candidates = [word.capitalize()] if not is_label else []
        if is_label and len(word) > 1:
            two = word[:2].capitalize()
            if two in known or (not known and word[1].islower()):
                candidates.append(two)
        if is_label and (not known or word[0].upper() in known):
            candidates.append(word[0].upper())
        for symbol in candidates:
            symbol = "H" if symbol in ("D", "T") else symbol
            try:
                atomic_number(symbol)
            except InputError:
                continue
            return symbol
    return None


def _sites(
    path: Path, text: str, data: gemmi.cif.Block, known: dict[str, float], warnings: list[str]
) -> tuple[Site, ...]:
    columns = ("label", "fract_x", "fract_y", "fract_z", "type_symbol", "occupancy", "disorder_assembly",
               "disorder_group", "calc_flag", "attached_hydrogens")  # fmt: skip
    loop_item = data.find_loop_item("_atom_site_fract_x") or data.find_loop_item("_atom_site_fract_y")
    line = loop_item.line_number if loop_item else None
    for axis in "xyz":
        if not len(data.find_loop(f"_atom_site_fract_{axis}")):
            raise StructureError(
                f"{path}{f':{line}' if line else ''}: the atom list has no column _atom_site_fract_{axis}",
                kind="malformed",
                why="two coordinates out of three place no atom",
                fix="add the column, or export the CIF again",
                line=line,
            )
    table = {name: [_given(value) for value in data.find_loop(f"_atom_site_{name}")] for name in columns}
    nrow = len(table["fract_x"])
    sites: list[Site] = []
    dummies: list[str] = []
    unplaced: list[str] = []
    deuterium = 0
    for row in range(nrow):
        value = {name: entries[row] if entries else "" for name, entries in table.items()}
        label = value["label"] or value["type_symbol"] or f"row {row + 1}"
        symbol = _element(value["type_symbol"], value["label"], known)
        if value["calc_flag"].lower() == "dum" or symbol is None:
            dummies.append(label)
            continue
        if not any(value[f"fract_{axis}"] for axis in "xyz"):
            unplaced.append(label)
            continue
        deuterium += re.match(r"[DT]\d*$", value["type_symbol"]) is not None
        numbers = [_number(path, text, line, label, value[f"fract_{axis}"], "coordinate") for axis in "xyz"]
        occupancy = None
        if value["occupancy"]:
            occupancy = _number(path, text, line, label, value["occupancy"], "occupancy")
            if not 0 <= occupancy <= 1.05:
                raise StructureError(
                    f"{path}: the occupancy of {label} is {occupancy}",
                    kind="malformed",
                    fix="it is between 0 and 1",
                )
            if occupancy == 0:
                dummies.append(label)
                continue
        group = value["disorder_group"]
        try:
            group_number = int(group) if group else 0
        except ValueError:
            group_number = 1 + ord(group[0].upper()) - ord("A")
        attached = int(value["attached_hydrogens"]) if value["attached_hydrogens"].isdigit() else None
        position = (numbers[0], numbers[1], numbers[2])
        sites.append(
            Site(label, symbol, position, occupancy, value["disorder_assembly"], group_number, attached)
        )
    if dummies:
        warnings.append(f"dropped {len(dummies)} dummy or empty site(s): {', '.join(dummies)}")
    if unplaced:
        warnings.append(f"dropped {len(unplaced)} site(s) without coordinates: {', '.join(unplaced)}")
    if deuterium:
        warnings.append(f"{deuterium} deuterium site(s) are treated as hydrogen")
    if not sites:
        raise StructureError(
            f"{path}: the atom list holds no atoms", kind="missing", fix="complete the CIF", line=line
        )
    return tuple(sites)


def _number(path: Path, text: str, loop_line: int | None, label: str, value: str, what: str) -> float:
    """Read a number with or without its standard uncertainty in brackets."""
    number = gemmi.cif.as_number(value) if value else math.nan
    if math.isfinite(number):
        return float(number)
    line = loop_line
    for count, content in enumerate(text.splitlines(), start=1):
        words = content.split()
        if loop_line is not None and count > loop_line and label in words and (value or "?") in words:
            line = count
            break
    raise StructureError(
        f"{path}{f':{line}' if line else ''}: the {what} of {label} is {value or 'missing'!r}, not a number",
        kind="malformed",
        fix="repair that line, or export the CIF again",
        line=line,
    )
