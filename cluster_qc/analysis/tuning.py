"""Optimal tuning of a range-separated hybrid: no fit to a measurement, but to a law of the exact functional."""

from __future__ import annotations

from scipy.optimize import minimize_scalar

from cluster_qc.model.charge_states import ChargeStates, StatesAt, Tuning

_DIGITS = 4  # of omega, so that a repeated search asks for the very same calculations
_MAX_TRIALS = 15


def tune_range_separation(
    states_at: StatesAt, bounds: tuple[float, float] = (0.05, 0.8), tolerance: float = 5e-3
) -> Tuning:
    """Find the range separation that minimises the error of Koopmans' theorem in the molecule and its anion.

    In the exact functional the HOMO energy is minus the ionization energy, for N electrons and for N + 1. A bounded
    Brent search minimises the square of `ChargeStates.koopmans_error`; each omega is computed once.

    Parameters
    ----------
    states_at
        Computes the three charge states for an omega in 1/bohr.
    bounds
        Smallest and largest omega, 1/bohr.
    tolerance
        Of omega, 1/bohr. HOMO energies move by some 0.3 hartree for 1/bohr, so 5e-3 is about 0.04 eV.

    Raises
    ------
    NotConvergedError
        If an SCF did not converge.
    """
    errors: dict[float, float] = {}
    best: ChargeStates | None = None

    def squared_error(omega: float) -> float:
        nonlocal best
        omega = round(float(omega), _DIGITS)
        if omega not in errors:
            states = states_at(omega)
            error = states.koopmans_error
            if not errors or error < min(errors.values()):
                best = states
            errors[omega] = error
        return errors[omega] ** 2

    options = {"xatol": tolerance, "maxiter": _MAX_TRIALS}
    minimize_scalar(squared_error, bounds=bounds, method="bounded", options=options)
    assert best is not None
    omega = min(errors, key=errors.__getitem__)
    return Tuning(omega, best, tuple(sorted(errors.items())), bounds, tolerance)
