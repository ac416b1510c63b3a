"""What the charts of a page show, as JSON values; page.js draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster_qc.report.values import rows, section

_AROUND_EV = 3.0  # how far from HOMO and LUMO the other levels are drawn
_VALUE = {"cd": "delta_epsilon_lmolcm", "absorption": "epsilon_lmolcm"}


def spectrum(summary: Mapping[str, Any], name: str, curve: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """One curve with the states below it; for CD the measured bands of the summary too.

    Parameters
    ----------
    summary
        Gives the states, the shift and gauge of the CD, and the bands.
    name
        "cd" or "absorption".
    curve
        Rows of the CSV file.
    """
    cd = section(summary, "cd")
    shift = float(cd.get("shift_ev") or 0.0)
    gauge = "length" if name == "absorption" else str(cd.get("gauge") or "length")
    key = "oscillator_strength" if name == "absorption" else f"rotatory_strength_{gauge}_cgs"
    return {
        "name": name,
        "curves": [curve_data("computed", name, curve)],
        "sticks": [
            {"label": state.get("label"), "ev": state["energy_ev"] + shift, "strength": state[key]}
            for state in rows(summary, "singlets")
            if state.get("energy_ev") is not None and state.get(key) is not None
        ],
        "bands": rows(cd, "bands") if name == "cd" else [],
        "measured": rows(cd, "measured_bands") if name == "cd" else [],
    }


def curve_data(label: str, name: str, curve: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """A curve of a legend's label, against the energy."""
    points = [row for row in curve if "energy_ev" in row and _VALUE[name] in row]
    return {
        "label": label,
        "ev": [row["energy_ev"] for row in points],
        "value": [row[_VALUE[name]] for row in points],
    }


def levels(jobs: Sequence[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Columns of orbital energies in eV, one for each job, then one for each measurement among them."""
    columns: list[dict[str, Any]] = []
    measured: dict[tuple[Any, Any], dict[str, Any]] = {}
    for label, summary in jobs:
        entry = section(summary, "levels")
        named = {name: entry.get(f"{name.lower()}_ev") for name in ("HOMO", "LUMO")}
        edges = [value for value in named.values() if value is not None]
        if edges:
            columns.append(
                {
                    "label": label,
                    "named": {name: value for name, value in named.items() if value is not None},
                    "others": [
                        energy
                        for energy in [*(entry.get("occupied_ev") or []), *(entry.get("virtual_ev") or [])]
                        if min(edges) - _AROUND_EV <= energy <= max(edges) + _AROUND_EV
                    ],
                }
            )
        alignment = section(summary, "alignment")
        homo, tolerance = alignment.get("measured_homo_ev"), alignment.get("tolerance_ev")
        if homo is not None:
            measured[(homo, tolerance)] = {
                "label": "measured",
                "named": {"HOMO": homo},
                "others": [],
                "tolerance": tolerance,
                "uncertainty": alignment.get("measured_uncertainty_ev"),
            }
    return [*columns, *measured.values()] if columns else []
