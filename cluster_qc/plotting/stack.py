"""The level diagram of a device: one column a layer, anode on the left."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from cluster_qc.model.stack import Layer, Level
from cluster_qc.plotting.levels import signed

_HALF = 0.4
_COLOURS = {"lumo": "#D55E00", "homo": "#0072B2", "work_function": "#009E73"}
_NAMES = {"lumo": "LUMO", "homo": "HOMO", "work_function": "Fermi level"}


def plot_stack(ax: Axes, stack: Sequence[Layer]) -> None:
    """Draw the levels of the layers in eV against vacuum; ranges as bands, gaps grey, a layer without any as "?"."""
    drawn = [level for layer in stack for level in (layer.homo, layer.lumo, layer.work_function) if level]
    low, high = min(level.low_ev for level in drawn), max(level.high_ev for level in drawn)
    for place, layer in enumerate(stack):
        if layer.homo and layer.lumo:
            ends = (place - _HALF, place + _HALF)
            ax.fill_between(ends, layer.homo.high_ev, layer.lumo.low_ev, color="0.93", lw=0)
        for kind, colour in _COLOURS.items():
            level: Level | None = getattr(layer, kind)
            if level is not None:
                _draw(ax, place, level, colour, below=kind == "homo")
        if not layer.known:
            ax.annotate("?", (place, (low + high) / 2), ha="center", va="center", color="0.5")
    for kind, colour in _COLOURS.items():
        if any(getattr(layer, kind) for layer in stack):
            ax.plot([], [], color=colour, label=_NAMES[kind])
    if not all(layer.known for layer in stack):
        ax.plot([], [], color="0.5", marker="$?$", mew=0, ls="", label="no level known")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
    ax.set_xticks(range(len(stack)), [layer.name for layer in stack])
    ax.set_xlim(-0.6, len(stack) - 0.4)
    ax.set_ylim(low - 0.6, high + 0.6)
    ax.tick_params(axis="x", length=0)
    ax.spines[["right", "bottom"]].set_visible(False)
    ax.set_ylabel("energy vs vacuum / eV")


def _draw(ax: Axes, place: int, level: Level, colour: str, *, below: bool) -> None:
    ends = (place - _HALF, place + _HALF)
    ax.fill_between(ends, level.low_ev, level.high_ev, color=colour, alpha=0.25, lw=0)
    ax.hlines([level.low_ev, level.high_ev], *ends, color=colour, lw=1.4)
    single = level.low_ev == level.high_ev
    text = signed(level.low_ev) if single else f"{signed(level.high_ev)} to {signed(level.low_ev)}"
    ax.annotate(
        text,
        (place, level.low_ev if below else level.high_ev),
        xytext=(0, -2 if below else 2),
        textcoords="offset points",
        ha="center",
        va="top" if below else "bottom",
        color=colour,
        fontsize=6,
    )
