"""Looking at structures and at finished runs: what the other commands show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster_qc.errors import InputError, StorageError, UnavailableError
from cluster_qc.files import replaced
from cluster_qc.model import Cluster, ExcitedStates, GroundState, Spectrum, UPSReference
from cluster_qc.store import load
from cluster_qc.units import electronvolt
from cluster_qc.workflow.job import need_file
from cluster_qc.workflow.references import measured_homo
from cluster_qc.workflow.summary import read_summary


def inspect_structure(path: Path, disorder: str = "major") -> tuple[Cluster, dict[str, Any]]:
    """The cluster of a CIF or XYZ file and the report about it, as JSON values."""
    need_structure(path)
    if path.suffix.lower() == ".cif":
        from cluster_qc.structure.cif import inspect_cif

        choice: Any = disorder
        report = inspect_cif(path, disorder=choice)
        return report.cluster, report.as_json()
    from cluster_qc.structure.chirality import cip_labels, core_handedness
    from cluster_qc.structure.geometry import metal_metal_distances
    from cluster_qc.structure.xyz import read_xyz
    from cluster_qc.units import angstrom

    cluster = read_xyz(path)
    contacts = metal_metal_distances(cluster)
    return cluster, {
        "cluster": {
            "formula": cluster.formula,
            "natom": cluster.natom,
            "charge": cluster.charge,
            "copies_in_cell": None,
            "metal_metal_angstrom": [
                {"pair": c.pair, "distance": round(c.distance / angstrom, 4)} for c in contacts
            ],
        },
        "others": [],
        "disorder": {"present": False, "choice": None, "groups": []},
        "added_hydrogens": 0,
        "chirality": {
            "space_group_chiral": None,
            "flack": None,
            "cip": list(cip_labels(cluster)),
            "core_handedness": core_handedness(cluster),
        },
        "warnings": ["an XYZ file holds no charge: 0 is assumed"],
    }


def need_structure(path: Path) -> None:
    """Refuse a path that is no .cif or .xyz file."""
    need_file(path)
    if path.suffix.lower() not in (".cif", ".xyz"):
        raise InputError(f"{path}: unknown kind of file {path.suffix!r}", fix="give a .cif or .xyz file")


def structure_text(report: dict[str, Any]) -> str:
    """The report of `inspect_structure` as text."""
    cluster, disorder, chirality = report["cluster"], report["disorder"], report["chirality"]
    lines = [f"{cluster['formula']}: {cluster['natom']} atoms, charge {cluster['charge']:+d}"]
    if cluster["copies_in_cell"] is not None:
        lines.append(f"  copies in the cell   {cluster['copies_in_cell']}")
    contacts = ", ".join(f"{c['pair']} {c['distance']:.3f}" for c in cluster["metal_metal_angstrom"])
    if contacts:
        lines.append(f"  metal-metal (A)      {contacts}")
    lines += [f"  also in the cell     {o['count_in_cell']} x {o['formula']}" for o in report["others"]]
    if disorder["present"]:
        kept = [f"{g['assembly']}/{g['group']}" for g in disorder["groups"] if g["kept"]]
        lines.append(f"  disorder             {disorder['choice']}: kept {', '.join(kept) or 'none'}")
    else:
        lines.append("  disorder             none")
    if report["added_hydrogens"]:
        lines.append(f"  added hydrogens      {report['added_hydrogens']}")
    lines.append(f"  stereocentres        {', '.join(chirality['cip']) or 'none'}")
    lines.append(f"  core handedness      {chirality['core_handedness'] or 'not defined'}")
    if chirality["space_group_chiral"] is not None:
        lines.append(f"  chiral space group   {'yes' if chirality['space_group_chiral'] else 'no'}")
    if chirality["flack"] is not None:
        lines.append(f"  Flack parameter      {chirality['flack']}")
    return "\n".join([*lines, *(f"! {warning}" for warning in report["warnings"])])


def load_step(directory: Path, step: str) -> GroundState | ExcitedStates:
    """The result of a finished run's step: "scf", "singlets" or "triplets"."""
    records = read_summary(directory).get("provenance", {}).get("records", {})
    if step not in records:
        raise StorageError(f"{directory} has no {step}", fix="give its run command again")
    return load(directory / str(records[step]))


def simulate_run_cd(
    directory: Path, *, fwhm_ev: float | None = None, shift_ev: float | None = None, gauge: str | None = None
) -> Spectrum:
    """The CD of a finished run; width, shift and gauge are those of the run unless given."""
    from cluster_qc.analysis.spectra import simulate_cd

    stored = read_summary(directory).get("cd") or {}
    singlets = load_step(directory, "singlets")
    if not isinstance(singlets, ExcitedStates):
        raise StorageError(f"{directory}: its record of the singlets holds something else")
    width = stored.get("fwhm_ev", 0.3) if fwhm_ev is None else fwhm_ev
    shift = stored.get("shift_ev", 0.0) if shift_ev is None else shift_ev
    chosen: Any = gauge or stored.get("gauge", "length")
    return simulate_cd(singlets, fwhm=width * electronvolt, shift=shift * electronvolt, gauge=chosen)


def cd_text(directory: Path, curve: Spectrum) -> str:
    """The bands of a CD curve as text."""
    from cluster_qc.analysis.spectra import cotton_bands

    width, shift = curve.fwhm / electronvolt, curve.shift / electronvolt
    lines = [f"{directory}: fwhm {width:.2f} eV, shift {shift:+.2f} eV, {curve.gauge} form"]
    bands = cotton_bands(curve)
    lines += [
        f"  {band['wavelength_nm']:8.1f} nm {band['delta_epsilon_lmolcm']:+10.2f} L/(mol cm)"
        for band in bands
    ]
    return "\n".join(
        [*lines, *([] if bands else ["  no band"]), *(f"  {remark}" for remark in curve.remarks)]
    )


def write_cd(path: Path, curves: Sequence[Spectrum], labels: Sequence[str]) -> None:
    """Write CD curves: one picture with all of them, or the CSV table of a single one."""
    if path.suffix.lower() == ".csv":
        from cluster_qc.analysis.spectra import write_spectrum_csv

        if len(curves) != 1:
            raise InputError(
                f"{path}: a CSV holds one curve, not {len(curves)}", fix="give one folder, or FILE.png"
            )
        with replaced(path) as temporary:
            write_spectrum_csv(curves[0], temporary)
        return
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InputError(
            f"{path}: unknown kind of picture {path.suffix!r}", fix="use .png, .svg, .pdf or .csv"
        )
    from cluster_qc.plotting.figures import save_cd

    with replaced(path) as temporary:
        save_cd(temporary, list(curves), labels=labels)


def align_run(
    directory: Path, homo_ev: float | None = None, measured: UPSReference | None = None
) -> dict[str, Any]:
    """The alignment of a finished run, with the given HOMO (eV, or measured), or that of the job or the paper."""
    from cluster_qc.analysis.alignment import align_with_ups, alignment_summary

    stored = read_summary(directory).get("alignment")
    if homo_ev is None and measured is None and stored is not None:
        return dict(stored)
    ground = load_step(directory, "scf")
    if not isinstance(ground, GroundState):
        raise StorageError(f"{directory}: its record of the ground state holds something else")
    reference = measured or measured_homo(ground.cluster)
    if homo_ev is not None:
        reference = UPSReference(homo=homo_ev * electronvolt, source="given by the user")
    if reference is None:
        raise UnavailableError(
            f"no measured HOMO is known for {ground.cluster.formula}",
            why="there is nothing to compare the computed one with",
            fix="give it against the vacuum level, e.g. --homo -6.0, or a spectrum with --ups FILE",
        )
    return alignment_summary(align_with_ups(ground, reference))


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
            str(alignment["caveat"]),
        ]
    )


def run_text(directory: Path) -> str:
    """The report of a finished run as text."""
    from cluster_qc.report.text import text_report

    return text_report(read_summary(directory))


def rewrite_page(directory: Path) -> Path:
    """Write report.html of a finished run again, from its summary and figures."""
    from cluster_qc.report.page import write_page

    summary = read_summary(directory)
    cluster = load_step(directory, "scf")
    files = {path.stem: path for path in sorted((directory / "figures").glob("*.png"))}
    with replaced(directory / "report.html") as temporary:
        write_page(summary, temporary, files, cluster.cluster if isinstance(cluster, GroundState) else None)
    return directory / "report.html"
