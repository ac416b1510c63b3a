"""The figures of a run; drawn again only when their content changed, or how this program draws."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from cluster_qc.errors import InputError, UnavailableError
from cluster_qc.files import need_writable, replaced, write_text
from cluster_qc.model import (
    BandAlignment,
    ExcitedStates,
    GroundState,
    NaturalTransitionOrbitals,
    Spectrum,
    Volume,
)
from cluster_qc.model.arrays import FloatArray
from cluster_qc.plotting import STYLE
from cluster_qc.workflow.progress import Report

PICTURES = (".png", ".svg", ".pdf")
SURFACES = "surfaces.json"
_MADE_OF = ".made-of.json"


def vector_formats(names: Sequence[str]) -> tuple[str, ...]:
    """The kinds of picture that a run draws beside PNG, which its page shows.

    Raises
    ------
    InputError
        For one that is not known.
    """
    wrong = [name for name in names if f".{name}" not in PICTURES]
    if wrong:
        raise InputError(f"the format is {', '.join(wrong)}", fix="choose of png, svg, pdf")
    return tuple(name for name in dict.fromkeys(names) if name != "png")


def need_picture(path: Path) -> None:
    """Refuse, before any work, a file that is no picture or could not be written."""
    if path.suffix.lower() not in PICTURES:
        raise InputError(f"{path}: unknown kind of picture {path.suffix!r}", fix="use .png, .svg or .pdf")
    need_writable(path)


@cache
def look_of_pictures() -> str:
    """Changes whenever the code that draws does: a version number stays while its code is worked on."""
    code = sha256()
    for path in sorted(STYLE.parent.glob("*.*")):
        code.update(path.read_bytes())
    return code.hexdigest()[:8]


@dataclass
class Figures:
    """Draws into `folder`, remembering which input each file shows."""

    folder: Path
    digest: str
    """Of what the figures show."""
    report: Report
    force: bool = False
    formats: tuple[str, ...] = ()
    """Beside PNG: "svg", "pdf"."""
    warnings: list[str] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)
    """PNG files by name."""

    def draw(self, name: str, make: Callable[[Path], object], *, anew: bool = False) -> None:
        """Draw `folder/name.png`, and in the other formats, unless they show this input already; `anew` in any case."""
        for kind in ("png", *self.formats):
            path = self.folder / f"{name}.{kind}"
            if self.make(path, make, anew=anew) and kind == "png":
                self.files[name] = path

    def make(self, path: Path, make: Callable[[Path], object], *, anew: bool = False) -> bool:
        """Write a file of the folder unless it shows this input already; False with a warning if it cannot be made."""
        if anew or self.force or not self.up_to_date(path.name):
            self.report(None, f"drawing {path.name}")
            try:
                with replaced(path) as temporary:
                    make(temporary)
            except UnavailableError as exc:
                self.warnings.append(f"{path.name} was not drawn: {exc.what}; {exc.fix}")
                return False
            made_of = self._made_of() | {path.name: self._shown}
            write_text(self.folder / _MADE_OF, json.dumps(made_of, indent=1, sort_keys=True) + "\n")
        return True

    def up_to_date(self, name: str) -> bool:
        """Whether that file of the folder shows this input."""
        return self._made_of().get(name) == self._shown and (self.folder / name).is_file()

    @property
    def _shown(self) -> str:
        return f"{self.digest}-{look_of_pictures()}"

    def _made_of(self) -> dict[str, str]:
        try:
            content = json.loads((self.folder / _MADE_OF).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}


def draw_levels(figures: Figures, ground: GroundState, alignment: BandAlignment | None) -> None:
    """Frontier levels, beside the measured one where there is one."""

    def make(path: Path) -> None:
        from cluster_qc.plotting.figures import save_levels

        save_levels(path, ground, alignment)

    figures.draw("levels", make)


def draw_convergence(figures: Figures, ground: GroundState, states: Sequence[ExcitedStates]) -> None:
    """The cycles of what has a history; another calculation of the same input has other ones."""
    if not (ground.history or any(kind.history for kind in states)):
        return

    def make(path: Path) -> None:
        from cluster_qc.plotting.figures import save_convergence

        save_convergence(path, ground, states)

    figures.draw("convergence", make, anew=True)


def draw_spectra(
    figures: Figures,
    cd: Spectrum,
    absorption: Spectrum,
    measured: tuple[tuple[float, int], ...] | None,
) -> None:
    """CD, with the signs of the measured bands where there are any, and absorption."""

    def make_cd(path: Path) -> None:
        from cluster_qc.plotting.figures import save_cd

        save_cd(path, cd, experiment_bands=measured)

    def make_absorption(path: Path) -> None:
        from cluster_qc.plotting.figures import save_absorption

        save_absorption(path, absorption)

    figures.draw("cd", make_cd)
    figures.draw("absorption", make_absorption)


def leading_orbitals(
    ground: GroundState, ntos: Mapping[str, NaturalTransitionOrbitals]
) -> dict[str, FloatArray]:
    """AO coefficients of HOMO, LUMO and the leading hole and electron orbital of each state in `ntos`, by name."""
    last = ground.nocc - 1
    orbitals = {"homo": ground.coefficients[0][:, last], "lumo": ground.coefficients[0][:, last + 1]}
    for label, nto in ntos.items():
        orbitals[f"{label.lower()}_hole"] = nto.hole[:, 0]
        orbitals[f"{label.lower()}_electron"] = nto.electron[:, 0]
    return orbitals


def draw_orbitals(
    figures: Figures, ground: GroundState, orbitals: Mapping[str, FloatArray], captions: Mapping[str, str]
) -> None:
    """A picture of each orbital with its caption, and the surfaces that the page turns."""
    volumes = cache(lambda: _volumes(ground, orbitals))
    figures.make(figures.folder / SURFACES, lambda path: _write_surfaces(path, volumes()))
    for name in orbitals:

        def make(path: Path, name: str = name) -> None:
            from cluster_qc.plotting.orbitals import plot_orbital

            plot_orbital(volumes()[name], ground.cluster, path, caption=with_share(captions[name]))

        figures.draw(name, make)


def with_share(caption: str, share: float = 0.7) -> str:
    """The caption of a picture of surfaces, with a typographic minus."""
    return f"{caption}; surfaces enclose {100 * share:.0f} % of the density".replace(" -", " \N{MINUS SIGN}")


def _volumes(ground: GroundState, orbitals: Mapping[str, FloatArray]) -> dict[str, Volume]:
    from cluster_qc.drivers.volume import orbital_volumes

    return dict(zip(orbitals, orbital_volumes(ground, np.column_stack(list(orbitals.values()))), strict=True))


def write_surfaces(path: Path, ground: GroundState, orbitals: Mapping[str, FloatArray]) -> None:
    """Write the surfaces of orbitals as the page takes them.

    Raises
    ------
    UnavailableError
        If pyvista is not installed.
    """
    _write_surfaces(path, _volumes(ground, orbitals))


def _write_surfaces(path: Path, volumes: Mapping[str, Volume]) -> None:
    from cluster_qc.plotting.orbitals import orbital_surface
    from cluster_qc.report.viewer import surfaces_data

    surfaces = {name: orbital_surface(volume) for name, volume in volumes.items()}
    path.write_text(json.dumps(surfaces_data(surfaces), separators=(",", ":")), encoding="utf-8")


def read_surfaces(directory: Path) -> dict[str, Any]:
    """The surfaces of a run's orbitals, none if it has no file of them or that is damaged."""
    try:
        content = json.loads((directory / "figures" / SURFACES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
