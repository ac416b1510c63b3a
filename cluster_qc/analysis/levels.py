"""Every level by every calculation, each named for what it is, beside the measured one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cluster_qc.analysis.alignment import CAVEAT
from cluster_qc.errors import NotConvergedError
from cluster_qc.model import ChargeStates, DFTMethod, UPSReference
from cluster_qc.units import electronvolt

_SPIN_CONTAMINATION = 0.05  # of <S^2> above 0.75 from which a doublet is named
_QUANTITIES = {
    "kohn_sham_homo": ("HOMO", "Kohn-Sham orbital energy against the vacuum level"),
    "ionization_level": (
        "-IE",
        "E(N) - E(N-1), vertical difference of total energies, against the vacuum level",
    ),
    "kohn_sham_lumo": ("LUMO", "Kohn-Sham orbital energy against the vacuum level"),
    "affinity_level": (
        "-EA",
        "E(N+1) - E(N), vertical difference of total energies, against the vacuum level",
    ),
    "kohn_sham_gap": ("LUMO - HOMO", "difference of Kohn-Sham orbital energies"),
    "fundamental_gap": ("IE - EA", "fundamental gap from total energies"),
    "optical_gap": ("S1", "vertical excitation energy, the optical gap"),
    "exciton_binding": ("IE - EA - S1", "exciton binding energy, fundamental minus optical gap"),
}
_MEASURED = ("kohn_sham_homo", "ionization_level")
_LUMO = "A Kohn-Sham LUMO is no electron affinity: it lies at the energy of an electron that replaces another one."
_POLARISED_BY_GROUND = (
    "The continuum is polarised by the ground state alone; the polarisation by the hole or the added electron, which a "
    "spectrum of a film contains, is not in an orbital energy."
)
_TUNED = (
    "Of one molecule in vacuum, tuned so that the HOMO of the molecule and of its anion are minus the ionization "
    "energy and minus the electron affinity as nearly as one omega allows; no polarisation of neighbours."
)
_VACUUM = (
    "Of one molecule in vacuum: the polarisation of the neighbours in a film, which lowers the ionization energy and "
    "raises the electron affinity, is missing."
)
_CONTINUUM = (
    "The continuum (IEF-PCM, spheres of 1.2 times Bondi's radii) is in equilibrium with the ground state and with the "
    "ion, with the one permittivity given: with the optical one (refractive index squared) this is the fast "
    "polarisation that a photoelectron meets; with the static one it holds the slow polarisation too, which a vertical "
    "ionization leaves behind."
)
_OPTICAL = "Of the run, in vacuum, with its functional."


@dataclass(frozen=True, eq=False)
class Calculation:
    """The charge states by one method."""

    name: str
    method: DFTMethod
    states: ChargeStates | None
    """None if there are none, because of `reason`."""
    reason: str = ""
    tuned: bool = False
    """Whether omega was tuned on this molecule."""


def calculation_name(method: DFTMethod, *, tuned: bool = False) -> str:
    """Functional, basis and surroundings in a few words."""
    omega = ""
    if method.omega is not None:
        omega = f", {'tuned ' if tuned else ''}omega {method.omega:g}"
    place = "vacuum" if method.permittivity is None else f"permittivity {method.permittivity:g}"
    return f"{method.level}{omega}, {place}"


def level_rows(
    calculations: Sequence[Calculation],
    *,
    optical_gap: float | None,
    optical_reason: str = "",
    reference: UPSReference | None = None,
) -> list[dict[str, Any]]:
    """Give one row for each quantity and calculation as JSON values, energies in eV; what does not exist is None.

    Parameters
    ----------
    calculations
        The first one is that of the run, in vacuum; the optical gap belongs to it.
    optical_gap
        S1 of the run in hartree, or None because of `optical_reason`.
    reference
        Measured HOMO against the vacuum level; compared with the Kohn-Sham HOMO and with minus the ionization energy.
    """
    rows = []
    for quantity in _QUANTITIES:
        optical = quantity in ("optical_gap", "exciton_binding")
        for calculation in calculations[:1] if optical else calculations:
            value, reason = _value(quantity, calculation, optical_gap, optical_reason)
            rows.append(_row(quantity, calculation, value, reason, reference))
    return rows


def _row(
    quantity: str,
    calculation: Calculation,
    value: float | None,
    reason: str,
    reference: UPSReference | None,
) -> dict[str, Any]:
    name, what = _QUANTITIES[quantity]
    measured = reference.homo if reference is not None and quantity in _MEASURED else None
    deviation = None if value is None or measured is None else value - measured
    return {
        "quantity": quantity,
        "name": name,
        "what": what,
        "calculation": calculation.name,
        "value_ev": _ev(value),
        "reason": reason or None,
        "measured_ev": _ev(measured),
        "deviation_ev": _ev(deviation),
        "caveat": _caveat(quantity, calculation) or None,
    }


def _value(
    quantity: str, calculation: Calculation, optical_gap: float | None, optical_reason: str
) -> tuple[float | None, str]:
    """The energy in hartree, or None and why."""
    if quantity == "optical_gap":
        return optical_gap, "" if optical_gap is not None else optical_reason
    states = calculation.states
    if states is None:
        return None, calculation.reason
    ground = states.ground
    try:
        match quantity:
            case "ionization_level":
                return -states.ionization_energy, ""
            case "affinity_level":
                return -states.electron_affinity, ""
            case "fundamental_gap":
                return states.fundamental_gap, ""
            case "exciton_binding":
                gap = states.fundamental_gap
                return (None, optical_reason) if optical_gap is None else (gap - optical_gap, "")
    except NotConvergedError as exc:
        return None, exc.what
    if not ground.converged:
        return None, "the SCF of the ground state did not converge"
    return {
        "kohn_sham_homo": ground.homo,
        "kohn_sham_lumo": ground.lumo,
        "kohn_sham_gap": ground.gap,
    }[quantity], ""


def _caveat(quantity: str, calculation: Calculation) -> str:
    if quantity == "optical_gap":
        return _OPTICAL
    if quantity.startswith("kohn_sham"):
        if calculation.method.permittivity is not None:
            return _POLARISED_BY_GROUND
        if calculation.tuned:
            return _TUNED
        return {"kohn_sham_homo": CAVEAT, "kohn_sham_lumo": _LUMO}.get(quantity, "")
    return _VACUUM if calculation.method.permittivity is None else _CONTINUUM


def level_warnings(calculations: Sequence[Calculation]) -> list[str]:
    """What a reader must know before using the levels."""
    found = ["the SCF solutions of the ions were not tested for stability: a lower one may exist"]
    method = calculations[0].method
    bases = [method.basis, *(basis for _, basis in method.basis_overrides)]
    if not all(_is_diffuse(basis) for basis in bases):
        found.append(
            f"the basis {method.basis} has no diffuse functions: electron affinities come out too small, the "
            "fundamental gap and the exciton binding energy too large"
        )
    for calculation in calculations:
        states = calculation.states
        if states is None:
            found.append(f"{calculation.name}: {calculation.reason}")
            continue
        for name, ion in (("cation", states.cation), ("anion", states.anion)):
            if not ion.converged:
                found.append(f"{calculation.name}: the SCF of the {name} did not converge; it is not used")
            elif ion.s_squared > 0.75 + _SPIN_CONTAMINATION:
                found.append(
                    f"{calculation.name}: <S^2> of the {name} is {ion.s_squared:.2f} instead of 0.75: spin "
                    "contamination"
                )
            found += [f"{calculation.name}, {name}: {remark}" for remark in ion.remarks]
    unbound = [c.name for c in calculations if c.states and _anion_unbound(c.states)]
    if unbound:
        found.append(
            "the anion lies above the ground state, so the electron would leave: this negative electron affinity is "
            f"one of the basis set, not of the molecule ({'; '.join(unbound)})"
        )
    return list(dict.fromkeys(found))


def _anion_unbound(states: ChargeStates) -> bool:
    return states.ground.converged and states.anion.converged and states.electron_affinity < 0


def _is_diffuse(basis: str) -> bool:
    """Whether the name of a basis set tells of diffuse functions: aug-, ma-, +, or the D of def2-SVPD."""
    name = basis.lower()
    return (
        name.startswith(("aug", "ma-", "d-aug", "jul-", "may-", "jun-")) or "+" in name or name.endswith("pd")
    )


def calculation_summary(calculation: Calculation) -> dict[str, Any]:
    """One calculation as JSON values: method, energies, spin and convergence of the three charge states."""
    method, states = calculation.method, calculation.states
    summary: dict[str, Any] = {
        "name": calculation.name,
        "functional": method.functional,
        "basis": method.basis,
        "omega_per_bohr": method.omega,
        "tuned": calculation.tuned,
        "permittivity": method.permittivity,
        "states": None,
        "reason": calculation.reason or None,
    }
    if states is not None:
        summary["states"] = {
            name: {
                "charge": state.cluster.charge,
                "total_energy_hartree": state.energy,
                "homo_ev": _ev(state.homo),
                "s_squared": state.s_squared,
                "converged": state.converged,
                "cycles": state.cycles,
                "remarks": list(state.remarks),
            }
            for name, state in (("ground", states.ground), ("cation", states.cation), ("anion", states.anion))
        }
    return summary


def _ev(energy: float | None) -> float | None:
    return None if energy is None else energy / electronvolt
