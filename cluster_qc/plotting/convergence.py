"""How ground and excited states converged, cycle by cycle, on logarithmic axes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cluster_qc.errors import UnavailableError
from cluster_qc.model import ExcitedStates, GroundState


def plot_scf_convergence(ax: Axes, ground: GroundState) -> None:
    """Draw orbital gradient and distance from the final energy against the SCF cycle; several stages are named above.

    On a coarse grid or in single precision the energy is another one: it stays at a distance until the stage ends.

    Raises
    ------
    UnavailableError
        If the ground state has no history.
    """
    _need_history(ground.history, "ground state")
    cycles = np.arange(1, len(ground.history) + 1)
    gradients = np.array([cycle.gradient for cycle in ground.history])
    distances = np.abs([cycle.energy - ground.energy for cycle in ground.history])
    ax.plot(cycles, gradients, marker="o", label="orbital gradient")
    apart = distances > 0  # the last one is the result
    ax.plot(cycles[apart], distances[apart], marker="s", ls="--", label=r"$|E - E_\mathrm{final}|$")
    begin = 0
    stages = [(stage, len(list(run))) for stage, run in groupby(cycle.stage for cycle in ground.history)]
    for stage, length in stages if len(stages) > 1 else []:  # one alone needs no name
        if begin:
            ax.axvline(begin + 0.5, color="0.7", lw=0.6, zorder=0)
        ax.annotate(
            stage, (begin + 0.6, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 2), textcoords="offset points",
            rotation=30, ha="left", va="bottom", fontsize=6, color="0.3",
        )  # fmt: skip
        begin += length
    _finish(ax, len(ground.history), "SCF cycle", "gradient, energy / hartree")


def plot_tddft_convergence(ax: Axes, states: ExcitedStates | Sequence[ExcitedStates]) -> None:
    """Draw the largest residual of the wanted roots against the cycle, with open symbols for the model of the operator.

    How many roots are done stands beside the last cycle: by the fast route some are while their residual is large.

    Raises
    ------
    UnavailableError
        If states have no history.
    """
    modelled = False
    kinds = [states] if isinstance(states, ExcitedStates) else states
    for index, kind in enumerate(kinds):
        _need_history(kind.history, f"{kind.spin}s")
        cycles = np.arange(1, len(kind.history) + 1)
        residuals = np.array([cycle.residual for cycle in kind.history])
        full = np.array([cycle.operator == "full" for cycle in kind.history])
        colour, marker = f"C{index}", "os"[index % 2]
        ax.plot(cycles, residuals, color=colour, lw=1.0, zorder=1)
        for chosen, face in ((full, colour), (~full, "white")):
            ax.plot(cycles[chosen], residuals[chosen], color=colour, marker=marker, mfc=face, ls="", zorder=2)
        ax.plot([], [], color=colour, marker=marker, label=f"{kind.spin}s")
        modelled |= not full.all()
        last = kind.history[-1]
        ax.annotate(
            f"{last.converged}/{last.wanted}", (cycles[-1], residuals[-1]), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=6, color=colour,
        )  # fmt: skip
    if modelled:
        ax.plot([], [], color="0.4", marker="o", mfc="white", ls="", label="model")
    longest = max((len(kind.history) for kind in kinds), default=1)
    _finish(ax, longest, "TDDFT cycle", "largest residual / hartree")


def _need_history(history: Sequence[object], what: str) -> None:
    if not history:
        raise UnavailableError(
            f"the {what} have no history" if what.endswith("s") else f"the {what} has no history",
            why="a record of an early version kept none",
            fix="compute it again, with --force",
        )


def _finish(ax: Axes, cycles: int, xlabel: str, ylabel: str) -> None:
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlim(0.5, 1.12 * cycles + 0.5)  # room for what stands beside the last one
    ax.minorticks_off()
    ax.spines["right"].set_visible(False)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.legend(loc="best")
