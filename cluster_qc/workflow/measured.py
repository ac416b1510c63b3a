"""Measured spectra for the command line: evaluate, tell, draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cluster_qc.analysis.ups_reading import homo_reference, read_ups_spectrum
from cluster_qc.errors import InputError
from cluster_qc.files import replaced
from cluster_qc.model import UPSReference
from cluster_qc.model.measured import TaucGaps, UPSLevels
from cluster_qc.workflow.figures import need_picture

_NAMES = {
    "cutoff_ev": "secondary cutoff",
    "onset_ev": "onset",
    "work_function_ev": "work function",
    "ionization_energy_ev": "ionization energy",
    "homo_ev": "HOMO",
    "direct_gap_ev": "direct gap",
    "indirect_gap_ev": "indirect gap",
}


def homo_from_ups(path: Path | None, homo_ev: float | None, **options: Any) -> UPSReference | None:
    """The HOMO of a spectrum, None without one; options as of `read_ups_spectrum`."""
    if path is None:
        if any(options.values()):
            raise InputError("settings of a spectrum without a spectrum", fix="give its file with --ups")
        return None
    if homo_ev is not None:
        raise InputError(
            "--homo and --ups were both given", fix="give the HOMO, or the spectrum to take it from"
        )
    return homo_reference(read_ups_spectrum(path, **options))


def measured_text(result: UPSLevels | TaucGaps) -> str:
    """Values with their uncertainty, what is missing and why, and the warnings."""
    values = result.as_json()
    lines = []
    for key, name in _NAMES.items():
        if values.get(key):
            uncertainty = values[key]["uncertainty"]
            digits = f"{uncertainty:.3f}" if uncertainty >= 5e-4 else f"{uncertainty:.1g}"
            lines.append(f"{name:<18}{values[key]['value']:9.3f} +- {digits} eV")
        elif key in values:
            lines.append(f"{name:<18}{'-':>9}    {result.reasons[key]}")
    return "\n".join([*lines, *(f"! {warning}" for warning in result.warnings)])


def save_measured(path: Path, result: UPSLevels | TaucGaps) -> None:
    """Draw the fits to a file."""
    need_picture(path)
    from cluster_qc.plotting.figures import save_tauc, save_ups

    with replaced(path) as temporary:
        if isinstance(result, UPSLevels):
            save_ups(temporary, result)
        else:
            save_tauc(temporary, result)
