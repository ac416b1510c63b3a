"""How a calculation came to its result, cycle by cycle."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SCFCycle:
    """One cycle of the ground state."""

    stage: str
    """"coarse" (grid), "single" (precision), "double" (the evaluation that confirms it), "final", "level shift" or
    "second order"."""
    energy: float
    """Total energy in hartree, on the grid and in the precision of the stage."""
    gradient: float
    """Norm of the orbital gradient, hartree."""


@dataclass(frozen=True)
class TDDFTCycle:
    """One cycle of the excited states."""

    operator: str
    """"full", or "model" for the cheap one that gives the first trial vectors."""
    vectors: int
    """Trial pairs that the operator was applied to until then; after an interruption, those kept and new ones."""
    residual: float
    """Largest residual norm among the wanted roots, hartree."""
    converged: int
    """Roots that are good enough, of the wanted ones."""
    wanted: int
    highest: float
    """Energy of the highest wanted root, hartree."""
