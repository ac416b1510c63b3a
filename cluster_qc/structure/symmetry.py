"""The symmetry operations of a crystal, from its list of operators or the name of its space group."""

from __future__ import annotations

import re

import gemmi
import numpy as np

from cluster_qc.structure.cif_text import DataBlock

_OPERATOR_TAGS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
_HALL_TAGS = ("_space_group_name_Hall", "_symmetry_space_group_name_Hall")
_NAME_TAGS = (
    "_space_group_name_H-M_alt",
    "_symmetry_space_group_name_H-M",
    "_space_group_name_H-M_ref",
    "_space_group_name_H-M_full",
)
_NUMBER_TAGS = ("_space_group_IT_number", "_symmetry_Int_Tables_number")
_SPECIAL_TAGS = {
    "_space_group_symop_magn_operation_xyz": "magnetic group",
    "_space_group_symop_magn_ssg_operation_algebraic": "magnetic superspace group",
    "_space_group_symop_ssg_operation_algebraic": "superspace group",
}
_METRIC_TOLERANCE = 0.01
"""Largest relative change of the metric tensor under an operator: half a degree or half a per cent of a length is far
above rounding and far below another lattice."""


def read_symmetry(
    data: DataBlock, cell: gemmi.UnitCell, warnings: list[str]
) -> tuple[tuple[gemmi.Op, ...], str]:
    """Symmetry operations, the identity first, translations within [0, 1), and the group's name ("" if unknown).

    The listed operators decide; without any, the Hall symbol, the Hermann-Mauguin name with its setting, the number.

    Raises
    ------
    StructureError
        kind "symmetry" if there is none, the name leaves a choice of origin or axes, the operators form no group or
        do not fit the cell; kind "malformed" for an unreadable operator.
    """
    listed = _listed(data)
    named = _named(data, cell, must=not listed)
    if not listed:
        if named is None:
            for tag, what in _SPECIAL_TAGS.items():
                if data.column(tag):
                    raise data.error(
                        f"the only symmetry operators are those of a {what} ({tag})",
                        kind="symmetry",
                        why="a molecule is built with the operators of a space group",
                        fix="give the nuclear or average structure, with _space_group_symop_operation_xyz",
                        line=data.line(tag),
                    )
            raise data.error(
                "no symmetry information (no operators, no known space-group name)",
                kind="symmetry",
                why="reading it as P1 could leave out half of a molecule",
                fix="add _space_group_symop_operation_xyz or _space_group_name_H-M_alt; 'x,y,z' alone if it is P1",
            )
        warnings.append(f"no symmetry operators in the file; those of space group {named.xhm()} were used")
        listed = [op.wrap() for op in named.operations()]
    line = next((data.line(tag) for tag in _OPERATOR_TAGS if data.line(tag)), None)
    if named is not None and len(listed) < len(named.operations()):
        listed = _with_centring(listed, named, warnings)
    operations = _as_group(data, listed, line)
    found = gemmi.find_spacegroup_by_ops(gemmi.GroupOps(list(operations)))
    if named is not None and (found is None or found.number != named.number):
        warnings.append(
            f"the file lists {len(operations)} symmetry operators"
            + (f", those of {found.xhm()}" if found else "")
            + f", but names the space group {named.xhm()} with {len(list(named.operations()))}; "
            "the listed ones were used"
        )
    _check_metric(data, cell, operations, line)
    group = found or named
    return operations, group.xhm() if group is not None else ""


def _listed(data: DataBlock) -> list[gemmi.Op]:
    for tag in _OPERATOR_TAGS:
        texts = data.column(tag)
        if any(texts):
            return [_operator(data, tag, row, text) for row, text in enumerate(texts) if text]
    return []


def _with_centring(listed: list[gemmi.Op], named: gemmi.SpaceGroup, warnings: list[str]) -> list[gemmi.Op]:
    """Add the centring of the named lattice if that makes the list the named group: some databases leave it out."""
    centring = [gemmi.Op("x,y,z").translated(shift) for shift in named.operations().cen_ops]
    complete = [(move * op).wrap() for move in centring for op in listed]
    if {op.triplet() for op in complete} != {op.wrap().triplet() for op in named.operations()}:
        return listed
    warnings.append(f"the list of symmetry operators leaves out the centring of {named.xhm()}; it was added")
    return complete


def _operator(data: DataBlock, tag: str, row: int, text: str) -> gemmi.Op:
    exact = re.sub(r"\d*\.\d+", _as_fraction, text.strip(" ;"))
    try:
        op = gemmi.Op(exact).wrap()
        if abs(op.det_rot()) == op.DEN**3:
            return op
    except (ValueError, RuntimeError):
        pass
    raise data.error(
        f"{text!r} in {tag} is not a symmetry operator",
        why="molecules are completed with every operator of the list",
        fix="write it like -x,y+1/2,-z",
        line=data.line(tag, row),
    )


def _as_fraction(decimal: re.Match[str]) -> str:
    """Write 0.333 as 8/24, as far as its digits reach; other decimals stay in a form that no operator has."""
    text = decimal.group(0)
    count = round(float(text) * 24)
    unit = 10.0 ** -len(text.split(".")[1])
    return (
        f"{count}/24" if abs(count / 24 - float(text)) < max(unit, 1e-4) and len(text) < 12 else "no fraction"
    )


def _as_group(data: DataBlock, listed: list[gemmi.Op], line: int | None) -> tuple[gemmi.Op, ...]:
    operations = {op.triplet(): op for op in listed}
    if "x,y,z" not in operations or any(
        (a * b).wrap().triplet() not in operations for a in operations.values() for b in operations.values()
    ):
        raise data.error(
            f"the {len(operations)} symmetry operators do not form a group",
            kind="symmetry",
            why="an operator is missing or mistyped, and molecules built with them would be wrong",
            fix="list all operators of the space group, centring included",
            line=line,
        )
    return tuple(sorted(operations.values(), key=lambda op: op.triplet() != "x,y,z"))


def _check_metric(
    data: DataBlock, cell: gemmi.UnitCell, operations: tuple[gemmi.Op, ...], line: int | None
) -> None:
    """Refuse operators that change the lengths or angles of the cell."""
    axes = np.array(cell.orth.mat.tolist())
    metric = axes.T @ axes
    scale = np.sqrt(np.outer(np.diag(metric), np.diag(metric)))
    for op in operations:
        turn = np.array(op.rot, dtype=float) / op.DEN
        if np.abs((turn.T @ metric @ turn - metric) / scale).max() > _METRIC_TOLERANCE:
            raise data.error(
                f"the cell does not have the symmetry of the operator {op.triplet()}",
                kind="symmetry",
                why="an operator must keep the cell's lengths and angles; with these, molecules would be distorted",
                fix="correct the cell, the operators or the setting of the space group",
                line=line,
            )


def _named(data: DataBlock, cell: gemmi.UnitCell, *, must: bool) -> gemmi.SpaceGroup | None:
    """Space group by its Hall symbol, name or number; `must`: nothing else in the file tells the operators."""
    for tag in _HALL_TAGS:
        try:
            group = gemmi.find_spacegroup_by_ops(gemmi.symops_from_hall(data.value(tag)))
        except (ValueError, RuntimeError):
            continue
        if data.value(tag) and group is not None:
            return group
    for tag in _NAME_TAGS:
        name = _plain_name(data.value(tag))
        known = gemmi.find_spacegroup_by_name(name, cell.alpha, cell.gamma) if name else None
        if known is None:
            continue
        if must and known.ext in ("1", "2") and ":" not in name:
            raise data.error(
                f"the space-group name {data.value(tag)} has two choices of origin",
                kind="symmetry",
                why="without the operators or a ':1' or ':2' the molecules cannot be built with certainty",
                fix="add _space_group_symop_operation_xyz or the setting to the name",
                line=data.line(tag),
            )
        return known
    for tag in _NUMBER_TAGS:
        if data.value(tag).isdigit():
            return _numbered(data, tag, cell, must=must)
    return None


def _plain_name(name: str) -> str:
    """A Hermann-Mauguin name as the tables write it: 'P2(1)/c', 'R -3 m H', 'Fd-3mZ' and 'P n n n (origin 2)'."""
    name = re.sub(r"(?i)\(?\s*(?:origin(?:\s+at)?|choice|origin\s+choice)\s*([12])\s*\)?\s*$", r":\1", name)
    name = re.sub(r"([2346])[_(]+([1-5])\)?", r"\1\2", name)
    name = re.sub(r"\(.*\)\s*$", "", name).strip()
    name = re.sub(r"(?<=[\dmnabcd])\s*S$", ":1", name)
    name = re.sub(r"(?<=[\dmnabcd])\s*Z$", ":2", name)
    return re.sub(r"(?<=[\dmnabc])\s+([HR])$", r":\1", name)


def _numbered(data: DataBlock, tag: str, cell: gemmi.UnitCell, *, must: bool) -> gemmi.SpaceGroup | None:
    """The group of a number, if the tables know one setting of its lattice only that fits the cell."""
    number = int(data.value(tag))
    standard = gemmi.find_spacegroup_by_number(number) if 1 <= number <= 230 else None
    if standard is None or not must:
        return standard
    extension = "H" if abs(cell.gamma - 120) < 1 else "R"
    settings = [
        group
        for group in gemmi.spacegroup_table()
        if group.number == number
        and group.hm[0] == standard.hm[0]
        and (group.ext not in ("H", "R") or group.ext == extension)
    ]
    if len(settings) > 1:
        raise data.error(
            f"space group number {number} has several settings ({', '.join(group.xhm() for group in settings)})",
            kind="symmetry",
            why="without the operators or the name the molecules cannot be built with certainty",
            fix="add _space_group_symop_operation_xyz or _space_group_name_H-M_alt",
            line=data.line(tag),
        )
    return settings[0]
