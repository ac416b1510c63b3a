"""The figures of a run; drawn again only when their content changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cluster_qc.errors import InputError, UnavailableError
from cluster_qc.files import replaced, write_text
from cluster_qc.model import (
    BandAlignment,
    GroundState,
    NaturalTransitionOrbitals,
    Spectrum,
)
from cluster_qc.model.arrays import FloatArray
from cluster_qc.workflow.progress import Report

PICTURES = (".png", ".svg", ".pdf")
_MADE_OF = ".made-of.json"


def need_picture(path: Path) -> None:
    """Refuse a file name that is no picture's."""
    if path.suffix.lower() not in PICTURES:
        raise InputError(f"{path}: unknown kind of picture {path.suffix!r}", fix="use .png, .svg or .pdf")


@dataclass
class Figures:
    """Draws into `folder`, remembering which input each file shows."""

    folder: Path
    digest: str
    """Changes whenever a figure could look different."""
    report: Report
    force: bool = False
    warnings: list[str] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)
    """Figure files by name."""

    def draw(self, name: str, make: Callable[[Path], object]) -> None:
        """Draw `folder/name.png` unless it shows this input already."""
        path = self.folder / f"{name}.png"
        made_of = self._made_of()
        if self.force or made_of.get(path.name) != self.digest or not path.is_file():
            self.report(None, f"drawing {path.name}")
            try:
                with replaced(path) as temporary:
                    make(temporary)
            except UnavailableError as exc:
                self.warnings.append(f"{path.name} was not drawn: {exc.what}; {exc.fix}")
                return
            made_of[path.name] = self.digest
            write_text(self.folder / _MADE_OF, json.dumps(made_of, indent=1, sort_keys=True) + "\n")
        self.files[name] = path

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


def draw_orbitals(
    figures: Figures, ground: GroundState, ntos: Mapping[str, NaturalTransitionOrbitals]
) -> None:
    """HOMO, LUMO and the leading hole and electron orbital of each state in `ntos`."""
    last = ground.nocc - 1
    orbitals = {"homo": ground.coefficients[0][:, last], "lumo": ground.coefficients[0][:, last + 1]}
    for label, nto in ntos.items():
        orbitals[f"{label.lower()}_hole"] = nto.hole[:, 0]
        orbitals[f"{label.lower()}_electron"] = nto.electron[:, 0]
    for name, coefficients in orbitals.items():

        def make(path: Path, name: str = name, coefficients: FloatArray = coefficients) -> None:
            from cluster_qc.drivers.volume import orbital_volume
            from cluster_qc.plotting.orbitals import plot_orbital

            plot_orbital(orbital_volume(ground, coefficients, label=name), ground.cluster, path)

        figures.draw(name, make)
