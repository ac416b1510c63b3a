"""A validated job: what to compute on which structure, from a JOB.toml, a preset and command-line options."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field

from cluster_qc.errors import InputError
from cluster_qc.model import Cluster, DFTMethod, TDDFTMethod, UPSReference
from cluster_qc.model.alignment import DEEPEST_HOMO
from cluster_qc.model.elements import is_metal
from cluster_qc.model.method import WIDEST_WINDOW
from cluster_qc.model.spectrum import LARGEST_SHIFT, WIDEST_BAND
from cluster_qc.store import folder_name
from cluster_qc.units import electronvolt
from cluster_qc.workflow.presets import DONOR_BASIS, PRESETS
from cluster_qc.workflow.toml_input import Section, nearest, read_toml

_WIDEST_WINDOW_EV = round(WIDEST_WINDOW / electronvolt, 1)
_Section = TypeVar("_Section", bound=Section)

NoneWord = Literal["none"]
"""TOML has no null: "none" switches an optional setting off."""


Overrides = Annotated[dict[str, str], BeforeValidator(lambda v: dict(v) if isinstance(v, list) else v)]
"""{Au = "def2-tzvp"} or [["Au", "def2-tzvp"]]."""


class Molecule(Section):
    """[molecule]: what to take from the structure file."""

    charge: int | None = None
    multiplicity: int | None = None
    disorder: str = "major"
    block: str | None = None


class Method(Section):
    """[method]: the fields of `DFTMethod`."""

    functional: str = ""
    basis: str = ""
    basis_overrides: Overrides = {}
    ecp: str = "auto"
    auxiliary_basis: str = ""
    omega: float | None = None
    dispersion: Literal["d3bj", "d4", "none"] = "none"
    grid_level: int = 3
    cartesian: bool = False
    conv_tol: float = 1e-8
    max_cycle: int = 100


class States(Section):
    """[singlets] and [triplets]: the fields of `TDDFTMethod`, the window in eV."""

    nstates: int = 1
    window_ev: float = Field(default=5.0, gt=0, lt=_WIDEST_WINDOW_EV)
    tda: bool = False
    route: Literal["fast", "reference"] = "reference"
    tolerance: float = 1e-3
    frozen_below: float | NoneWord = "none"
    virtual_above: float | NoneWord = "none"
    exchange_rank: float = 1.0
    grid_level: int = 3
    max_cycle: int = 60


class SpectrumSection(Section):
    """[spectrum]: width and shift of the drawn bands; the shift is 0 unless asked for, and printed."""

    fwhm_ev: float = Field(default=0.3, gt=0, le=WIDEST_BAND / electronvolt)
    shift_ev: float = Field(default=0.0, ge=-LARGEST_SHIFT / electronvolt, le=LARGEST_SHIFT / electronvolt)


class Experiment(Section):
    """[experiment]: a measured HOMO against the vacuum level."""

    homo_ev: float = Field(lt=0, gt=DEEPEST_HOMO / electronvolt)
    uncertainty_ev: float | None = Field(default=None, gt=0)
    source: str = ""


class JobSettings(Section):
    """What a JOB.toml says of the calculation."""

    preset: Literal["quick", "standard", "reference"] = "standard"
    molecule: Molecule = Molecule()
    method: Method = Method()
    singlets: States = States()
    triplets: States = States()
    spectrum: SpectrumSection = SpectrumSection()
    experiment: Experiment | None = None


class JobFile(JobSettings):
    """A whole JOB.toml; only `structure` is required."""

    structure: str
    """CIF or XYZ file, relative to the job file, as are basis sets and ECPs that are files."""
    name: str | None = None
    output: str | None = None
    """Results folder, relative to where the command runs; the -o option goes first."""


@dataclass(frozen=True)
class Job:
    """A job as it will run; the DFT method may still depend on the elements, see `dft_method`."""

    structure: Path
    directory: Path
    name: str
    preset: str
    molecule: Molecule
    method: Mapping[str, Any]
    """Keyword arguments of `DFTMethod`."""
    user_method: frozenset[str]
    """Keys of `method` that the user gave, against those of the preset."""
    singlets: TDDFTMethod
    triplets: TDDFTMethod
    fwhm: float
    """Hartree."""
    shift: float
    """Hartree."""
    experiment: UPSReference | None

    def dft_method(self, cluster: Cluster, donors: tuple[str, ...]) -> DFTMethod:
        """The ground-state method; `donors` are the elements bound to the metals."""
        values = dict(self.method)
        overrides: dict[str, str] = {}
        if (better := DONOR_BASIS.get(self.preset)) and "basis" not in self.user_method:
            metals = {symbol for symbol in cluster.symbols if is_metal(symbol)}
            overrides = dict.fromkeys(sorted(metals | set(donors)), better)
        overrides.update(values.pop("basis_overrides", {}))
        return DFTMethod(**values, basis_overrides=tuple(sorted(overrides.items())))


def load_job(
    path: str | Path,
    *,
    output: str | Path | None = None,
    preset: str | None = None,
    nstates: int | None = None,
    window_ev: float | None = None,
    charge: int | None = None,
    multiplicity: int | None = None,
    functional: str | None = None,
    basis: str | None = None,
    disorder: str | None = None,
    block: str | None = None,
) -> Job:
    """Build a job from a structure file or a JOB.toml; an option that is not None overrides both file and preset.

    Raises
    ------
    InputError
        For a missing file, a syntax error, an unknown key (the nearest one is named) or a value out of range.
    """
    path = Path(path)
    need_file(path)
    file = read_toml(path, JobFile) if path.suffix.lower() == ".toml" else JobFile(structure=path.name)
    if preset is not None and preset not in PRESETS:
        raise InputError(
            f"unknown preset {preset!r}{nearest(preset, PRESETS)}", fix=f"use one of {', '.join(PRESETS)}"
        )
    file = _updated(
        file,
        preset=preset,
        molecule=_updated(
            file.molecule, charge=charge, multiplicity=multiplicity, disorder=disorder, block=block
        ),
        method=_updated(file.method, functional=functional, basis=basis and own_file(basis, Path())),
        singlets=_with_range(file.singlets, nstates, window_ev),
    )
    return job_of(file, path, output=output)


def job_of(file: JobFile, path: Path, *, output: str | Path | None = None) -> Job:
    """The job of a file that is read already; the files that it names are relative to the folder of `path`.

    Raises
    ------
    InputError
        For a structure file that is not there, or a value out of range.
    """
    structure = path.parent / Path(file.structure).expanduser()
    need_file(structure, f"{path}: structure")
    base = PRESETS[file.preset]
    method = with_own_files(file.method.given(), path.parent)
    spectrum = {**base["spectrum"], **file.spectrum.given()}
    name = folder_name(file.name or structure.stem)
    return Job(
        structure=structure,
        directory=Path(output or file.output or Path("results") / name),
        name=name,
        preset=file.preset,
        molecule=file.molecule,
        method={**base["method"], **method},
        user_method=frozenset(method),
        singlets=_states(path, "singlets", base["singlets"], file.singlets.given()),
        triplets=_states(path, "triplets", base["triplets"], file.triplets.given()),
        fwhm=spectrum["fwhm_ev"] * electronvolt,
        shift=spectrum["shift_ev"] * electronvolt,
        experiment=_reference(file.experiment),
    )


def with_own_files(method: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The keys of [method] with each basis set and ECP that is a file by its absolute path; see `own_file`."""
    found = dict(method)
    for key in ("basis", "ecp", "auxiliary_basis"):
        if isinstance(name := found.get(key), str):
            found[key] = own_file(name, folder)
    if isinstance(overrides := found.get("basis_overrides"), Mapping):
        found["basis_overrides"] = {
            element: own_file(name, folder) if isinstance(name, str) else name
            for element, name in overrides.items()
        }
    return found


def own_file(name: str, folder: Path) -> str:
    """The absolute path of a basis set that is a file of the user, relative to `folder`; a name as it is.

    A file is named with its folder, as PySCF has it. Absolute, because a result may be looked at, and a run go on, from
    another folder.
    """
    if os.sep not in name or "\n" in name:  # a whole basis set may be given as text
        return name
    return str((folder / Path(name).expanduser()).resolve())


def _updated(section: _Section, **options: Any) -> _Section:
    """A copy in which each option that is not None goes before the file."""
    return section.model_copy(update={key: value for key, value in options.items() if value is not None})


def _with_range(singlets: States, nstates: int | None, window_ev: float | None) -> States:
    """The section with the number or the window of the command line in place of either in the file."""
    if nstates is not None and nstates < 1:
        raise InputError(f"--states is {nstates}", why="at least one state is needed", fix="give 1 or more")
    if nstates is not None and window_ev is not None:
        raise InputError(
            "--states and --window both say how many singlets to compute", fix="give one of the two"
        )
    if window_ev is not None and not 0 < window_ev < _WIDEST_WINDOW_EV:
        raise InputError(
            f"--window is {window_ev:g} eV",
            why=f"it is an excitation energy between 0 and {_WIDEST_WINDOW_EV:g} eV",
            fix="e.g. --window 5.5",
        )
    if nstates is None and window_ev is None:
        return singlets
    kept = {key: getattr(singlets, key) for key in singlets.model_fields_set - {"nstates", "window_ev"}}
    return _updated(States(**kept), nstates=nstates, window_ev=window_ev)


def _states(path: Path, section: str, *layers: Mapping[str, Any]) -> TDDFTMethod:
    """Each layer overrides those before it; a number of states puts a window out of force, and the reverse."""
    values: dict[str, Any] = {}
    for layer in layers:
        if {"nstates", "window_ev"} & layer.keys():
            values = {k: v for k, v in values.items() if k not in ("nstates", "window_ev")}
        values |= layer
    if "window_ev" in values:
        values["window"] = values.pop("window_ev") * electronvolt
    try:
        return TDDFTMethod(**values, spin="singlet" if section == "singlets" else "triplet")
    except InputError as exc:
        raise InputError(f"{path}: [{section}] {exc.what}", why=exc.why, fix=exc.fix) from exc


def _reference(section: Experiment | None) -> UPSReference | None:
    if section is None:
        return None
    uncertainty = section.uncertainty_ev
    return UPSReference(
        homo=section.homo_ev * electronvolt,
        uncertainty=None if uncertainty is None else uncertainty * electronvolt,
        source=section.source,
    )


def need_file(path: Path, what: str = "") -> None:
    """Refuse a path that is no file.

    Raises
    ------
    InputError
        If it does not exist, or is a folder.
    """
    prefix = f"{what}: " if what else ""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InputError(f"{prefix}{path} is no regular file", fix="give a .cif, .xyz or .toml file")
    if path.is_dir():
        raise InputError(f"{prefix}{path} is a folder, not a file", fix="give a .cif, .xyz or .toml file")
    if not path.exists():
        near = difflib.get_close_matches(path.name, _neighbours(path), n=1)
        hint = f"; {path.parent / near[0]} exists" if near else ""
        raise InputError(f"{prefix}no such file: {path}{hint}", fix="check the path")


def _neighbours(path: Path) -> list[str]:
    try:
        return [p.name for p in path.parent.iterdir()]
    except OSError:
        return []
