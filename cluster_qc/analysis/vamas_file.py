"""Spectra in VAMAS files (ISO 14976), read by the package vamas, as the tables that text files give."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import numpy as np

from cluster_qc.analysis.measured import MeasuredTable
from cluster_qc.errors import InputError

MAGIC = b"VAMAS Surface Chemical Analysis"
_UNKNOWN = 1e37
"""What the standard writes for a number that is not known."""


def vamas_table(path: Path, raw: bytes, block: str | None = None) -> MeasuredTable:
    """One block of a VAMAS file: its energies, and the counts or whatever else was recorded against them.

    Photon energy, technique and bias stand in the header of the table as they would in a text file.

    Parameters
    ----------
    path
        The file, for messages.
    raw
        Its content.
    block
        Name of the block, or its number from 1; by default the only one, or the only one of technique UPS.

    Raises
    ------
    InputError
        If the package is missing, the file is damaged, there is no such block or more than one to choose from, or
        the block is not a spectrum on an even axis.
    """
    try:
        from vamas import Vamas
    except ImportError:
        raise InputError(
            f"{path}: this is a VAMAS file (ISO 14976), which needs the package vamas",
            fix="pip install 'cluster_qc[vamas]', or export the spectrum as text with two columns",
        ) from None
    text = raw.decode("utf-8", errors="replace")
    if "IRREGULAR" in (line.strip() for line in text.splitlines()[:200]):
        raise InputError(f"{path}: VAMAS on an uneven axis is not read", fix="export the spectrum as text")
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not support
            blocks = Vamas(text.encode()).blocks
    except (
        AssertionError,
        IndexError,
        KeyError,
        RuntimeError,
        StopIteration,
        TypeError,
        ValueError,
    ) as error:
        raise InputError(
            f"{path}: the VAMAS file cannot be read ({type(error).__name__}: {error})",
            fix="export it again, or export the spectrum as text with two columns",
        ) from error
    names = [found.block_identifier or f"block {number}" for number, found in enumerate(blocks, 1)]
    chosen = blocks[_index(path, names, [found.technique for found in blocks], block)]
    recorded = chosen.corresponding_variables
    energies = chosen.x_start + chosen.x_step * np.arange(len(recorded[0].y_values))
    if "ev" not in chosen.x_units.lower() or not len(energies):
        raise InputError(
            f"{path}: the block {chosen.block_identifier!r} is not a spectrum; its axis is {chosen.x_label!r} in "
            f"{chosen.x_units!r}",
            fix="choose the block of a spectrum with --block",
        )
    first = next((i for i, one in enumerate(recorded) if re.search("count|intens", one.label, re.I)), 0)
    recorded = [recorded[first], *recorded[:first], *recorded[first + 1 :]]
    header = [chosen.technique, chosen.analysis_source_label, chosen.block_comment]
    if 0 < chosen.analysis_source_characteristic_energy < _UNKNOWN:
        header.insert(0, f"photon energy {chosen.analysis_source_characteristic_energy:g} eV")
    if 0 < abs(chosen.target_bias) < _UNKNOWN:
        header.append(f"bias {chosen.target_bias:g} V")
    remark = () if len(blocks) == 1 else (f"block {chosen.block_identifier!r} of {len(blocks)} was read",)
    return MeasuredTable(
        path=path,
        names=(
            f"{chosen.x_label} ({chosen.x_units})".lower(),
            *(f"{v.label} ({v.unit})".lower() for v in recorded),
        ),
        values=np.column_stack([energies, *(np.array(one.y_values) for one in recorded)]),
        lines=tuple(range(1, len(energies) + 1)),
        header="\n".join(header).lower(),
        remarks=remark,
    )


def _index(path: Path, names: list[str], techniques: list[str], block: str | None) -> int:
    """The block that is meant."""
    if block is None:
        if len(names) == 1:
            return 0
        if techniques.count("UPS") == 1:
            return techniques.index("UPS")
    elif names.count(block) == 1:
        return names.index(block)
    elif block.isdigit() and 0 < int(block) <= len(names):
        return int(block) - 1
    listed = ", ".join(f"{number} {name!r}" for number, name in enumerate(names, 1))
    raise InputError(
        f"{path}: {'several blocks' if block is None else f'no single block {block!r}'} in the VAMAS file: {listed}",
        fix="choose one with --block, by its name or number",
    )
