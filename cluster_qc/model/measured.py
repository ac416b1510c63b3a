"""What measured spectra give: values with their uncertainty, or None with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cluster_qc.model.arrays import FloatArray, frozen


@dataclass(frozen=True)
class Estimate:
    """A value and one standard deviation."""

    value: float
    uncertainty: float

    def as_json(self) -> dict[str, float]:
        """The promised form of a value in JSON."""
        return {"value": self.value, "uncertainty": self.uncertainty}


@dataclass(frozen=True, eq=False)
class FittedLine:
    """A fit to be drawn over a curve."""

    label: str
    x: FloatArray
    """(npoint,), in the unit of the curve's axis."""
    y: FloatArray
    """(npoint,)."""
    background: FloatArray | None = None
    """(npoint,)."""
    position: Estimate | None = None

    def __post_init__(self) -> None:
        n = len(self.x)
        for name in ("x", "y", "background"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, frozen(getattr(self, name), (n,), name))


@dataclass(frozen=True, eq=False)
class UPSLevels:
    """Levels from an ultraviolet photoelectron spectrum, in eV; None for what the spectrum does not give."""

    photon_energy_ev: float
    binding_ev: FloatArray
    """Binding energies from the Fermi level, ascending, (npoint,)."""
    intensity: FloatArray
    """As measured, (npoint,)."""
    cutoff_ev: Estimate | None
    """Binding energy of the secondary-electron cutoff."""
    onset_ev: Estimate | None
    """Binding energy of the onset of the highest occupied level."""
    work_function_ev: Estimate | None
    """Photon energy - cutoff."""
    ionization_energy_ev: Estimate | None
    """Photon energy - (cutoff - onset)."""
    homo_ev: Estimate | None
    """-ionization energy, against the vacuum level."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a quantity is None."""
    warnings: tuple[str, ...] = ()
    fits: tuple[FittedLine, ...] = ()
    source: str = ""

    def as_json(self) -> dict[str, Any]:
        """The promised JSON values; the reasons of what is null are in the warnings."""
        names = ("cutoff_ev", "onset_ev", "work_function_ev", "ionization_energy_ev", "homo_ev")
        return estimates_json({name: getattr(self, name) for name in names}, self.reasons, self.warnings)


@dataclass(frozen=True, eq=False)
class TaucGaps:
    """Gaps and absorption onset from an absorption spectrum, in eV; None for what the spectrum does not give."""

    energies_ev: FloatArray
    """Photon energies, ascending, (npoint,)."""
    absorption: FloatArray
    """Absorption coefficient in 1/cm if the thickness is known, else proportional to it, (npoint,)."""
    unit: str
    """1/cm, or what the column held."""
    baseline: float
    """Constant absorption below the edge, taken off for the Tauc plots."""
    direct_gap_ev: Estimate | None
    """From (alpha h nu)^2."""
    indirect_gap_ev: Estimate | None
    """From (alpha h nu)^(1/2)."""
    onset_ev: Estimate | None
    """Where the tangent of the first absorption edge meets the background."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    fits: Mapping[str, FittedLine] = field(default_factory=dict)
    """Drawn lines: "direct" and "indirect" in the Tauc plot, "onset" over the absorption."""

    def as_json(self) -> dict[str, Any]:
        """The promised JSON values; the reasons of what is null are in the warnings."""
        names = ("direct_gap_ev", "indirect_gap_ev", "onset_ev")
        return estimates_json({name: getattr(self, name) for name in names}, self.reasons, self.warnings)


def estimates_json(
    estimates: Mapping[str, Estimate | None], reasons: Mapping[str, str], warnings: tuple[str, ...]
) -> dict[str, Any]:
    """Estimates as JSON values, None as null with its reason among the warnings."""
    values: dict[str, Any] = {name: e.as_json() if e else None for name, e in estimates.items()}
    values["warnings"] = [*warnings, *(f"{name} is null: {reason}" for name, reason in reasons.items())]
    return values
