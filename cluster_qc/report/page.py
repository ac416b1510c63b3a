"""One self-contained HTML page about a job: opens from disk, fetches nothing, and reads without scripts too."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from cluster_qc.errors import InputError
from cluster_qc.model import Cluster
from cluster_qc.report import charts
from cluster_qc.report.convergence import convergence_charts, convergence_html
from cluster_qc.report.document import (
    MOLECULES,
    OWN,
    PLOTLY,
    Section,
    axis_buttons,
    chart,
    csv_text,
    downloads,
    json_text,
    pairs,
    read_table,
    table,
    warning_box,
    with_navigation,
    write_document,
)
from cluster_qc.report.tables import (
    number,
    share_tables,
    states_html,
    transitions_html,
    value_html,
    with_notes,
)
from cluster_qc.report.values import (
    ABSENT,
    Notes,
    alignment_rows,
    plain,
    row_notes,
    rows,
    seconds,
    section,
    tuning_sentence,
    warnings_of,
)
from cluster_qc.report.viewer import molecule_data, orbital_caption, viewer_html
from cluster_qc.structure.xyz import xyz_text

_CAPTIONS = {
    "levels": "Orbital energies around the gap; the shaded band is the tolerance about the measured level.",
    "cd": "Circular dichroism with its rotatory strengths.",
    "absorption": "Absorption with its oscillator strengths.",
    "convergence": "Convergence of the ground state (left) and of the excited states (right), cycle by cycle.",
}
_CHARTED = ("levels", "cd", "absorption", "convergence")
_LAMBDA = "\N{GREEK SMALL LETTER LAMDA}"
_DELTA_EPSILON = "\N{GREEK CAPITAL LETTER DELTA}\N{GREEK SMALL LETTER EPSILON}"
_PNG = b"\x89PNG\r\n\x1a\n"


def write_page(
    summary: Mapping[str, Any],
    path: str | Path,
    figures: Mapping[str, str | Path] | None = None,
    cluster: Cluster | None = None,
    *,
    curves: Mapping[str, str | Path] | None = None,
    surfaces: Mapping[str, Any] | None = None,
) -> None:
    """Write the report page.

    Parameters
    ----------
    summary
        What summary.json holds. Besides its documented keys it may have "name", "warnings" (list of str), "reasons"
        ({key of an absent value: why}), and for every "hole", "electron", "homo", "lumo" of shares by fragment the
        same by element under "hole_elements" and so on. A null is shown as a dash with its reason, never as 0.
    path
        HTML file to write.
    figures
        PNG files by name. "levels", "cd", "absorption" and "convergence" stand in for a chart that cannot be drawn, all
        others go to "Structure and orbitals" with the name as the caption.
    cluster
        If given, it can be turned, and its coordinates are on the page.
    curves
        "cd" and "absorption": the CSV files that a run writes.
    surfaces
        Orbitals to show around the molecule, by name such as "homo" or "s1_hole": what `viewer.surfaces_data` gives.

    Raises
    ------
    InputError
        If a figure is missing or no PNG, or a curve is no table.
    StorageError
        If the page cannot be written, or a curve cannot be read.
    """
    pictures = {name: _embedded(name, Path(file), summary) for name, file in (figures or {}).items()}
    tables = {name: read_table(Path(file)) for name, file in (curves or {}).items()}
    spectra = [
        charts.spectrum(summary, name, tables[name][1]) for name in ("cd", "absorption") if name in tables
    ]
    levels = charts.levels([("computed", summary)])
    convergence = convergence_charts(summary)
    stills = "".join(html for name, html in pictures.items() if name not in _CHARTED)
    stills = f'<div class="pictures">{stills}</div>' if stills else ""
    notes = Notes(section(summary, "reasons"))
    structure = section(summary, "structure")
    title = str(summary.get("name") or structure.get("formula") or "Cluster")
    parts = [
        Section(
            "orbitals",
            "Orbitals",
            "Structure and orbitals",
            viewer_html(cluster, surfaces or {}, stills, summary),
        ),
        Section(
            "levels", "Levels", "Levels", with_notes(_levels(summary, pictures, notes, bool(levels)), notes)
        ),
        Section(
            "alignment", "Measured", "Computed and measured", with_notes(_alignment(summary, notes), notes)
        ),
        Section(
            "calculated",
            "By calculation",
            "Levels by calculation",
            _levels_by_calculation(section(summary, "levels_by_calculation")),
        ),
        Section("states", "States", "Vertical excitations", with_notes(states_html(summary, notes), notes)),
        Section("transitions", "Hole and electron", "Where hole and electron sit", transitions_html(summary)),
        Section("spectra", "Spectra", "Circular dichroism and absorption", _cd(summary, pictures, spectra)),
        Section("structure", "Structure", "Structure", _structure(structure, cluster)),
        Section("method", "Method", "Method", _method(summary)),
        Section(
            "convergence",
            "Convergence",
            "Convergence",
            convergence_html(summary, convergence, pictures.get("convergence", "")),
        ),
        Section("time", "Time", "Time and memory", _timings(summary)),
        Section("provenance", "Provenance", "Provenance", _provenance(summary)),
        Section(
            "data",
            "Data",
            "Data",
            _data(summary, cluster, {name: text for name, (text, _) in tables.items()}),
        ),
    ]
    body = [
        f"<header><h1>{escape(title)}</h1>",
        _subtitle(structure),
        "</header>",
        warning_box(warnings_of(summary)),
    ]
    body.append(with_navigation(parts, _tiles(_glance(summary))))
    write_document(
        path,
        title,
        "\n".join(part for part in body if part),
        {
            "molecule": None if cluster is None else molecule_data(cluster),
            "surfaces": surfaces or {},
            "spectra": spectra,
            "levels": levels,
            "convergence": convergence,
        },
        [PLOTLY, MOLECULES, OWN] if cluster is not None else [PLOTLY, OWN],
    )


def _embedded(name: str, file: Path, summary: Mapping[str, Any]) -> str:
    caption = _CAPTIONS.get(name) or orbital_caption(name, summary) or name
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"figure {name!r}: {file} cannot be read: {error.strerror}") from error
    if not data.startswith(_PNG):
        raise InputError(f"figure {name!r}: {file} is no PNG file", fix="save it as PNG")
    source = base64.b64encode(data).decode("ascii")
    return (
        f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,{source}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _subtitle(structure: Mapping[str, Any]) -> str:
    facts = []
    if structure.get("formula"):
        facts.append(str(structure["formula"]))
    if structure.get("natom") is not None:
        facts.append(f"{structure['natom']} atoms")
    facts += [f"{key} {number(structure[key])}" for key in ("charge", "multiplicity") if key in structure]
    if structure.get("cip"):
        facts.append(f"CIP {plain(structure['cip'])}")
    if structure.get("core_handedness"):
        facts.append(f"core handedness {structure['core_handedness']}")
    return f'<p class="soft">{escape(", ".join(facts))}</p>' if facts else ""


def _glance(summary: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, value and remark of the numbers that everybody asks for; those that exist."""
    levels = section(summary, "levels")
    found = [
        (name, f"{number(levels[key], 2)} eV", "")
        for name, key in (("HOMO", "homo_ev"), ("LUMO", "lumo_ev"), ("Gap", "gap_ev"))
        if levels.get(key) is not None
    ]
    for kind in ("singlets", "triplets"):
        for state in rows(summary, kind)[:1]:
            label = str(state.get("label"))
            character = section(section(summary, "ntos"), label).get("character")
            remark = f"{number(state.get('wavelength_nm'), 0)} nm" + (f", {character}" if character else "")
            found.append((label, f"{number(state.get('energy_ev'), 2)} eV", remark))
    bands = [
        band
        for band in rows(section(summary, "cd"), "bands")
        if isinstance(band.get("delta_epsilon_lmolcm"), (int, float))
    ]
    if bands:
        strongest = max(bands, key=lambda band: abs(band["delta_epsilon_lmolcm"]))
        remark = f"{_DELTA_EPSILON} {number(strongest['delta_epsilon_lmolcm'], 0, signed=True)} L mol⁻¹ cm⁻¹"
        found.append(("Main CD band", f"{number(strongest.get('wavelength_nm'), 0)} nm", remark))
    return found


def _levels(summary: Mapping[str, Any], pictures: Mapping[str, str], notes: Notes, charted: bool) -> str:
    levels = section(summary, "levels")
    if not levels:
        return ""
    cells = [[value_html(levels, key, notes, 2) for key in ("homo_ev", "lumo_ev", "gap_ev")]]
    shares = section(levels, "shares")
    return (
        '<div class="side"><div>'
        + _chart("levels", "Orbital energies around the gap in eV", charted, pictures)
        + "</div><div>"
        + table(["HOMO / eV", "LUMO / eV", "Gap / eV"], cells)
        + (share_tables(shares, ("homo", "lumo"), ("HOMO", "LUMO")) if shares else "")
        + "</div></div>"
    )


def _chart(name: str, label: str, drawn: bool, pictures: Mapping[str, str]) -> str:
    """Write the place of a chart, and the picture for readers without scripts; the picture if nothing is drawn."""
    picture = pictures.get(name, "")
    if not drawn:
        return picture
    instead = f"<noscript>{picture}</noscript>" if picture else ""
    return chart(name, label) + instead


def _alignment(summary: Mapping[str, Any], notes: Notes) -> str:
    alignment = section(summary, "alignment")
    if not alignment:
        return ""
    body = []
    for name, computed, measured in alignment_rows(summary):
        if measured and alignment.get(measured) is None and computed and measured not in alignment:
            measured = None
        cells = [value_html(alignment, key, notes, 2) if key else "" for key in (computed, measured)]
        body.append([escape(name), *cells])
    agrees = alignment.get("agrees")
    verdict = "is not compared" if agrees is None else "agrees" if agrees else "disagrees"
    sentence = (
        f"Difference {number(alignment.get('deviation_ev'), 2, signed=True)} eV: the calculation "
        f'<strong class="{"good" if agrees else "bad"}">{verdict}</strong> with the measurement within '
        f"{number(alignment.get('tolerance_ev'), 2)} eV, which was set beforehand."
    )
    remarks = [alignment.get("caveat"), alignment.get("source") and f"Measured: {alignment['source']}"]
    return (
        table(["eV", "Computed", "Measured"], body)
        + f"<p>{sentence}</p>"
        + "".join(f'<p class="soft">{escape(str(text))}</p>' for text in remarks if text)
    )


def _levels_by_calculation(levels: Mapping[str, Any]) -> str:
    if not levels:
        return ""
    notes = Notes({})
    body = []
    for row in rows(levels, "rows"):
        letters = "".join(f"<sup>{notes.mark(text)}</sup> " for text in row_notes(row))
        name = f"{escape(plain(row.get('name')))}, {escape(plain(row.get('calculation')))} {letters}"
        compared = row.get("measured_ev") is not None
        cells = [number(row.get("value_ev"), 2)]
        cells += (
            [number(row["measured_ev"], 2), number(row.get("deviation_ev"), 2, signed=True)]
            if compared
            else ["", ""]
        )
        body.append([name, *cells])
    remarks = [f"! {warning}" for warning in levels.get("warnings") or []]
    remarks += [tuning_sentence(levels)] if section(levels, "tuning") else []
    remarks += [f"measured: {source}"] if (source := section(levels, "measured").get("source")) else []
    html = table(["eV", "Computed", "Measured", "Difference"], body)
    html += "".join(f'<p class="soft">{escape(text)}</p>' for text in remarks)
    return with_notes(html, notes)


def _cd(summary: Mapping[str, Any], pictures: Mapping[str, str], spectra: Iterable[Mapping[str, Any]]) -> str:
    cd = section(summary, "cd")
    drawn = {spectrum["name"] for spectrum in spectra}
    html = axis_buttons() if drawn else ""
    html += _chart("cd", "Circular dichroism against wavelength", "cd" in drawn, pictures)
    html += _chart("absorption", "Absorption against wavelength", "absorption" in drawn, pictures)
    bands = [
        [number(band.get("wavelength_nm"), 1), number(band.get("delta_epsilon_lmolcm"), 1, signed=True)]
        for band in rows(cd, "bands")
    ]
    tables = ""
    if bands:
        tables += (
            "<div><h3>CD bands</h3>"
            + table([f"{_LAMBDA} / nm", f"{_DELTA_EPSILON} / L mol⁻¹ cm⁻¹"], bands)
            + "</div>"
        )
    measured = [
        [number(band.get("wavelength_nm"), 0), "positive" if band.get("sign", 0) > 0 else "negative"]
        for band in rows(cd, "measured_bands")
    ]
    if measured:
        source = escape(f"{cd.get('measured_source') or 'No source'}; signs only, no intensities.")
        tables += "<div><h3>Measured CD bands</h3>" + table([f"{_LAMBDA} / nm", "Sign"], measured)
        tables += f'<p class="soft">{source}</p></div>'
    html += f'<div class="row">{tables}</div>' if tables else ""
    facts = [f"Width (fwhm) {number(cd['fwhm_ev'], 2)} eV"] if cd.get("fwhm_ev") is not None else []
    if cd.get("shift_ev") is not None:
        facts.append(f"Shift of the excitation energies {number(cd['shift_ev'], 2, signed=True)} eV")
    if cd.get("gauge"):
        facts.append(f"Rotatory strengths in {cd['gauge']} gauge")
    facts += [str(remark)[:1].upper() + str(remark)[1:] for remark in cd.get("remarks") or []]
    return html + "".join(f'<p class="soft">{escape(fact)}</p>' for fact in facts)


def _method(summary: Mapping[str, Any]) -> str:
    method = section(summary, "method")
    if not method:
        return ""
    unit = method.get("units") or "hartree"
    told = f'<p class="soft">Energies and thresholds in {escape(plain(unit))}; {ABSENT}: not set.</p>'
    told += pairs({key: value for key, value in method.items() if key != "units"})
    conventions = section(summary, "conventions")
    return told + (f"<h3>What the numbers are</h3>{pairs(conventions)}" if conventions else "")


def _structure(structure: Mapping[str, Any], cluster: Cluster | None) -> str:
    distances = section(structure, "mean_distance_angstrom")
    body = [[escape(str(pair)), number(d)] for pair, d in distances.items()]
    html = table(["Mean distance", "\N{ANGSTROM SIGN}"], body) if body else ""
    if structure.get("source"):
        html += f'<p class="soft">From {escape(str(structure["source"]))}</p>'
    if cluster is not None:
        text = escape(xyz_text(cluster))
        html += f"<details><summary>Coordinates (XYZ, \N{ANGSTROM SIGN})</summary><pre>{text}</pre></details>"
    return html


def _timings(summary: Mapping[str, Any]) -> str:
    timings = section(summary, "timings_s")
    if not timings:
        return ""
    body = [[escape(str(step)), seconds(value)] for step, value in timings.items()]
    html = table(["Step", "Wall time"], body)
    if summary.get("peak_memory_gib") is not None:
        html += f'<p class="soft">Peak memory {number(summary["peak_memory_gib"], 1)} GiB</p>'
    return html


def _provenance(summary: Mapping[str, Any]) -> str:
    provenance = section(summary, "provenance")
    return pairs(provenance) if provenance else ""


def _data(summary: Mapping[str, Any], cluster: Cluster | None, curves: Mapping[str, str]) -> str:
    contents = {"summary.json": json_text(summary)}
    contents |= {
        f"{kind}.csv": csv_text(rows(summary, kind))
        for kind in ("singlets", "triplets")
        if rows(summary, kind)
    }
    contents |= {f"{name}.csv": text for name, text in curves.items()}
    if cluster is not None:
        contents["structure.xyz"] = xyz_text(cluster)
    return "<p>Every number of this page, saved from the page itself:</p>" + downloads(contents)


def _tiles(items: Iterable[tuple[str, str, str]]) -> str:
    cells = "".join(
        f"<div>{escape(name)}<b>{escape(value)}</b>"
        + (f"<small>{escape(remark)}</small>" if remark else "")
        + "</div>"
        for name, value, remark in items
    )
    return f'<div class="tiles">{cells}</div>' if cells else ""
