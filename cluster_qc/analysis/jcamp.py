"""Spectra as JCAMP-DX 4.24, which spectrometer programs read.

R. S. McDonald and P. A. Wilks, Appl. Spectrosc. 42, 151 (1988): printable ASCII, lines of at most 80 characters, one
labelled record after another; several spectra are blocks inside one of the data type LINK. Wavelengths of an even grid
of energies are uneven, so the points are written as pairs.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from cluster_qc.errors import InputError
from cluster_qc.model import Spectrum
from cluster_qc.provenance import version
from cluster_qc.units import electronvolt, wavelength_nm

_KINDS = {
    "cd": ("CIRCULAR DICHROISM SPECTRUM", "DELTA EPSILON (L MOL-1 CM-1)"),
    "absorption": ("UV/VIS SPECTRUM", "MOLAR ABSORPTION COEFFICIENT (L MOL-1 CM-1)"),
}


def jcamp_text(spectra: Sequence[Spectrum], titles: Sequence[str]) -> str:
    """Write spectra as one JCAMP-DX file, against the wavelength in nm, ascending.

    Parameters
    ----------
    spectra
        One or more.
    titles
        One for each; what is not ASCII becomes "?".

    Raises
    ------
    InputError
        If there is no spectrum, or not one title for each.
    """
    if not spectra or len(spectra) != len(titles):
        raise InputError(f"{len(spectra)} spectra came with {len(titles)} titles; one each is needed")
    blocks = [_block(spectrum, title) for spectrum, title in zip(spectra, titles, strict=True)]
    if len(blocks) == 1:
        return blocks[0]
    head = ["##TITLE= " + _ascii(", ".join(titles))[:70], "##JCAMP-DX= 4.24", "##DATA TYPE= LINK"]
    return "\n".join([*head, f"##BLOCKS= {len(blocks)}", *_origin()]) + "\n" + "".join(blocks) + "##END=\n"


def _block(spectrum: Spectrum, title: str) -> str:
    kind, unit = _KINDS[spectrum.kind]
    points = [
        (wavelength_nm(energy), value)
        for energy, value in zip(
            spectrum.energies.tolist()[::-1], spectrum.values.tolist()[::-1], strict=True
        )
    ]
    y = [value for _, value in points]
    notes = [
        f"simulated: {spectrum.shape} lines, fwhm {spectrum.fwhm / electronvolt:.4f} eV, "
        f"shift {spectrum.shift / electronvolt:+.4f} eV ({spectrum.shift_origin}), {spectrum.gauge} gauge, "
        f"{spectrum.sample}",
        *spectrum.remarks,
    ]
    return "\n".join(
        [
            "##TITLE= " + _ascii(title)[:70],
            "##JCAMP-DX= 4.24",
            f"##DATA TYPE= {kind}",
            *_origin(),
            *(f"$$ {line}" for note in notes for line in textwrap.wrap(_ascii(note), 76)),
            "##XUNITS= NANOMETERS",
            f"##YUNITS= {unit}",
            "##XFACTOR= 1.0",
            "##YFACTOR= 1.0",
            f"##FIRSTX= {points[0][0]:.6f}",
            f"##LASTX= {points[-1][0]:.6f}",
            f"##FIRSTY= {y[0]:.9g}",
            f"##MAXY= {max(y):.9g}",
            f"##MINY= {min(y):.9g}",
            f"##NPOINTS= {len(points)}",
            "##XYPOINTS= (XY..XY)",
            *(f"{nm:.6f}, {value:.9g}" for nm, value in points),
            "##END=\n",
        ]
    )


def _origin() -> list[str]:
    return [f"##ORIGIN= cluster_qc {version('cluster_qc')}", "##OWNER= not stated"]


def _ascii(text: str) -> str:
    return " ".join(text.encode("ascii", errors="replace").decode().split())
