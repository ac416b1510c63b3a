"""One self-contained HTML page about a job: opens from disk, fetches nothing, and reads without scripts too."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from cluster_qc.errors import InputError
from cluster_qc.model import Cluster
from cluster_qc.plotting.molecule import element_colour
from cluster_qc.report import charts, values
from cluster_qc.report.document import (
    MOLECULES,
    OWN,
    PLOTLY,
    Section,
    csv_text,
    downloads,
    json_text,
    pairs,
    read_table,
    table,
    with_navigation,
    write_document,
)
from cluster_qc.report.values import (
    ABSENT,
    Notes,
    alignment_rows,
    percent,
    plain,
    row_notes,
    rows,
    seconds,
    section,
    tuning_sentence,
    warnings_of,
)
from cluster_qc.report.viewer import molecule_data
from cluster_qc.structure.xyz import xyz_text

_CAPTIONS = {
    "levels": "Orbital energies around the gap; the shaded band is the tolerance about the measured level.",
    "cd": "Circular dichroism with its rotatory strengths.",
    "absorption": "Absorption with its oscillator strengths.",
    "homo": "Highest occupied orbital (HOMO).",
    "lumo": "Lowest unoccupied orbital (LUMO).",
}
_CHARTED = ("levels", "cd", "absorption")
_LAMBDA = "\N{GREEK SMALL LETTER LAMDA}"
_DELTA_EPSILON = "\N{GREEK CAPITAL LETTER DELTA}\N{GREEK SMALL LETTER EPSILON}"
_CGS = "10⁻⁴⁰ esu² cm²"
_PNG = b"\x89PNG\r\n\x1a\n"


def write_page(
    summary: Mapping[str, Any],
    path: str | Path,
    figures: Mapping[str, Path] | None = None,
    cluster: Cluster | None = None,
    *,
    curves: Mapping[str, Path] | None = None,
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
        PNG files by name. "levels", "cd" and "absorption" stand in for a chart that cannot be drawn, all others go to
        "Structure and orbitals" with the name as the caption.
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
    pictures = {name: _embedded(name, Path(file)) for name, file in (figures or {}).items()}
    tables = {name: read_table(Path(file)) for name, file in (curves or {}).items()}
    spectra = [
        charts.spectrum(summary, name, tables[name][1]) for name in ("cd", "absorption") if name in tables
    ]
    levels = charts.levels([("computed", summary)])
    notes = Notes(section(summary, "reasons"))
    structure = section(summary, "structure")
    title = str(summary.get("name") or structure.get("formula") or "Cluster")
    parts = [
        Section(
            "orbitals",
            "Orbitals",
            "Structure and orbitals",
            _orbitals(summary, pictures, cluster, surfaces or {}),
        ),
        Section(
            "levels", "Levels", "Levels", _with_notes(_levels(summary, pictures, notes, bool(levels)), notes)
        ),
        Section(
            "alignment", "Measured", "Computed and measured", _with_notes(_alignment(summary, notes), notes)
        ),
        Section(
            "calculated",
            "By calculation",
            "Levels by calculation",
            _levels_by_calculation(section(summary, "levels_by_calculation")),
        ),
        Section("states", "States", "Vertical excitations", _with_notes(_states(summary, notes), notes)),
        Section("transitions", "Hole and electron", "Where hole and electron sit", _ntos(summary)),
        Section("spectra", "Spectra", "Circular dichroism and absorption", _cd(summary, pictures, spectra)),
        Section("structure", "Structure", "Structure", _structure(structure, cluster)),
        Section("method", "Method", "Method", _method(summary)),
        Section("time", "Time", "Time and memory", _timings(summary)),
        Section("provenance", "Provenance", "Provenance", _provenance(summary)),
        Section(
            "data",
            "Data",
            "Data",
            _data(summary, cluster, {name: text for name, (text, _) in tables.items()}),
        ),
    ]
    body = [f"<header><h1>{escape(title)}</h1>", _subtitle(structure), "</header>", _warnings(summary)]
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
        },
        [PLOTLY, MOLECULES, OWN] if cluster is not None else [PLOTLY, OWN],
    )


def number(value: Any, digits: int = 3, *, signed: bool = False) -> str:
    """Write a number as HTML; a summary from elsewhere may hold a text in its place."""
    return escape(values.number(value, digits, signed=signed))


def _embedded(name: str, file: Path) -> str:
    caption = _CAPTIONS.get(name, name)
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


def _warnings(summary: Mapping[str, Any]) -> str:
    found = warnings_of(summary)
    items = "".join(f"<li>{escape(text)}</li>" for text in found)
    return f'<div class="warnings" role="alert"><strong>Mind</strong><ul>{items}</ul></div>' if found else ""


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
        band for band in rows(section(summary, "cd"), "bands") if band.get("delta_epsilon_lmolcm") is not None
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
    cells = [[_value(levels, key, notes, 2) for key in ("homo_ev", "lumo_ev", "gap_ev")]]
    shares = section(levels, "shares")
    return (
        '<div class="side"><div>'
        + _chart("levels", "Orbital energies around the gap in eV", charted, pictures)
        + "</div><div>"
        + table(["HOMO / eV", "LUMO / eV", "Gap / eV"], cells)
        + (_share_tables(shares, ("homo", "lumo"), ("HOMO", "LUMO")) if shares else "")
        + "</div></div>"
    )


def _chart(name: str, label: str, drawn: bool, pictures: Mapping[str, str]) -> str:
    """Write the place of a chart, and the picture for readers without scripts; the picture if nothing is drawn."""
    picture = pictures.get(name, "")
    if not drawn:
        return picture
    instead = f"<noscript>{picture}</noscript>" if picture else ""
    return f'<div class="chart" id="chart-{name}" role="img" aria-label="{escape(label)}"></div>{instead}'


def _alignment(summary: Mapping[str, Any], notes: Notes) -> str:
    alignment = section(summary, "alignment")
    if not alignment:
        return ""
    body = []
    for name, computed, measured in alignment_rows(summary):
        if measured and alignment.get(measured) is None and computed and measured not in alignment:
            measured = None
        cells = [_value(alignment, key, notes, 2) if key else "" for key in (computed, measured)]
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
    return _with_notes(html, notes)


def _states(summary: Mapping[str, Any], notes: Notes) -> str:
    html = ""
    for title, key in (("Singlets", "singlets"), ("Triplets", "triplets")):
        states = rows(summary, key)
        if not states:
            continue
        heads = ["State", "E / eV", "\N{PLUS-MINUS SIGN} / eV", f"{_LAMBDA} / nm"]
        columns = [("energy_ev", 3, False), ("error_estimate_ev", 4, False), ("wavelength_nm", 1, False)]
        caption = f"{len(states)} state{'s' if len(states) > 1 else ''}. "
        if key == "singlets":
            heads += ["f", "R len", "R vel"]
            columns += [
                ("oscillator_strength", 4, False),
                ("rotatory_strength_length_cgs", 2, True),
                ("rotatory_strength_velocity_cgs", 2, True),
            ]
            caption += f"R: rotatory strength in length and velocity gauge, {_CGS}. "
        routes = dict.fromkeys(str(state["route"]) for state in states if state.get("route"))
        if len(routes) > 1:
            heads.append("Route")
        elif routes:
            caption += f"Route: {next(iter(routes))}."
        body = []
        for index, state in enumerate(states, 1):
            cells: list[str | tuple[str, Any]] = [(escape(str(state.get("label", ""))), index)]
            cells += [
                (_value(state, column, notes, digits, signed), state.get(column))
                for column, digits, signed in columns
            ]
            if len(routes) > 1:
                cells.append((escape(plain(state.get("route"))), state.get("route")))
            body.append(cells)
        html += f"<div><h3>{title}</h3>" + table(heads, body, caption, "states", key) + "</div>"
    return f'<div class="row">{html}</div>' if html else ""


def _ntos(summary: Mapping[str, Any]) -> str:
    html = ""
    for label, nto in section(summary, "ntos").items():
        if not isinstance(nto, Mapping):
            continue
        weights = nto.get("weights") or []
        facts = [f"NTO weights {', '.join(number(w, 2) for w in weights[:4])}"] if weights else []
        if nto.get("homo_lumo_weight") is not None:
            facts.append(f"HOMO\N{RIGHTWARDS ARROW}LUMO {percent(nto['homo_lumo_weight'])}")
        html += (
            f"<div><h3>{escape(str(label))}: {escape(plain(nto.get('character')))}</h3>"
            f'<p class="soft">{escape("; ".join(facts))}</p>'
            + _share_tables(nto, ("hole", "electron"), ("Hole", "Electron"))
            + "</div>"
        )
    intro = '<p class="soft">Loewdin shares over all natural transition orbital pairs with their weights.</p>'
    return f'{intro}<div class="columns">{html}</div>' if html else ""


def _share_tables(entry: Mapping[str, Any], keys: tuple[str, str], heads: tuple[str, str]) -> str:
    """Draw bars of two sets of shares side by side, by fragment and then by element."""
    html = ""
    for suffix, title in (("", "Fragment"), ("_elements", "Element")):
        first, second = (section(entry, key + suffix) for key in keys)
        if first or second:
            body = [
                [escape(str(name)), _bar(first.get(name), "hole"), _bar(second.get(name), "electron")]
                for name in dict.fromkeys([*first, *second])
            ]
            html += table([title, *heads], body, style="bars")
    return html


def _bar(share: Any, colour: str) -> str:
    width = 0.0 if share is None else max(0.0, min(1.0, float(share)))
    return (
        f'<span class="n">{percent(share)}</span>'
        f'<span class="bar {colour}" style="width:calc({width:.3f} * (100% - 4em))"></span>'
    )


def _cd(summary: Mapping[str, Any], pictures: Mapping[str, str], spectra: Iterable[Mapping[str, Any]]) -> str:
    cd = section(summary, "cd")
    drawn = {spectrum["name"] for spectrum in spectra}
    html = _axis_buttons() if drawn else ""
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


def _axis_buttons() -> str:
    return (
        '<div class="buttons scripted" role="group" aria-label="Horizontal axis">'
        '<button type="button" data-axis="nm" aria-pressed="true">nm</button>'
        '<button type="button" data-axis="ev" aria-pressed="false">eV</button></div>'
    )


def _orbitals(
    summary: Mapping[str, Any],
    pictures: Mapping[str, str],
    cluster: Cluster | None,
    surfaces: Mapping[str, Any],
) -> str:
    stills = "".join(html for name, html in pictures.items() if name not in _CHARTED)
    stills = f'<div class="pictures">{stills}</div>' if stills else ""
    if cluster is None:
        return stills
    html = ""
    if surfaces:
        captions = {"": "Structure"} | {name: orbital_caption(name, summary) for name in surfaces}
        buttons = "".join(
            f'<button type="button" data-orbital="{escape(name)}" data-caption="{escape(caption)}" '
            f'aria-pressed="{"false" if name else "true"}">{escape(_button(name))}</button>'
            for name, caption in captions.items()
        )
        html += f'<div class="buttons scripted" role="group" aria-label="Orbital">{buttons}</div>'
    html += (
        '<div id="viewer" class="scripted" tabindex="0" role="img" aria-label="The molecule in three dimensions; arrow '
        'keys turn it, plus and minus zoom"></div><p id="viewer-caption" class="soft scripted" aria-live="polite">'
        f"{escape(cluster.formula)}</p>{_legend(cluster)}"
    )
    if not surfaces:
        html += (
            '<p class="soft">No orbital surfaces: this run has none, or the extra "pictures" (pyvista), which makes '
            "them, was not installed.</p>"
        )
    if stills:
        html += f'<details id="stills"><summary>Pictures</summary>{stills}</details>'
    return html + "<noscript><p>The molecule is turned by a script, which is off.</p></noscript>"


def _legend(cluster: Cluster) -> str:
    dots = "".join(
        f'<span><i style="background:{element_colour(symbol)}"></i>{escape(symbol)}</span>'
        for symbol in dict.fromkeys(cluster.symbols)
    )
    return (
        f'<p class="legend soft scripted">{dots}<span>dashed: metal-metal contact</span></p>'
        '<div class="buttons scripted"><button type="button" id="viewer-reset">Reset view</button></div>'
    )


def _button(name: str) -> str:
    state, _, kind = name.partition("_")
    return f"{state.upper()} {kind}".strip() if name else "Structure"


def orbital_caption(name: str, summary: Mapping[str, Any]) -> str:
    """Say what an orbital is: its energy, or the weight of its pair in the state."""
    state, _, kind = name.partition("_")
    label = state.upper()
    if not kind:
        energy = section(summary, "levels").get(f"{state}_ev")
        return label if energy is None else f"{label}, {number(energy, 2)} eV"
    weights = section(section(summary, "ntos"), label).get("weights") or [None]
    return f"{label}, {kind} of the leading natural transition orbital pair, weight {number(weights[0], 2)}"


def _method(summary: Mapping[str, Any]) -> str:
    method = section(summary, "method")
    return pairs(method) if method else ""


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


def _with_notes(html: str, notes: Notes) -> str:
    """Put the footnotes that a section refers to below it."""
    lines = "".join(
        f"<div><sup>{letter}</sup> {escape(text)}</div>"
        for text, letter in notes.used.items()
        if f"<sup>{letter}</sup>" in html
    )
    return html + (f'<div class="notes">{lines}</div>' if lines else "")


def _value(entry: Mapping[str, Any], key: str, notes: Notes, digits: int = 3, signed: bool = False) -> str:
    """Write a number; an absent one as a dash with its footnote."""
    value = entry.get(key)
    if value is None:
        return f"{ABSENT}<sup>{notes.letter(key)}</sup>"
    return number(value, digits, signed=signed)


def _tiles(items: Iterable[tuple[str, str, str]]) -> str:
    cells = "".join(
        f"<div>{escape(name)}<b>{escape(value)}</b>"
        + (f"<small>{escape(remark)}</small>" if remark else "")
        + "</div>"
        for name, value, remark in items
    )
    return f'<div class="tiles">{cells}</div>' if cells else ""
