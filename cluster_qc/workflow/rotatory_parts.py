"""Where the CD of a finished run comes from: its bands and rotatory strengths by fragments and orbital pairs."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from cluster_qc.errors import InputError
from cluster_qc.files import need_writable, write_text
from cluster_qc.model import GroundState
from cluster_qc.model.arrays import FloatArray
from cluster_qc.units import electronvolt, energy_from_nm, rotatory_strength_cgs
from cluster_qc.workflow.chiroptics import curve_settings
from cluster_qc.workflow.look import load_states
from cluster_qc.workflow.summary_file import read_summary

SCHEMA_VERSION = 1
_ORBITAL_PAIRS = 5  # of each state
_STATES = 4  # of each band
_STATES_SHOWN = 8
_PARTS_SHOWN = 12
_LEAST_SHOWN = 0.05  # what one decimal shows as zero


def run_parts(
    directory: Path, *, fwhm_ev: float | None = None, shift_ev: float | None = None, gauge: str | None = None
) -> dict[str, Any]:
    """The parts of a run's CD bands and rotatory strengths, as JSON values; see `analysis.rotatory_parts`.

    A part is named by its fragment, "metal core", or by the two whose moments couple, "metal core x donors"; the parts
    of a band or state sum to it. Width, shift and gauge are the run's unless given.

    Raises
    ------
    NotConvergedError
        If a state did not converge.
    InputError
        For a width, shift or gauge that makes no sense.
    """
    from cluster_qc.analysis.rotatory_parts import rotatory_parts_of_states
    from cluster_qc.analysis.spectra import cotton_bands, simulate_cd, stick_weights
    from cluster_qc.drivers.transition import moment_integrals

    summary = read_summary(directory)
    settings = curve_settings(summary, fwhm_ev, shift_ev, gauge)
    singlets = load_states(directory, "singlet")
    curve = simulate_cd(singlets, **settings)
    integrals = moment_integrals(singlets.ground, singlets.gauge_origin)
    states: list[dict[str, Any]] = []
    rows: list[FloatArray] = []
    names: list[str] = []
    remarks = dict.fromkeys(curve.remarks)
    for split in rotatory_parts_of_states(singlets, integrals, settings["gauge"]):
        names = _names(split.fragments)
        rows.append(_sums(split.pairs))
        remarks |= dict.fromkeys(split.remarks)
        states.append(
            {
                "label": split.label,
                "energy_ev": float(singlets.excitation_energies[len(states)] / electronvolt),
                "rotatory_strength_cgs": split.total / rotatory_strength_cgs,
                "parts_cgs": dict(zip(names, (rows[-1] / rotatory_strength_cgs).tolist(), strict=True)),
                "orbital_pairs": [
                    {
                        "from": _orbital(singlets.ground, occupied),
                        "to": _orbital(singlets.ground, virtual),
                        "part_cgs": value / rotatory_strength_cgs,
                    }
                    for occupied, virtual, value in split.leading_orbital_pairs(_ORBITAL_PAIRS)
                ],
            }
        )
    bands = []
    for band in cotton_bands(curve):
        weights = stick_weights(curve, energy_from_nm(band["wavelength_nm"]))
        by_state = weights * curve.stick_strengths
        bands.append(
            {
                "wavelength_nm": band["wavelength_nm"],
                "delta_epsilon_lmolcm": float(by_state.sum()),
                "parts_lmolcm": dict(zip(names, (weights @ np.array(rows)).tolist(), strict=True)),
                "states": [
                    {"label": singlets[int(i)].label, "delta_epsilon_lmolcm": float(by_state[i])}
                    for i in np.argsort(-np.abs(by_state))[:_STATES]
                ],
            }
        )
    return {
        "schema_version": SCHEMA_VERSION,
        "name": summary.get("name"),
        "record": summary.get("provenance", {}).get("records", {}).get("singlets"),
        "gauge": curve.gauge,
        "fwhm_ev": curve.fwhm / electronvolt,
        "shift_ev": curve.shift / electronvolt,
        "bands": bands,
        "states": states,
        "remarks": list(remarks),
    }


def _names(fragments: tuple[str, ...]) -> list[str]:
    """Names of the parts: each fragment, then each pair."""
    first, second = np.triu_indices(len(fragments), 1)
    return [*fragments, *(f"{fragments[i]} x {fragments[k]}" for i, k in zip(first, second, strict=True))]


def _sums(pairs: FloatArray) -> FloatArray:
    """The parts in the order of `_names`; a coupling is both elements of the symmetric matrix."""
    return np.concatenate([np.diag(pairs), 2 * pairs[np.triu_indices(len(pairs), 1)]])


def _orbital(ground: GroundState, index: int) -> str:
    """HOMO, HOMO-1, ... or LUMO, LUMO+1, ..."""
    if index < ground.nocc:
        return "HOMO" + (f"-{ground.nocc - 1 - index}" if index < ground.nocc - 1 else "")
    return "LUMO" + (f"+{index - ground.nocc}" if index > ground.nocc else "")


def parts_text(directory: Path, table: dict[str, Any]) -> str:
    """What `run_parts` found as text: the parts of every band, then those of the strongest states."""
    lines = [
        f"{directory}: fwhm {table['fwhm_ev']:.2f} eV, shift {table['shift_ev']:+.2f} eV, {table['gauge']} form",
        "a part is one fragment's own, or what the moments of two have together; parts sum to the band or",
        "state, and large ones may cancel",
        *_band_lines(table["bands"]),
        "",
        "strongest states (1e-40 esu^2 cm^2)",
    ]
    strongest = sorted(table["states"], key=lambda state: -abs(state["rotatory_strength_cgs"]))[
        :_STATES_SHOWN
    ]
    turning = [state for state in strongest if abs(state["rotatory_strength_cgs"]) >= _LEAST_SHOWN]
    if not turning:
        lines.append(f"  none: all are below {_LEAST_SHOWN}")
    for state in sorted(turning, key=lambda state: float(state["energy_ev"])):
        lines.append(
            f"  {state['label']} {state['energy_ev']:.2f} eV, R {state['rotatory_strength_cgs']:+.1f}"
        )
        leading = sorted(state["parts_cgs"].items(), key=lambda item: -abs(item[1]))[:4]
        lines.append("    " + ", ".join(f"{name} {value:+.1f}" for name, value in leading))
        pairs = [f"{pair['from']} -> {pair['to']} {pair['part_cgs']:+.1f}" for pair in state["orbital_pairs"]]
        lines.append("    " + ", ".join(pairs[:3]))
    return "\n".join([*lines, *(f"! {remark}" for remark in table["remarks"])])


def _band_lines(bands: list[dict[str, Any]]) -> list[str]:
    if not bands:
        return ["", "no band"]
    names = list(bands[0]["parts_lmolcm"])
    largest = {name: max(abs(band["parts_lmolcm"][name]) for band in bands) for name in names}
    shown = sorted(sorted(names, key=lambda name: -largest[name])[:_PARTS_SHOWN], key=names.index)
    rows = {name: [band["parts_lmolcm"][name] for band in bands] for name in shown}
    if len(shown) < len(names):
        rest = [name for name in names if name not in rows]
        rows[f"the other {len(rest)} parts"] = [
            sum(band["parts_lmolcm"][name] for name in rest) for band in bands
        ]
    rows["sum"] = [band["delta_epsilon_lmolcm"] for band in bands]
    width = max(map(len, rows))
    return [
        "",
        f"bands (L/(mol cm)){'':{max(width - 16, 0)}}"
        + "".join(f"{band['wavelength_nm']:>7.0f} nm" for band in bands),
        *(f"  {name:{width}}" + "".join(f"{value:>+10.1f}" for value in row) for name, row in rows.items()),
        *(
            f"  {band['wavelength_nm']:.0f} nm: "
            + ", ".join(
                f"{s['label']} {s['delta_epsilon_lmolcm']:+.1f}"
                for s in band["states"]
                if abs(s["delta_epsilon_lmolcm"]) >= _LEAST_SHOWN
            )
            for band in bands
        ),
    ]


def check_table_file(path: Path) -> None:
    """Refuse, before any work, a file that is no .csv or could not be written."""
    if path.suffix.lower() != ".csv":
        raise InputError(f"{path}: unknown kind of file {path.suffix!r}", fix="use .csv")
    need_writable(path)


def write_parts(path: Path, table: dict[str, Any]) -> None:
    """Write the parts of all states as a CSV table, one row each, the conditions in "#" lines above."""
    check_table_file(path)
    text = io.StringIO()
    text.write(
        f"# parts of the rotatory strengths of {table['name']}, {table['gauge']} gauge; those of a state sum to it\n"
    )
    text.writelines(f"# {remark}\n" for remark in table["remarks"])
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["state", "energy_ev", "part", "rotatory_strength_cgs"])
    writer.writerows(
        [state["label"], f"{state['energy_ev']:.6f}", name, f"{value:.6g}"]
        for state in table["states"]
        for name, value in state["parts_cgs"].items()
    )
    write_text(path, text.getvalue())
