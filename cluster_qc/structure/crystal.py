"""What one CIF data block says: cell, symmetry operations, atom sites. No choice is made here but dropping dummies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import gemmi
import numpy as np

from cluster_qc.errors import StructureError
from cluster_qc.model.arrays import FloatArray
from cluster_qc.structure.absolute import HandParameter, read_hand_parameter
from cluster_qc.structure.cif_text import DataBlock, check_tags, read_blocks
from cluster_qc.structure.sites import Site, read_sites
from cluster_qc.structure.symmetry import read_symmetry

_LONGEST_AXIS = 1000.0
_MOST_IMAGES = 100_000
"""Angstrom. No molecular crystal has a longer axis; a lost decimal point gives one."""


@dataclass(frozen=True)
class Crystal:
    """One data block."""

    path: Path
    block: str
    cell: gemmi.UnitCell
    operations: tuple[gemmi.Op, ...]
    """All of them, the identity first, centring included, translations within [0, 1)."""
    space_group: str
    """Hermann-Mauguin name of the operations, with its setting; "" if they are in no table."""
    sites: tuple[Site, ...]
    hand: HandParameter | None
    """Flack parameter or what the file gives in its place."""
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


def read_crystal(path: str | Path, block: str | None = None) -> Crystal:
    """Parse one data block of a CIF.

    Raises
    ------
    StructureError
        For a missing or malformed file, an ambiguous block, missing cell, symmetry or coordinates.
    """
    path = Path(path)
    blocks, warnings = read_blocks(path)
    data = _pick_block(path, blocks, block)
    warnings += check_tags(data)
    cell = _cell(data)
    operations, group_name = read_symmetry(data, cell, warnings)
    nsite = len(data.column("_atom_site_fract_x"))
    if nsite * len(operations) > _MOST_IMAGES:
        raise data.error(
            f"{nsite} sites under {len(operations)} symmetry operations",
            why=f"up to {_MOST_IMAGES} images are handled, more than crystals of molecules have",
            fix="check that it is the file you mean",
            line=data.line("_atom_site_fract_x"),
        )
    counts = formula_counts(data.value("_chemical_formula_sum"))
    sites = read_sites(data, counts, warnings)
    return Crystal(
        path=path,
        block=data.name,
        cell=cell,
        operations=operations,
        space_group=group_name,
        sites=sites,
        hand=read_hand_parameter(data, warnings),
        moiety=data.value("_chemical_formula_moiety"),
        formula_sum=counts,
        warnings=tuple(warnings),
    )


def _has_sites(data: DataBlock) -> bool:
    return any(data.column(f"_atom_site_fract_{axis}") for axis in "xyz")


def _pick_block(path: Path, blocks: list[DataBlock], wanted: str | None) -> DataBlock:
    if not blocks:
        raise StructureError(
            f"{path} has no data block", kind="malformed", fix="give a CIF with a data_ block"
        )
    full = [data for data in blocks if _has_sites(data)]
    if wanted is not None:
        name = "_".join(wanted.removeprefix("data_").split()).lower()
        full = [data for data in blocks if data.name.lower() == name]
        if not full:
            raise StructureError(
                f"{path} has no data block {wanted!r}",
                kind="missing",
                fix=f"choose one of: {', '.join(data.name for data in blocks)}",
            )
    if not full or not _has_sites(full[0]):
        cartesian = any(data.column("_atom_site_Cartn_x") for data in full or blocks)
        raise StructureError(
            f"{path} holds no atom coordinates" + (f" in block {full[0].name}" if full else ""),
            kind="missing",
            why="its positions are Cartesian (_atom_site_Cartn_x), which do not tell how they lie in the cell"
            if cartesian
            else "a molecule needs the _atom_site_fract_x, _y and _z columns",
            fix="take the CIF with the refined structure",
        )
    if len(full) > 1:
        names = ", ".join(data.name for data in full)
        raise StructureError(
            f"{path} holds {len(full)} structures: {names}",
            kind="ambiguous",
            why="each is another crystal; which one is meant is not for the program to guess",
            fix=f"choose one with --block or block=: {names}",
        )
    return full[0]


def _cell(data: DataBlock) -> gemmi.UnitCell:
    values = []
    for name in ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma"):
        tag = f"_cell_{name}"
        value = gemmi.cif.as_number(data.value(tag) or "?")
        if not 1 < value < (_LONGEST_AXIS if "length" in tag else 180):
            raise data.error(
                f"{tag} is {data.value(tag) or 'missing'}",
                why="without the unit cell (angstrom, degrees) fractional coordinates are no positions",
                fix="complete the CIF",
                line=data.line(tag),
            )
        values.append(value)
    cell = gemmi.UnitCell(*values)
    a, b, c = values[:3]
    if not cell.is_crystal() or not cell.volume > 0.05 * a * b * c:
        raise data.error(
            "the cell parameters describe no cell",
            why="without the unit cell fractional coordinates are no positions",
            fix="check lengths and angles",
            line=data.line("_cell_angle_alpha"),
        )
    return cell


def formula_counts(text: str) -> dict[str, float]:
    """Number of each element in "C18 H4 Au2", C18H4Au2 or "C16 H4 Au2, 0.5 C7 H8"; deuterium counts as hydrogen."""
    counts: dict[str, float] = {}
    for part in text.split(","):
        times = re.match(r"\s*(\d{1,3}\.?\d{0,3})(?=[\s(]*[A-Z])", part)
        for symbol, number in re.findall(r"([A-Z][a-z]?)\s*(\d{0,6}\.?\d{0,6})", part):
            element = "H" if symbol == "D" else symbol
            each = float(number) if number not in ("", ".") else 1.0
            counts[element] = counts.get(element, 0.0) + each * (float(times.group(1)) if times else 1.0)
    return counts
