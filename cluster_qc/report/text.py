"""The summary as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

from cluster_qc.report.values import (
    ABSENT,
    Notes,
    character_reason,
    number,
    percent,
    plain,
    row_notes,
    rows,
    seconds,
    section,
    shares_of,
    tuning_sentence,
    warnings_of,
)

_STATES_SHOWN = 20
_WIDTH = 80


def text_report(summary: Mapping[str, Any]) -> str:
    """Write the main results of a job in 80 columns (100 for levels by calculation); absent values are dashes.

    Parameters
    ----------
    summary
        What summary.json holds; unknown keys are ignored, absent ones skipped.
    """
    notes = Notes(section(summary, "reasons"))
    lines = [f"! {warning}" for warning in warnings_of(summary)]
    structure, levels = section(summary, "structure"), section(summary, "levels")
    if structure:
        lines += ["", _title(structure)]
        lines += [
            f"  mean {k} {number(d)} A" for k, d in section(structure, "mean_distance_angstrom").items()
        ]
    method = section(summary, "method")
    if method:
        told = [f"{plain(method.get('functional'))}/{plain(method.get('basis')).rpartition('/')[2]}"]
        told += [f"{basis} on {element}" for element, basis in section(method, "basis_overrides").items()]
        told += [f"dispersion {method['dispersion']}"] if method.get("dispersion") else []
        told += [f"omega {number(omega, 4)}"] if (omega := method.get("omega")) is not None else []
        told += [f"preset {method['preset']}"] if method.get("preset") else []
        if isinstance(tda := section(method, "singlets").get("tda"), bool):
            told += ["TDA" if tda else "full TDDFT"]
        lines += ["  " + ", ".join(told)]
    if levels:
        lines += ["", "Levels (eV)"]
        lines.append(
            "  HOMO {}   LUMO {}   gap {}".format(
                *(number(levels.get(key), 2) for key in ("homo_ev", "lumo_ev", "gap_ev"))
            )
        )
        shares = section(levels, "shares")
        lines += [
            f"  {key.upper()} on {_shares(shares_of(shares, key))}" for key in ("homo", "lumo") if shares
        ]
    lines += _alignment(section(summary, "alignment"))
    table = section(summary, "levels_by_calculation")
    wide = levels_text(table).splitlines() if table else []
    lines += ["", *wide] if wide else []
    for title, key in (("Singlets", "singlets"), ("Triplets", "triplets")):
        lines += _states(title, rows(summary, key), notes)
    for label, nto in section(summary, "ntos").items():
        if isinstance(nto, Mapping):
            lost = nto.get("lost_weight")
            rest = "" if lost is None else f" (1 - sum of NTO weights: {number(lost)})"
            lines += ["", f"{label}: {plain(nto.get('character'))}{rest}"]
            lines += [f"  {reason}"] if (reason := character_reason(nto)) else []
            lines += [f"  {part:8} {_shares(shares_of(nto, part))}" for part in ("hole", "electron")]
    curve = section(summary, "cd")
    if curve:
        gauge = f", {curve['gauge']} gauge" if curve.get("gauge") else ""
        width = f", fwhm {number(curve['fwhm_ev'], 2)} eV" if curve.get("fwhm_ev") else ""
        shift = f", shift {number(curve['shift_ev'], 2, signed=True)} eV" if curve.get("shift_ev") else ""
        lines += ["", f"CD bands (nm, L/(mol cm)){gauge}{width}{shift}"]
        lines += [
            f"  {number(b.get('wavelength_nm'), 1):>8} {number(b.get('delta_epsilon_lmolcm'), 1, signed=True):>9}"
            for b in rows(curve, "bands")
        ] or ["  none"]
        lines += [f"  {remark}" for remark in curve.get("remarks") or []]
    timings = section(summary, "timings_s")
    if timings:
        lines += ["", "Time  " + ", ".join(f"{step} {seconds(t)}" for step, t in timings.items())]
    lines += [f"[{letter}] {text}" for text, letter in notes.used.items()]
    return "\n".join(line if line in wide else _wrapped(line) for line in lines).strip("\n") + "\n"


def _wrapped(line: str) -> str:
    """Break what is wider than the terminal between words; what follows stands further in."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return (
        line if len(line) <= _WIDTH else fill(line, _WIDTH, subsequent_indent=indent, break_long_words=False)
    )


def _title(structure: Mapping[str, Any]) -> str:
    extra = [f"{structure['natom']} atoms"] if "natom" in structure else []
    extra += [f"charge {structure['charge']:+d}"] if structure.get("charge") else []
    extra += [f"CIP {plain(structure['cip'])}"] if structure.get("cip") else []
    extra += [f"core {structure['core_handedness']}"] if structure.get("core_handedness") else []
    return ", ".join([str(structure.get("formula") or "structure"), *extra])


def _shares(shares: Mapping[str, float]) -> str:
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {percent(share)}" for name, share in ordered) or ABSENT


def _alignment(alignment: Mapping[str, Any]) -> list[str]:
    if not alignment:
        return []
    agrees = alignment.get("agrees")
    verdict = "not compared" if agrees is None else "agrees" if agrees else "disagrees"
    return [
        "",
        f"HOMO (eV): computed {number(alignment.get('homo_ev'), 2)}, "
        f"measured {number(alignment.get('measured_homo_ev'), 2)}, "
        f"difference {number(alignment.get('deviation_ev'), 2, signed=True)} "
        f"({verdict} within {number(alignment.get('tolerance_ev'), 2)})",
    ]


def levels_text(table: Mapping[str, Any]) -> str:
    """Write the table of `cluster-qc levels`: each level by each calculation, with what to mind about it below."""
    listed = rows(table, "rows")
    notes = Notes({})
    width = max((len(str(row.get("calculation"))) for row in listed), default=0)
    lines = [f"{'Levels (eV)':<13}{'':<{width}}{'computed':>9}{'measured':>9}{'diff.':>7}"]
    shown = None
    for row in listed:
        first, shown = row.get("name") != shown, row.get("name")
        cells = f"{number(row.get('value_ev'), 2):>9}"
        if row.get("measured_ev") is not None:
            cells += f"{number(row['measured_ev'], 2):>9}{number(row.get('deviation_ev'), 2, signed=True):>7}"
        letters = "".join(notes.mark(text) for text in row_notes(row))
        lines.append(f"{shown if first else '':<13}{row.get('calculation')!s:<{width}}{cells} [{letters}]")
    source = section(table, "measured").get("source")
    told = [f"measured: {source}"] if source else []
    told += [tuning_sentence(table)] if section(table, "tuning") else []
    told += [f"[{letter}] {text}" for text, letter in notes.used.items()]
    told += [f"! {warning}" for warning in table.get("warnings") or []]
    return "\n".join([*lines, *(fill(text, _WIDTH, subsequent_indent="    ") for text in told)])


def _states(title: str, states: Sequence[Mapping[str, Any]], notes: Notes) -> list[str]:
    if not states:
        return []
    columns = [
        ("E/eV", "energy_ev", 3, False),
        ("+-/eV", "error_estimate_ev", 4, False),
        ("nm", "wavelength_nm", 1, False),
    ]
    if title == "Singlets":
        columns += [
            ("f", "oscillator_strength", 4, False),
            ("R(len)", "rotatory_strength_length_cgs", 2, True),
            ("R(vel)", "rotatory_strength_velocity_cgs", 2, True),
            ("vel-len", "rotatory_strength_difference_cgs", 2, True),
        ]
    lines = ["", title, "  " + f"{'':5}" + "".join(f"{head:>10}" for head, *_ in columns)]
    for state in states[:_STATES_SHOWN]:
        cells = ""
        for _, key, digits, signed in columns:
            value = state.get(key)
            absent = value is None
            text = f"{ABSENT}[{notes.letter(key)}]" if absent else number(value, digits, signed=signed)
            cells += f"{text:>10}"
        lines.append(f"  {state.get('label', ''):5}{cells}")
    if len(states) > _STATES_SHOWN:
        lines.append(f"  ... and {len(states) - _STATES_SHOWN} more, in summary.json")
    if title == "Singlets":
        lines += [
            "  f: oscillator strength; R: rotatory strength by gauge, 1e-40 esu^2 cm^2;",
            "  vel-len: their difference, zero for exact states, so a measure of quality",
        ]
    return lines
