"""Photoelectron spectra from files: photon energy, kind of axis, bias and Fermi level."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np

from cluster_qc.analysis.measured import MeasuredTable, ascending, read_bytes, read_table
from cluster_qc.analysis.photon_axis import axis_unit
from cluster_qc.analysis.ups import HE_I_EV, evaluate_ups
from cluster_qc.analysis.vamas_file import MAGIC, vamas_table
from cluster_qc.errors import InputError
from cluster_qc.model import UPSReference
from cluster_qc.model.arrays import FloatArray
from cluster_qc.model.measured import UPSLevels
from cluster_qc.units import electronvolt

Axis = Literal["binding", "kinetic"]
_LINES_EV = {HE_I_EV: "He I", 40.814: "He II"}


def read_ups_spectrum(
    path: str | Path,
    *,
    photon_energy_ev: float | None = None,
    bias_v: float = 0.0,
    axis: Axis | None = None,
    fermi_ev: float | None = None,
    block: str | None = None,
) -> UPSLevels:
    """Read a photoelectron spectrum and evaluate it; see `evaluate_ups`.

    Parameters
    ----------
    path
        A text file with energies and intensities, see `read_table`, or a VAMAS file, see `vamas_table`.
    photon_energy_ev
        Photon energy; by default what the header says.
    bias_v
        Voltage that was on the sample and is still in the energies, negative as a rule: -5 moves all kinetic energies
        5 eV up.
    axis
        Whether the energies are binding or kinetic; by default what the header says.
    fermi_ev
        Where the Fermi level lies on the axis of the file, after the bias is taken off; by default 0 on a binding axis
        and the photon energy on a kinetic one.
    block
        Name or number of the block of a VAMAS file; by default the only one, or the only one of technique UPS.

    Raises
    ------
    InputError
        As in `read_table` and `vamas_table`, and for an unknown photon energy or kind of axis, energies that cannot
        belong to it, or a spectrum with neither cutoff nor onset.
    """
    if axis not in (None, "binding", "kinetic"):
        raise InputError(f"unknown axis {axis!r}", fix="use binding or kinetic")
    table = _table(Path(path), block)
    warnings = list(table.remarks)
    photon = _photon_energy(table, photon_energy_ev, warnings)
    column = _intensity_column(table, warnings)
    if re.search(r"\bl(og|og10|n|g)\b", table.names[column]):
        raise InputError(
            f"{table.path}: column {column + 1} is {table.names[column]!r}",
            why="lines and noise are fitted to the intensity, not to its logarithm",
            fix="export the intensity",
        )
    intensity = table.values[:, column]
    binding, intensity = _binding(table, intensity, photon, bias_v, axis, fermi_ev, warnings)
    return evaluate_ups(binding, intensity, photon, warnings=tuple(warnings), source=str(path))


def read_ups(path: str | Path, *, photon_energy: float | None = None, bias_v: float = 0.0) -> UPSReference:
    """The HOMO of a photoelectron spectrum, to compare a computed one with; `photon_energy` in hartree.

    Raises
    ------
    InputError
        As in `read_ups_spectrum`, and if the spectrum does not give the HOMO.
    """
    photon_ev = None if photon_energy is None else photon_energy / electronvolt
    return homo_reference(read_ups_spectrum(path, photon_energy_ev=photon_ev, bias_v=bias_v))


def homo_reference(levels: UPSLevels) -> UPSReference:
    """The HOMO of an evaluated spectrum.

    Raises
    ------
    InputError
        If the spectrum does not give it.
    """
    if levels.homo_ev is None:
        raise InputError(
            f"{levels.source}: the spectrum does not give the HOMO",
            why=levels.reasons["homo_ev"],
            fix="give a spectrum with both the secondary-electron cutoff and the onset, or the HOMO itself with --homo",
        )
    return UPSReference(
        homo=levels.homo_ev.value * electronvolt,
        uncertainty=levels.homo_ev.uncertainty * electronvolt,
        source=f"fitted from {levels.source}",
    )


def _table(path: Path, block: str | None) -> MeasuredTable:
    raw = read_bytes(path)
    if raw.startswith(MAGIC):
        return vamas_table(path, raw, block)
    if block is not None:
        raise InputError(f"{path}: --block {block}, but the file is not VAMAS", fix="leave --block out")
    return read_table(path, rows=20)


def _photon_energy(table: MeasuredTable, told: float | None, warnings: list[str]) -> float:
    if told is not None:
        if not 5.0 <= told <= 200.0:
            raise InputError(
                f"the photon energy is {told:g} eV; ultraviolet photoelectron spectra have 5 to 200 eV",
                fix=f"give it in eV, e.g. {HE_I_EV} for He I",
            )
        return told
    header = table.header
    number = re.search(
        r"(?:(?:photon|excitation|source|characteristic)\s*energy|(?:anregungs|photonen)energie|énergie des photons)"
        r"[^\d\n]{0,25}(\d+(?:[.,]\d+)?)(?![\d.,]*\s*nm)"
        "|\\bh\\s*[v\N{GREEK SMALL LETTER NU}]\\b[^\\d\n]{0,10}(\\d+(?:[.,]\\d+)?)",
        header,
    )
    if number:
        photon = float((number[1] or number[2]).replace(",", "."))
        if 5.0 <= photon <= 200.0:
            warnings.append(f"the photon energy, {photon:g} eV, is from the header of the file")
            return photon
    named = re.search(r"(?<![a-z])he[\s_-]*(ii?)(?![a-z])", header)
    if named:
        photon = next(value for value, name in _LINES_EV.items() if name.lower() == f"he {named[1]}")
        warnings.append(f"the header names He {named[1].upper()}: photon energy {photon:g} eV")
        return photon
    raise InputError(
        f"{table.path}: the photon energy is not known",
        why="every level but the binding energies follows from it",
        fix=f"give --photon-energy, e.g. {HE_I_EV} for He I",
    )


def _intensity_column(table: MeasuredTable, warnings: list[str]) -> int:
    kinds = [_kind_named(name) for name in table.names]
    later = kinds[1:]
    if kinds[0] in later if kinds[0] else any(later):
        raise InputError(
            f"{table.path}: the columns are {', '.join(map(repr, table.names))}",
            why="the first is to be the energy, and of one curve only",
            fix="keep two columns, energy and intensity; export one curve to a file",
        )
    if len(kinds) == 2:
        return 1
    column = table.column(r"count|intens|signal|cps|yield")
    if column in (None, 0):
        raise InputError(
            f"{table.path}: {table.values.shape[1]} columns, and none is named as the intensity",
            fix="keep two columns, energy and intensity, or name the column 'intensity'",
        )
    warnings.append(f"column {column + 1} ({table.names[column]!r}) was taken as the intensity")
    return int(column)


def _kind_named(text: str) -> Axis | None:
    """The kind of energy that a text names, None for none or both."""
    kinds: list[Axis] = []
    if re.search(r"binding|bindung|liaison|enlace|\bb\.?\s?e\b|\be ?b\b|e\s*-\s*e ?f", text):
        kinds.append("binding")
    if re.search(r"kinetic|kinetisch|cin[eé]ti|\bk\.?\s?e\b|\be ?k(in)?\b", text):
        kinds.append("kinetic")
    return kinds[0] if len(kinds) == 1 else None


def _named_kind(table: MeasuredTable) -> Axis | None:
    return _kind_named(table.names[0]) or _kind_named(table.header)


def _kind_of_axis(table: MeasuredTable, photon: float, warnings: list[str]) -> Axis:
    name = table.names[0]
    if axis_unit(name)[0] in ("nm", "cm-1"):
        raise InputError(
            f"{table.path}: the first column is {name!r}, not an electron energy",
            why="a photoelectron spectrum is counted against the energy of the electrons",
            fix="give the photoelectron spectrum; optical spectra go to cluster-qc tauc",
        )
    named = _named_kind(table)
    if named:
        return named
    energies = table.values[:, 0]
    if np.ptp(energies) > 0.65 * photon:
        brightest = float(energies[np.argmax(table.values[:, 1])])
        kind: Axis = "binding" if abs(brightest) > 0.5 * photon else "kinetic"
        warnings.append(
            f"the axis has no name; the secondary electrons at {brightest:.1f} eV tell that it is a {kind} energy"
        )
        return kind
    raise InputError(
        f"{table.path}: the first column does not say whether it is binding or kinetic energy",
        why="from a part of a spectrum this cannot be told",
        fix="name the column in the header, e.g. 'binding energy (eV)', or give --axis binding or kinetic",
    )


def _binding(
    table: MeasuredTable,
    intensity: FloatArray,
    photon: float,
    bias_v: float,
    axis: Axis | None,
    fermi: float | None,
    warnings: list[str],
) -> tuple[FloatArray, FloatArray]:
    """Binding energies from the Fermi level, ascending, with the intensities."""
    kind = axis or _kind_of_axis(table, photon, warnings)
    named = _named_kind(table)
    if axis and named not in (None, axis):
        warnings.append(f"the file names a {named} energy; it was read as {axis} energy, as told")
    energies = table.values[:, 0].astype(float)
    if kind == "binding":
        binding = energies - bias_v - (fermi or 0.0)
        if binding.min() < -3.0 and -binding.min() > binding.max():
            # E - EF: a negative sample potential lowers it as it raises a binding energy.
            binding = -(energies + bias_v - (fermi or 0.0))
            warnings.append("the energies are negative below the Fermi level: their sign was turned")
    else:
        if fermi is None:
            warnings.append(
                "kinetic energies are taken to be calibrated to the Fermi level (binding = photon energy - kinetic); "
                "give --fermi if the Fermi edge lies elsewhere"
            )
        binding = (photon if fermi is None else fermi) - (energies + bias_v)
    if bias_v:
        warnings.append(f"a bias of {bias_v:g} V was taken off the energies")
    elif re.search(r"\bbias\b[^\n]*[1-9]", table.header):
        warnings.append(
            "the header speaks of a bias, which was not taken off; give --bias if it is in the energies"
        )
    binding, intensity = ascending(table, binding, intensity)
    if binding[0] > photon or binding[-1] < -1.0 or np.ptp(binding) > 1.6 * photon + 10:
        raise InputError(
            f"{table.path}: read as {kind} energy, the binding energies are {binding[0]:.1f} to {binding[-1]:.1f} eV",
            why=f"with photons of {photon:g} eV there are electrons only from 0 to {photon:g} eV",
            fix="check the photon energy, the bias (--bias) and whether the axis is binding or kinetic (--axis)",
        )
    if intensity.max() <= 0 or np.ptp(intensity) == 0:
        raise InputError(
            f"{table.path}: the intensity is {intensity.max():g} throughout",
            fix="check which column holds the counts",
        )
    return binding, intensity
