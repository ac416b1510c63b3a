"""One page about several jobs: hands, ligands or functionals side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from cluster_qc.errors import InputError
from cluster_qc.report import charts
from cluster_qc.report.document import (
    OWN,
    PLOTLY,
    Section,
    axis_buttons,
    breakable,
    chart,
    csv_text,
    downloads,
    json_text,
    read_table,
    table,
    warning_box,
    with_navigation,
    write_document,
)
from cluster_qc.report.values import ABSENT, number, plain, rows, section, warnings_of

Job = tuple[str, Mapping[str, Any], str | Path | None]
"""Name, what summary.json holds, and the folder with the curves (None: no curves)."""

_DELTA_EPSILON = "\N{GREEK CAPITAL LETTER DELTA}\N{GREEK SMALL LETTER EPSILON}"
# Settings of a job that its numbers depend on, beside the preset that only names a choice of them.
_NOT_A_SETTING = {"preset", "units"}


def write_comparison(jobs: Sequence[Job], path: str | Path) -> None:
    """Write a page that shows jobs side by side: key numbers with differences from the first, CD, levels.

    Parameters
    ----------
    jobs
        (name, summary, folder) of each, in the order of the columns; cd.csv is read from the folder if it is there.
    path
        HTML file to write.

    Raises
    ------
    InputError
        For fewer than two jobs, or a curve that is no table.
    StorageError
        If the page cannot be written, or a curve cannot be read.
    """
    if len(jobs) < 2:
        raise InputError(f"a comparison of {len(jobs)} job", fix="give at least two")
    names = _distinct([name for name, _, _ in jobs])
    summaries = [summary for _, summary, _ in jobs]
    tables = {
        name: read_table(Path(folder) / "cd.csv")
        for name, (_, _, folder) in zip(names, jobs, strict=True)
        if folder is not None and (Path(folder) / "cd.csv").is_file()
    }
    curves = [charts.curve_data(name, "cd", curve) for name, (_, curve) in tables.items()]
    spectra = [{"name": "cd", "curves": curves, "sticks": [], "bands": [], "measured": []}] if curves else []
    columns = charts.levels(list(zip(names, summaries, strict=True)))
    parts = [
        Section("numbers", "Numbers", "Key numbers", _numbers(names, summaries)),
        Section("spectra", "CD", "Circular dichroism", _cd(names, summaries, set(tables))),
        Section(
            "levels",
            "Levels",
            "Levels",
            chart("levels", "Orbital energies of all jobs in eV") if columns else "",
        ),
        Section("method", "Method", "Method", _methods(names, summaries)),
        Section("data", "Data", "Data", _data(names, summaries, tables)),
    ]
    title = "Comparison of " + ", ".join(names)
    header = f"<header><h1>{escape(title)}</h1></header>"
    data: dict[str, Any] = {"molecule": None, "surfaces": {}, "spectra": spectra, "levels": columns}
    write_document(
        path, title, f"{header}\n{_warnings(names, summaries)}\n{with_navigation(parts)}", data, [PLOTLY, OWN]
    )


def _distinct(names: Sequence[str]) -> list[str]:
    """Names that differ: those that come more than once get their number."""
    return [f"{name} ({i})" if names.count(name) > 1 else name for i, name in enumerate(names, 1)]


def _warnings(names: Sequence[str], summaries: Sequence[Mapping[str, Any]]) -> str:
    """Say first where the methods differ, then the warnings with the jobs that have them."""
    lines = []
    differing = _differing([section(summary, "method") for summary in summaries])
    if differing:
        lines.append(
            f"The methods differ in {', '.join(differing)}: the differences below are not of the molecules alone."
        )
    told = [warnings_of(summary) for summary in summaries]
    owners = {
        text: tuple(name for name, texts in zip(names, told, strict=True) if text in texts)
        for text in dict.fromkeys(text for texts in told for text in texts)
    }
    for having in dict.fromkeys(owners.values()):
        who = "All" if len(having) == len(names) else ", ".join(having)
        lines.append(f"{who}: {'; '.join(text for text, names_ in owners.items() if names_ == having)}")
    return warning_box(lines)


def _flat(method: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in method.items():
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def _differing(methods: Sequence[Mapping[str, Any]]) -> list[str]:
    flat = [_flat(method) for method in methods]
    keys = dict.fromkeys(key for method in flat for key in method)
    return [
        key
        for key in keys
        if key not in _NOT_A_SETTING and any(method.get(key) != flat[0].get(key) for method in flat)
    ]


def _state(kind: str, label: str, key: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda summary: next(
        (state.get(key) for state in rows(summary, kind) if state.get("label") == label), None
    )


def _of(part: str, key: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda summary: section(summary, part).get(key)


def _strongest(key: str) -> Callable[[Mapping[str, Any]], Any]:
    def find(summary: Mapping[str, Any]) -> Any:
        bands = [
            b for b in rows(section(summary, "cd"), "bands") if b.get("delta_epsilon_lmolcm") is not None
        ]
        return max(bands, key=lambda band: abs(band["delta_epsilon_lmolcm"])).get(key) if bands else None

    return find


def _character(label: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda summary: section(section(summary, "ntos"), label).get("character")


# What is compared: heading, digits (None: text, without a difference), where it stands in the summary.
_QUANTITIES: tuple[tuple[str, int | None, Callable[[Mapping[str, Any]], Any]], ...] = (
    ("Formula", None, _of("structure", "formula")),
    ("CIP labels", None, _of("structure", "cip")),
    ("Core handedness", None, _of("structure", "core_handedness")),
    ("Functional", None, _of("method", "functional")),
    ("Basis", None, _of("method", "basis")),
    ("HOMO / eV", 3, _of("levels", "homo_ev")),
    ("LUMO / eV", 3, _of("levels", "lumo_ev")),
    ("Gap / eV", 3, _of("levels", "gap_ev")),
    ("S1 / eV", 3, _state("singlets", "S1", "energy_ev")),
    ("S1, f", 4, _state("singlets", "S1", "oscillator_strength")),
    ("S1 character", None, _character("S1")),
    ("T1 / eV", 3, _state("triplets", "T1", "energy_ev")),
    ("T1 character", None, _character("T1")),
    ("Main CD band / nm", 1, _strongest("wavelength_nm")),
    (f"Main CD band, {_DELTA_EPSILON} / L mol⁻¹ cm⁻¹", 1, _strongest("delta_epsilon_lmolcm")),
    ("HOMO minus measured / eV", 2, _of("alignment", "deviation_ev")),
    ("Converged", None, lambda summary: summary.get("converged")),
)


def _numbers(names: Sequence[str], summaries: Sequence[Mapping[str, Any]]) -> str:
    body = []
    for heading, digits, find in _QUANTITIES:
        values = [find(summary) for summary in summaries]
        if any(value is not None for value in values):
            cells = [_compared(value, values[0], digits, i > 0) for i, value in enumerate(values)]
            body.append([escape(heading), *cells])
    return table(["", *names], body, f"In brackets: difference from {names[0]}.", "compared")


def _compared(value: Any, first: Any, digits: int | None, differs: bool) -> str:
    if value is None:
        return ABSENT
    if digits is None:
        return escape(plain(value))
    text = escape(number(float(value), digits))
    if differs and first is not None:
        text += f" <small>({escape(number(float(value) - float(first), digits, signed=True))})</small>"
    return text


def _cd(names: Sequence[str], summaries: Sequence[Mapping[str, Any]], drawn: set[str]) -> str:
    html = ""
    if drawn:
        html += axis_buttons() + chart("cd", "Circular dichroism of all jobs")
    missing = [name for name in names if name not in drawn]
    if missing:
        html += f'<p class="soft">No curve: {escape(", ".join(missing))} (no cd.csv there).</p>'
    lists = ""
    for name, summary in zip(names, summaries, strict=True):
        cd = section(summary, "cd")
        bands = [
            [number(b.get("wavelength_nm"), 1), number(b.get("delta_epsilon_lmolcm"), 1, signed=True)]
            for b in rows(cd, "bands")
        ]
        if bands:
            remark = f"fwhm {number(cd.get('fwhm_ev'), 2)} eV, shift {number(cd.get('shift_ev'), 2, signed=True)} eV"
            heads = ["\N{GREEK SMALL LETTER LAMDA} / nm", f"{_DELTA_EPSILON} / L mol⁻¹ cm⁻¹"]
            lists += f"<div><h3>{escape(name)}</h3>{table(heads, bands, remark)}</div>"
    return html + (f'<div class="row">{lists}</div>' if lists else "")


def _methods(names: Sequence[str], summaries: Sequence[Mapping[str, Any]]) -> str:
    flat = [_flat(section(summary, "method")) for summary in summaries]
    keys = dict.fromkeys(key for method in flat for key in method)
    body = []
    for key in keys:
        cells = [escape(plain(method.get(key))) for method in flat]
        differs = key not in _NOT_A_SETTING and len(set(cells)) > 1
        body.append([f"<strong>{breakable(key)}</strong>" if differs else breakable(key), *cells])
    return (
        table(["", *names], body, "Energies in hartree; bold: not the same everywhere.", "compared")
        if body
        else ""
    )


def _data(
    names: Sequence[str],
    summaries: Sequence[Mapping[str, Any]],
    tables: Mapping[str, tuple[str, Sequence[Mapping[str, float]]]],
) -> str:
    compared = [
        {"quantity": heading, **{name: _cell(find(s)) for name, s in zip(names, summaries, strict=True)}}
        for heading, _, find in _QUANTITIES
    ]
    contents = {"numbers.csv": csv_text(compared)}
    if tables:
        curves = [{"job": name, **point} for name, (_, curve) in tables.items() for point in curve]
        contents["cd.csv"] = csv_text(curves)
    contents["summaries.json"] = json_text(dict(zip(names, summaries, strict=True)))
    return "<p>Every number of this page, saved from the page itself:</p>" + downloads(contents)


def _cell(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float) else plain(value)
