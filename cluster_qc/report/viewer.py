"""The molecule that is turned: its place on the page, and as JSON values atoms, bonds and surfaces in angstrom."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from cluster_qc.errors import InputError
from cluster_qc.model import Cluster
from cluster_qc.model.volume import Mesh, OrbitalSurface
from cluster_qc.plotting.molecule import (
    PHASES,
    ball_radius,
    element_colour,
    neighbours,
    standard_view,
)
from cluster_qc.report.values import number, rows, section
from cluster_qc.units import angstrom

_LARGEST = 65_535  # of the unsigned 16-bit numbers that vertices and triangles are packed in
_FINEST = 0.001  # angstrom


def molecule_data(cluster: Cluster) -> dict[str, Any]:
    """Atoms with the radii and colours of their elements, bonds, and metal-metal contacts."""
    bonds, contacts = neighbours(cluster)
    symbols = dict.fromkeys(cluster.symbols)
    return {
        "symbols": list(cluster.symbols),
        "positions": np.round(cluster.coords / angstrom, 4).tolist(),
        "bonds": bonds,
        "contacts": contacts,
        "colours": {symbol: element_colour(symbol) for symbol in symbols},
        "radii": {symbol: round(ball_radius(symbol) / angstrom, 4) for symbol in symbols},
        "phases": PHASES,
        "view": _view(cluster),
    }


def _view(cluster: Cluster) -> list[float]:
    """Quaternion (x, y, z, w) of the view that the pictures have."""
    return [float(x) for x in Rotation.from_matrix(standard_view(cluster)).as_quat()]


def surface_data(surface: OrbitalSurface) -> dict[str, Any]:
    """Both phases of an orbital as packed triangles, a few ten kilobytes.

    Vertices are unsigned 16-bit steps from an origin, triangles unsigned 16-bit indices, both little-endian in base64.

    Raises
    ------
    InputError
        If a phase has more vertices than such an index can name.
    """
    return {
        "share": surface.share,
        "isovalue": surface.isovalue,
        "phases": [_packed(mesh) for mesh in (surface.positive, surface.negative)],
    }


def surfaces_data(surfaces: Mapping[str, OrbitalSurface]) -> dict[str, Any]:
    """`surface_data` of each."""
    return {name: surface_data(surface) for name, surface in surfaces.items()}


def _packed(mesh: Mesh) -> dict[str, Any]:
    if len(mesh.vertices) > _LARGEST:
        raise InputError(
            f"an orbital surface has {len(mesh.vertices)} vertices; the page takes {_LARGEST}",
            fix="ask for fewer triangles",
        )
    positions = mesh.vertices / angstrom
    empty = not len(positions)
    origin = np.zeros(3) if empty else positions.min(axis=0)
    step = _FINEST if empty else max(_FINEST, float((positions.max(axis=0) - origin).max()) / _LARGEST)
    return {
        "origin": np.round(origin, 4).tolist(),
        "step": step,
        "vertices": _base64(np.round((positions - origin) / step)),
        "triangles": _base64(mesh.triangles),
    }


def _base64(values: Any) -> str:
    return base64.b64encode(np.asarray(values).astype("<u2").tobytes()).decode("ascii")


def viewer_html(
    cluster: Cluster | None, surfaces: Mapping[str, Any], stills: str, summary: Mapping[str, Any]
) -> str:
    """Write the place where the molecule is turned, its buttons, and the pictures (HTML) for those who cannot."""
    if cluster is None:
        return stills
    html = ""
    if surfaces:
        captions = {"": "Structure"} | {name: orbital_caption(name, summary) or name for name in surfaces}
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
    if neighbours(cluster)[1]:
        dots += "<span>dashed: metal-metal contact</span>"
    return (
        f'<p class="legend soft scripted">{dots}</p>'
        '<div class="buttons scripted"><button type="button" id="viewer-reset">Reset view</button></div>'
    )


def _button(name: str) -> str:
    state, _, kind = name.partition("_")
    return f"{state.upper()} {kind}".strip() if name else "Structure"


def orbital_caption(name: str, summary: Mapping[str, Any]) -> str | None:
    """Say what "homo" or "s1_hole" is, its energy or the weight of its pair in the state; None for other names."""
    state, _, kind = name.partition("_")
    label = state.upper()
    if name in ("homo", "lumo"):
        energy = section(summary, "levels").get(f"{name}_ev")
        return label if energy is None else f"{label}, {number(energy, 2)} eV"
    if kind not in ("hole", "electron"):
        return None
    states = [*rows(summary, "singlets"), *rows(summary, "triplets")]
    energy = next((row.get("energy_ev") for row in states if row.get("label") == label), None)
    weights = section(section(summary, "ntos"), label).get("weights") or [None]
    return (
        f"{label}{'' if energy is None else f', {number(energy, 2)} eV'}: {kind} of the leading natural transition "
        f"orbital pair, weight {number(weights[0], 2)}"
    )
