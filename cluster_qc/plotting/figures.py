"""Whole figures in the package's style, saved as files; they need no display and no pyplot state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cluster_qc.errors import StorageError
from cluster_qc.model import BandAlignment, ExcitedStates, GroundState, MeasuredSpectrum, Spectrum
from cluster_qc.model.measured import TaucGaps, UPSLevels
from cluster_qc.model.stack import Layer
from cluster_qc.plotting import STYLE
from cluster_qc.plotting.convergence import plot_scf_convergence, plot_tddft_convergence
from cluster_qc.plotting.levels import plot_levels
from cluster_qc.plotting.measured import plot_tauc, plot_ups
from cluster_qc.plotting.spectra import plot_absorption, plot_cd
from cluster_qc.plotting.stack import plot_stack

_COLUMN, _PAGE = 3.3, 7.0  # inch, the widths of one and of two columns of a journal


def save_levels(path: str | Path, ground: GroundState, alignment: BandAlignment | None = None) -> None:
    """Save the picture of `plot_levels`.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    _save(path, lambda ax: plot_levels(ax, ground, alignment))


def save_cd(
    path: str | Path,
    spectra: Spectrum | Sequence[Spectrum],
    *,
    labels: Sequence[str] = (),
    experiment_bands: Iterable[tuple[float, int]] | None = None,
    experiment_label: str = "measured bands",
    measured: MeasuredSpectrum | None = None,
) -> None:
    """Save the picture of `plot_cd`; parameters there, errors as in `save_levels`."""
    _save(
        path,
        lambda ax: plot_cd(
            ax,
            spectra,
            labels=labels,
            experiment_bands=experiment_bands,
            experiment_label=experiment_label,
            measured=measured,
        ),
        (_COLUMN, 2.5),
    )


def save_absorption(
    path: str | Path, spectra: Spectrum | Sequence[Spectrum], *, labels: Sequence[str] = ()
) -> None:
    """Save the picture of `plot_absorption`; parameters there, errors as in `save_levels`."""
    _save(path, lambda ax: plot_absorption(ax, spectra, labels=labels), (_COLUMN, 2.3))


def save_convergence(path: str | Path, ground: GroundState, states: Sequence[ExcitedStates] = ()) -> None:
    """Save the pictures of `plot_scf_convergence` and `plot_tddft_convergence`; what has no history is left out.

    Raises
    ------
    UnavailableError
        If nothing has one.
    StorageError
        If the file cannot be written.
    """
    told = [kind for kind in states if kind.history]
    panels: list[Callable[[Axes], None]] = []
    if ground.history or not told:
        panels.append(lambda ax: plot_scf_convergence(ax, ground))
    if told:
        panels.append(lambda ax: plot_tddft_convergence(ax, told))
    _save_panels(path, panels, (_COLUMN if len(panels) == 1 else _PAGE, 2.8))


def save_ups(path: str | Path, levels: UPSLevels) -> None:
    """Save the pictures of `plot_ups` for both edges side by side; errors as in `save_levels`."""
    panels = [lambda ax, which=which: plot_ups(ax, levels, which) for which in ("cutoff", "onset")]
    _save_panels(path, panels, (6.0, 2.6))


def save_tauc(path: str | Path, gaps: TaucGaps) -> None:
    """Save the pictures of `plot_tauc`, both Tauc plots and the onset; errors as in `save_levels`."""
    panels = [lambda ax, which=which: plot_tauc(ax, gaps, which) for which in ("direct", "indirect", "onset")]
    _save_panels(path, panels, (_PAGE, 2.4))


def save_stack(path: str | Path, stack: Sequence[Layer]) -> None:
    """Save the picture of `plot_stack`; errors as in `save_levels`."""
    _save(path, lambda ax: plot_stack(ax, stack), (6.0, 2.9))


def _save(path: str | Path, draw: Callable[[Axes], None], size: tuple[float, float] | None = None) -> None:
    _save_panels(path, [draw], size)


def _save_panels(
    path: str | Path, panels: Sequence[Callable[[Axes], None]], size: tuple[float, float] | None
) -> None:
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=size)
        for index, draw in enumerate(panels, 1):
            draw(figure.add_subplot(1, len(panels), index))
        save_figure(figure, path)


def save_figure(figure: Figure, path: str | Path) -> None:
    """Save a figure as PNG, SVG or PDF, by its name; in the style's context text stays text in the latter two.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    try:
        figure.savefig(path)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror}", fix="check the folder and the free space"
        ) from error
