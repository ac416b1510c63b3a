"""One self-contained HTML page about a job: opens anywhere, needs no network and runs no script."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from cluster_qc.errors import InputError, StorageError
from cluster_qc.model import Cluster
from cluster_qc.report.style import CSS
from cluster_qc.report.values import (
    ABSENT,
    Notes,
    alignment_rows,
    number,
    percent,
    plain,
    rows,
    seconds,
    section,
    warnings_of,
)
from cluster_qc.units import angstrom

_CAPTIONS = {
    "levels": "Orbital energies around the gap; the shaded band is the tolerance about the measured level.",
    "cd": "Circular dichroism with its rotatory strengths.",
    "absorption": "Absorption with its oscillator strengths.",
    "homo": "Highest occupied orbital (HOMO).",
    "lumo": "Lowest unoccupied orbital (LUMO).",
}
_LAMBDA = "\N{GREEK SMALL LETTER LAMDA}"
_DELTA_EPSILON = "\N{GREEK CAPITAL LETTER DELTA}\N{GREEK SMALL LETTER EPSILON}"
_CGS = "10⁻⁴⁰ esu² cm²"
_PNG = b"\x89PNG\r\n\x1a\n"


def write_page(
    summary: Mapping[str, Any],
    path: str | Path,
    figures: Mapping[str, Path] | None = None,
    cluster: Cluster | None = None,
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
        PNG files by name: "levels", "cd" and "absorption" go to their sections, all others to "Orbitals" with the
        name as the caption.
    cluster
        If given, its coordinates are on the page.

    Raises
    ------
    InputError
        If a figure is missing or no PNG.
    StorageError
        If the page cannot be written.
    """
    pictures = {name: _embedded(name, Path(file)) for name, file in (figures or {}).items()}
    notes = Notes(section(summary, "reasons"))
    structure = section(summary, "structure")
    title = str(summary.get("name") or structure.get("formula") or "Cluster")
    parts = [
        f"<h1>{escape(title)}</h1>",
        _subtitle(structure),
        _warnings(summary),
        _with_notes(_levels(summary, pictures, notes), notes),
        _with_notes(_alignment(summary, notes), notes),
        _with_notes(_states(summary, notes), notes),
        _ntos(summary),
        _cd(summary, pictures),
        _orbitals(pictures),
        _method(summary),
        _structure(structure, cluster),
        _provenance(summary),
    ]
    body = "\n".join(part for part in parts if part)
    html = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{CSS}</style></head>\n<body>\n"
        f"{body}\n</body></html>\n"
    )
    try:
        Path(path).write_text(html, encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror}", fix="check the folder and the free space"
        ) from error


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


def _levels(summary: Mapping[str, Any], pictures: Mapping[str, str], notes: Notes) -> str:
    levels = section(summary, "levels")
    if not levels:
        return ""
    tiles = _tiles(
        (name, _value(levels, key, notes, 2), "eV")
        for name, key in (("HOMO", "homo_ev"), ("LUMO", "lumo_ev"), ("Gap", "gap_ev"))
    )
    shares = section(levels, "shares")
    table = _share_tables(shares, ("homo", "lumo"), ("HOMO", "LUMO")) if shares else ""
    return "<h2>Levels</h2>" + tiles + table + f'<div class="levels">{pictures.get("levels", "")}</div>'


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
        "<h2>Computed and measured</h2>"
        + _table(["eV", "Computed", "Measured"], body)
        + f"<p>{sentence}</p>"
        + "".join(f'<p class="soft">{escape(str(text))}</p>' for text in remarks if text)
    )


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
        for state in states:
            cells = [escape(str(state.get("label", "")))]
            cells += [_value(state, column, notes, digits, signed) for column, digits, signed in columns]
            if len(routes) > 1:
                cells.append(escape(plain(state.get("route"))))
            body.append(cells)
        html += f"<h3>{title}</h3>" + _table(heads, body, caption)
    if not html:
        return ""
    return "<h2>Vertical excitations</h2>" + html


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
            f"<h3>{escape(str(label))}: {escape(plain(nto.get('character')))}</h3>"
            f'<p class="soft">{escape("; ".join(facts))}</p>'
            + _share_tables(nto, ("hole", "electron"), ("Hole", "Electron"))
        )
    intro = '<p class="soft">Loewdin shares over all natural transition orbital pairs with their weights.</p>'
    return "<h2>Where hole and electron sit</h2>" + intro + html if html else ""


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
            html += _table([title, *heads], body, style="bars")
    return html


def _bar(share: Any, colour: str) -> str:
    width = 0.0 if share is None else max(0.0, min(1.0, float(share)))
    return (
        f'<span class="n">{percent(share)}</span>'
        f'<span class="bar {colour}" style="width:calc({width:.3f} * (100% - 4em))"></span>'
    )


def _cd(summary: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    cd = section(summary, "cd")
    picture = pictures.get("cd", "") + pictures.get("absorption", "")
    if not cd and not picture:
        return ""
    html = "<h2>Circular dichroism</h2>" + (f'<div class="pictures">{picture}</div>' if picture else "")
    bands = [
        [number(band.get("wavelength_nm"), 1), number(band.get("delta_epsilon_lmolcm"), 1, signed=True)]
        for band in rows(cd, "bands")
    ]
    if bands:
        html += _table([f"{_LAMBDA} / nm", f"{_DELTA_EPSILON} / L mol⁻¹ cm⁻¹"], bands)
    facts = [f"Width (fwhm) {number(cd['fwhm_ev'], 2)} eV"] if cd.get("fwhm_ev") is not None else []
    if cd.get("shift_ev") is not None:
        facts.append(f"Shift of the excitation energies {number(cd['shift_ev'], 2, signed=True)} eV")
    if cd.get("csv"):
        facts.append(f"Curve in {cd['csv']}")
    facts += [str(remark)[:1].upper() + str(remark)[1:] for remark in cd.get("remarks") or []]
    return html + "".join(f'<p class="soft">{escape(fact)}</p>' for fact in facts)


def _orbitals(pictures: Mapping[str, str]) -> str:
    rest = [html for name, html in pictures.items() if name not in ("levels", "cd", "absorption")]
    return f'<h2>Orbitals</h2><div class="pictures">{"".join(rest)}</div>' if rest else ""


def _method(summary: Mapping[str, Any]) -> str:
    method = section(summary, "method")
    return "<h2>Method</h2>" + _pairs(method) if method else ""


def _structure(structure: Mapping[str, Any], cluster: Cluster | None) -> str:
    distances = section(structure, "mean_distance_angstrom")
    body = [[escape(str(pair)), number(d)] for pair, d in distances.items()]
    html = _table(["Mean distance", "\N{ANGSTROM SIGN}"], body) if body else ""
    if cluster is not None:
        lines = [str(cluster.natom), " ".join((cluster.source or cluster.name).split())]
        for symbol, position in zip(cluster.symbols, cluster.coords, strict=True):
            lines.append(f"{symbol:2}" + "".join(f"{x / angstrom:14.6f}" for x in position))
        text = escape("\n".join(lines))
        html += f"<details><summary>Coordinates (XYZ, \N{ANGSTROM SIGN})</summary><pre>{text}</pre></details>"
    return "<h2>Structure</h2>" + html if html else ""


def _provenance(summary: Mapping[str, Any]) -> str:
    timings = section(summary, "timings_s")
    html = ""
    if timings:
        body = [[escape(str(step)), seconds(value)] for step, value in timings.items()]
        html += "<h2>Time and memory</h2>" + _table(["Step", "Wall time"], body)
        if summary.get("peak_memory_gib") is not None:
            html += f'<p class="soft">Peak memory {number(summary["peak_memory_gib"], 1)} GiB</p>'
    provenance = section(summary, "provenance")
    return html + ("<h2>Provenance</h2>" + _pairs(provenance) if provenance else "")


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
    return escape(number(value, digits, signed=signed))


def _tiles(items: Iterable[tuple[str, str, str]]) -> str:
    cells = "".join(f"<div>{escape(name)}<b>{value} {escape(unit)}</b></div>" for name, value, unit in items)
    return f'<div class="tiles">{cells}</div>'


def _pairs(mapping: Mapping[str, Any]) -> str:
    body = "".join(
        f'<tr><td>{escape(str(key))}</td><td class="text">{escape(plain(value))}</td></tr>'
        for key, value in mapping.items()
    )
    return f'<div class="scroll"><table>{body}</table></div>'


def _table(heads: Sequence[str], body: Sequence[Sequence[str]], caption: str = "", style: str = "") -> str:
    """Write a table of cells that are HTML already; heads and caption are plain text."""
    top = "".join(f"<th>{escape(head)}</th>" for head in heads)
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in body)
    legend = f"<caption>{escape(caption)}</caption>" if caption else ""
    kind = f' class="{style}"' if style else ""
    return f'<div class="scroll"><table{kind}>{legend}<thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>'
