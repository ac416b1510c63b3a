"""Looking at structures and at finished runs: what the other commands show."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

from cluster_qc.errors import InputError, StorageError, UnavailableError
from cluster_qc.files import need_writable, replaced
from cluster_qc.model import Cluster, ExcitedStates, GroundState, UPSReference
from cluster_qc.model.alignment import DEEPEST_HOMO
from cluster_qc.store import load
from cluster_qc.units import electronvolt
from cluster_qc.workflow.job import need_file
from cluster_qc.workflow.references import measured_homo
from cluster_qc.workflow.summary import CURVES
from cluster_qc.workflow.summary_file import read_summary, summary_errors

_LISTED = 8
_COLUMNS = 80  # of a terminal
_Result = TypeVar("_Result", GroundState, ExcitedStates)


def inspect_structure(
    path: Path,
    disorder: str = "major",
    *,
    block: str | None = None,
    long_bonds: bool | None = None,
    normalise_hydrogens: bool = False,
) -> tuple[Cluster, dict[str, Any]]:
    """The cluster of a CIF or XYZ file and the report about it, as JSON values; the options are for a CIF."""
    need_structure(path)
    if path.suffix.lower() == ".cif":
        from cluster_qc.structure.cif import inspect_cif

        choice: Any = disorder
        report = inspect_cif(
            path,
            disorder=choice,
            block=block,
            long_bonds=long_bonds,
            normalise_hydrogens=normalise_hydrogens,
        )
        return report.cluster, report.as_json()
    from cluster_qc.structure.chirality import core_handedness, stereocentres
    from cluster_qc.structure.crystal_report import cluster_json, stereocentre_json
    from cluster_qc.structure.xyz import label_warnings, read_xyz, stated_charge

    if (
        block is not None
        or long_bonds is not None
        or normalise_hydrogens
        or disorder not in ("major", "error")
    ):
        raise InputError(f"{path}: --block, --disorder, --long-bonds and --normalise-hydrogens are for a CIF")
    cluster = read_xyz(path)
    centres, no_labels = stereocentres(cluster)
    warnings = label_warnings(path)
    if stated_charge(path)[0] is None:
        warnings.append("the XYZ file states no charge: 0 is assumed")
    if no_labels:
        warnings.append(f"no CIP labels: {no_labels}")
    return cluster, {
        "cluster": cluster_json(cluster, None),
        "others": [],
        "disorder": {"present": False, "choice": None, "groups": []},
        "added_hydrogens": 0,
        "chirality": {
            "space_group_chiral": None,
            "flack": None,
            "cip": [centre.label for centre in centres],
            "stereocentres": stereocentre_json(centres),
            "core_handedness": core_handedness(cluster),
        },
        "warnings": warnings,
    }


def check_copy(source: Path, copy: Path) -> None:
    """Refuse, before any work, a copy that is no .xyz file, is the source itself or could not be written."""
    if copy.suffix.lower() != ".xyz":
        raise InputError(f"{copy}: unknown kind of file {copy.suffix!r}", fix="give FILE.xyz with -o")
    need_writable(copy)
    if copy.exists() and source.exists() and copy.samefile(source):
        raise InputError(
            f"{copy} is the structure file itself",
            why="it would be replaced",
            fix="give another name with -o",
        )


def need_structure(path: Path) -> None:
    """Refuse a path that is no .cif or .xyz file."""
    need_file(path)
    if path.suffix.lower() not in (".cif", ".xyz"):
        raise InputError(f"{path}: unknown kind of file {path.suffix!r}", fix="give a .cif or .xyz file")


def _signed(charge: float) -> str:
    """A charge with its sign; 0 has none."""
    return f"{charge:+.3g}" if charge else "0"


def structure_text(report: dict[str, Any]) -> str:
    """The report of `inspect_structure` as text."""
    cluster, disorder, chirality = report["cluster"], report["disorder"], report["chirality"]
    lines = [f"{cluster['formula']}: {cluster['natom']} atoms, charge {_signed(cluster['charge'])}"]

    def add(name: str, text: str) -> None:
        lines.append(f"  {name:<21}{text}")

    if "charge_reason" in cluster:
        add("charge", cluster["charge_reason"])
        for share in cluster["charge_shares"]:
            charge = "?" if share["charge"] is None else _signed(share["charge"])
            add("", f"{share['count']} x {share['formula']} {charge}: {share['reason']}")
    add("electrons", f"{cluster['electrons']}, multiplicity {cluster['multiplicity']}")
    if cluster["copies_in_cell"] is not None:
        add("copies in the cell", str(cluster["copies_in_cell"]))
    for title, values in (
        ("metal-metal (A)", [(c["pair"], c["distance"], 3) for c in cluster["metal_metal_angstrom"]]),
        ("metal angles (deg)", [(a["triple"], a["angle"], 1) for a in cluster["metal_angles_degrees"]]),
    ):
        if values:
            add(title, _series(values))
    for place in ("within the cluster", "to a neighbour"):
        near = [c for c in cluster.get("metal_contacts", {}).get("contacts", []) if c["where"] == place]
        if near:
            add("contacts (A)", f"{place}: {_series([(c['pair'], c['distance_angstrom'], 2) for c in near])}")
    if cluster.get("metal_contacts", {}).get("contacts"):
        add("", f"below the sum of the {cluster['metal_contacts']['radii']}")
    for other in report["others"]:
        add("also in the cell", f"{other['count_in_cell']} x {other['formula']}")
    add("disorder", disorder["choice"] if disorder["present"] else "none")
    for group in disorder["groups"]:
        share = "not given" if group["occupancy"] is None else f"{group['occupancy']:.2f}"
        name = "no group" if group["group"] is None else f"{group['assembly'] or '.'}/{group['group']}"
        atoms = ", ".join(group["labels"][:_LISTED]) + (", ..." if len(group["labels"]) > _LISTED else "")
        add("", f"{name} {'kept' if group['kept'] else 'left out'}, occupancy {share}: {atoms}")
    if report["added_hydrogens"]:
        add("added hydrogens", str(report["added_hydrogens"]))
    centres = [f"{c['element']}{c['atom']} {c['label']}" for c in chirality["stereocentres"]]
    add("stereocentres", ", ".join(centres) or "none")
    add("core handedness", chirality["core_handedness"] or "not defined")
    if chirality["space_group_chiral"] is not None:
        group = chirality["space_group"] or "not in the tables"
        add("space group", f"{group}, {'one hand' if chirality['space_group_chiral'] else 'both hands'}")
        if chirality["parameter"] is not None:
            add("absolute structure", f"{chirality['absolute_structure']} ({chirality['parameter']})")
    return "\n".join([*lines, *(f"! {warning}" for warning in report["warnings"])])


def _series(values: list[tuple[str, float, int]]) -> str:
    """Few values one by one; many as number, smallest, mean and largest of each kind."""
    if len(values) <= _LISTED:
        return ", ".join(f"{kind} {value:.{digits}f}" for kind, value, digits in values)
    kinds: dict[str, list[float]] = {}
    for kind, value, _ in values:
        kinds.setdefault(kind, []).append(value)
    digits = values[0][2]
    return ", ".join(
        f"{len(v)} {kind} {min(v):.{digits}f} to {max(v):.{digits}f} (mean {sum(v) / len(v):.{digits}f})"
        for kind, v in kinds.items()
    )


def load_ground(directory: Path) -> GroundState:
    """The ground state of a finished run.

    Raises
    ------
    StorageError
        If its record is not there, damaged, or of another kind.
    """
    return _load_step(directory, "scf", GroundState)


def load_states(directory: Path, spin: Literal["singlet", "triplet"]) -> ExcitedStates:
    """The singlets or the triplets of a finished run; errors as of `load_ground`."""
    return _load_step(directory, f"{spin}s", ExcitedStates)


def _load_step(directory: Path, step: str, kind: type[_Result]) -> _Result:
    records = dict(read_summary(directory).get("provenance", {}).get("records", {}))
    name = str(records.get(step, ""))
    if not name or Path(name).name != name or not (directory / name).is_dir():
        raise StorageError(
            f"{directory} has no {step}" + (f": the record {name} is not there" if name else ""),
            why="this needs the arrays of the calculation, which a copy of its summary and figures lacks",
            fix="use the folder in which the run was made, or give its run command again: it computes what is missing",
        )
    result = load(directory / name)
    if not isinstance(result, kind):
        raise StorageError(
            f"{directory / name} holds no {step}", fix="give the run command with another folder (-o)"
        )
    return result


def align_run(
    directory: Path, homo_ev: float | None = None, measured: UPSReference | None = None
) -> dict[str, Any]:
    """The alignment of a finished run, with the given HOMO (eV, or measured), or that of the job or the paper.

    Raises
    ------
    InputError
        If there is no measured HOMO, or it cannot be one.
    NotConvergedError
        If the ground state did not converge.
    """
    from cluster_qc.analysis.alignment import align_levels, alignment_summary

    summary = read_summary(directory)
    stored = summary.get("alignment")
    if homo_ev is None and measured is None and stored is not None:
        return dict(stored)
    if homo_ev is not None:
        if not DEEPEST_HOMO < homo_ev * electronvolt < 0:
            raise InputError(
                f"--homo is {homo_ev:g} eV",
                why=f"against the vacuum level it lies between {DEEPEST_HOMO / electronvolt:g} and 0 eV",
                fix="e.g. --homo -6.0",
            )
        measured = UPSReference(homo=homo_ev * electronvolt, source="given by the user")
    with summary_errors(directory):
        structure = summary["structure"]
        reference = measured or measured_homo(structure["formula"], structure["charge"])
        if reference is None:
            raise UnavailableError(
                f"no measured HOMO is known for {structure['formula']}",
                why="there is nothing to compare the computed one with",
                fix="give it against the vacuum level, e.g. --homo -6.0, or a spectrum with --ups FILE",
            )
        levels = summary["levels"]
        homo, lumo = (levels[key] * electronvolt for key in ("homo_ev", "lumo_ev"))
        converged = bool(levels["scf_converged"])
        return alignment_summary(align_levels(homo, lumo, reference, converged=converged))


def alignment_text(alignment: dict[str, Any]) -> str:
    """An alignment as text."""
    verdict = "agrees" if alignment["agrees"] else "disagrees"
    uncertainty = alignment["measured_uncertainty_ev"]
    error = "" if uncertainty is None else f" +- {uncertainty:.2f}"
    return "\n".join(
        [
            f"HOMO computed  {alignment['homo_ev']:8.2f} eV",
            f"HOMO measured  {alignment['measured_homo_ev']:8.2f}{error} eV  ({alignment['source'] or 'no source'})",
            f"difference     {alignment['deviation_ev']:+8.2f} eV: {verdict} within {alignment['tolerance_ev']:.2f} eV",
            *textwrap.wrap(str(alignment["caveat"]), _COLUMNS),
        ]
    )


def run_text(directory: Path) -> str:
    """The report of a finished run as text."""
    from cluster_qc.report.text import text_report

    with summary_errors(directory):
        return text_report(read_summary(directory))


def rewrite_page(directory: Path) -> Path:
    """Write report.html of a finished run again, from the files of its folder.

    A run made before pages could be turned has its orbitals evaluated now.
    """
    from cluster_qc.report.page import write_page
    from cluster_qc.structure.xyz import read_xyz

    summary = read_summary(directory)
    structure, coordinates = summary.get("structure") or {}, directory / "structure.xyz"
    cluster = None
    if coordinates.is_file():
        cluster = read_xyz(coordinates, int(structure.get("charge") or 0), name=str(summary.get("name")))
        cluster = dataclasses.replace(cluster, source=str(structure.get("source") or cluster.source))
    figures = {path.stem: path for path in sorted((directory / "figures").glob("*.png"))}
    with summary_errors(directory), replaced(directory / "report.html") as temporary:
        write_page(
            summary,
            temporary,
            figures,
            cluster,
            curves={
                name: directory / f"{name}.csv" for name in CURVES if (directory / f"{name}.csv").is_file()
            },
            surfaces=_surfaces(directory, summary),
        )
    return directory / "report.html"


def _surfaces(directory: Path, summary: dict[str, Any]) -> dict[str, Any]:
    from cluster_qc.workflow.figures import SURFACES, leading_orbitals, read_surfaces, write_surfaces

    records = summary.get("provenance", {}).get("records", {})
    path = directory / "figures" / SURFACES
    if not path.is_file() and "scf" in records and (directory / str(records["scf"])).is_dir():
        from cluster_qc.drivers.nto import natural_transition_orbitals

        ground = load_ground(directory)
        spins: tuple[Literal["singlet", "triplet"], ...] = ("singlet", "triplet")
        lowest = [
            natural_transition_orbitals(load_states(directory, spin)[0])
            for spin in spins
            if f"{spin}s" in records
        ]
        with suppress(UnavailableError), replaced(path) as temporary:  # the page says that there are none
            write_surfaces(temporary, ground, leading_orbitals(ground, {nto.label: nto for nto in lowest}))
    return read_surfaces(directory)


def compare_runs(directories: Sequence[Path], output: Path) -> Path:
    """Write one page about several finished runs."""
    from cluster_qc.report.comparison import write_comparison

    if output.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{output}: unknown kind of page {output.suffix!r}", fix="give a .html file")
    summaries = [read_summary(directory) for directory in directories]
    names = [str(summary.get("name")) for summary in summaries]
    if len(set(names)) < len(names):  # one molecule by several methods
        names = [directory.resolve().name for directory in directories]
    with replaced(output) as temporary:
        write_comparison(list(zip(names, summaries, directories, strict=True)), temporary)
    return output
