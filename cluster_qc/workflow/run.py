"""The main job: structure, ground state, triplets, singlets, then the summary, figures and page."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cluster_qc.errors import InputError
from cluster_qc.files import need_writable, remove_unfinished, replaced
from cluster_qc.hashing import ground_hash, input_hash, states_hash
from cluster_qc.model import BandAlignment, Cluster, DFTMethod, ExcitedStates, GroundState, UPSReference
from cluster_qc.provenance import cpu_model, threads, versions
from cluster_qc.workflow import summary as parts
from cluster_qc.workflow.figures import (
    SURFACES,
    Figures,
    draw_convergence,
    draw_levels,
    draw_orbitals,
    draw_spectra,
    leading_orbitals,
    read_surfaces,
    vector_formats,
)
from cluster_qc.workflow.job import Job
from cluster_qc.workflow.levels import stored_levels
from cluster_qc.workflow.lock import folder_lock
from cluster_qc.workflow.progress import DONE, NOT_CONVERGED, Monitor, monitor
from cluster_qc.workflow.references import measured_cotton_signs, measured_homo
from cluster_qc.workflow.steps import Steps, something_to_compute
from cluster_qc.workflow.summary_file import SCHEMA_VERSION, finite, write_summary


@dataclass(frozen=True)
class Outcome:
    """A finished run."""

    directory: Path
    summary: dict[str, Any]

    @property
    def converged(self) -> bool:
        """False if anything in it did not converge."""
        return bool(self.summary["converged"])


def run(
    job: Job,
    *,
    force: bool = False,
    quiet: bool = False,
    pictures: bool = True,
    formats: Sequence[str] = (),
    scratch: Path | None = None,
) -> Outcome:
    """Run a job to its end; what is on disk already from an earlier call is not computed again.

    Parameters
    ----------
    job
        What to do.
    force
        Compute everything anew.
    quiet
        No progress on standard error; run.log is written all the same.
    pictures
        Draw orbitals in three dimensions; the levels and spectra are drawn in any case.
    formats
        Of the figures beside PNG: "svg", "pdf".
    scratch
        Folder for a large temporary file, such as the disk of a compute node; default the results folder.

    Raises
    ------
    InputError
        For an input that cannot be computed, before anything is written.
    ResourceError
        If the machine is too small for the job, before anything is written.
    StorageError
        If the results folder cannot be written, or another run holds it.
    """
    vector = vector_formats(formats)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    for folder in (job.directory, job.directory / "figures", *([scratch] if scratch else [])):
        need_writable(folder, folder=True)
    cluster, notes = read_structure(job)
    method = job.dft_method(cluster, donor_elements(cluster))
    check(cluster, method)
    plan = None
    if force or something_to_compute(job.directory, cluster, method, job.triplets, job.singlets):
        from cluster_qc.drivers.plan import plan_job

        plan = plan_job(cluster, method, job.triplets, job.singlets)
        plan.check(scratch or job.directory)
    with folder_lock(job.directory), monitor(job.directory, quiet=quiet) as log:
        for folder in (job.directory, job.directory / "figures"):
            remove_unfinished(folder)
        log.note(f"{cluster.name}: {cluster.formula}, {cluster.natom} atoms, {cluster.nelectron} electrons")
        if plan is not None:
            log.note(f"plan: {plan}")
        copy = job.directory / "structure.xyz"
        if not (copy.exists() and copy.samefile(job.structure)):
            write_structure(cluster, copy)
        steps = Steps(job.directory, log, force, scratch=scratch)
        ground = steps.ground(cluster, method)
        states = {}
        if ground.converged:
            states["triplets"] = steps.states(ground, job.triplets)
            states["singlets"] = steps.states(ground, job.singlets)
            steps.release()
        summary = conclude(job, ground, states, steps, notes, started, log, pictures, vector)
        log.note(f"{DONE if summary['converged'] else NOT_CONVERGED}: {job.directory / 'report.html'}")
    return Outcome(job.directory, summary)


def read_structure(job: Job) -> tuple[Cluster, list[str]]:
    """The cluster, and what the reader of its structure had to choose."""
    if job.structure.suffix.lower() == ".xyz":
        from cluster_qc.structure.xyz import label_warnings, read_xyz, stated_charge

        if job.molecule.block is not None or job.molecule.disorder not in ("major", "error"):
            raise InputError(
                f"{job.structure} is an XYZ file, which has neither data blocks nor disorder",
                fix="leave block and disorder out, or give the CIF",
            )
        given, stated = job.molecule.charge, stated_charge(job.structure)[0]
        notes = label_warnings(job.structure)
        if given is None and stated is None:
            notes.append("the XYZ file states no charge: 0 was assumed")
        elif given is not None and stated is not None and given != stated:
            notes.append(f"charge {given:+d} was given; the XYZ file states {stated:+d}")
        return read_xyz(job.structure, given, job.molecule.multiplicity, name=job.name), notes
    if job.structure.suffix.lower() != ".cif":
        raise InputError(
            f"{job.structure}: unknown kind of file {job.structure.suffix!r}",
            fix="give a .cif or .xyz structure, or a .toml job",
        )
    from cluster_qc.structure.cif import inspect_cif, read_cif

    choices: dict[str, Any] = job.molecule.model_dump() | {"name": job.name}
    cluster = read_cif(job.structure, **choices)  # refuses what inspect_cif only reports
    return cluster, list(inspect_cif(job.structure, **choices).warnings)


def donor_elements(cluster: Cluster) -> tuple[str, ...]:
    """Elements of the atoms bound to the metals, from the fragment "donors"."""
    atoms = [atom for fragment in cluster.fragments if fragment.name == "donors" for atom in fragment.atoms]
    return tuple(sorted({cluster.symbols[atom] for atom in atoms}))


def check(cluster: Cluster, method: DFTMethod) -> None:
    """Refuse before anything is written what would fail later.

    Raises
    ------
    InputError
        For an open shell, and for an unknown functional, basis set or ECP.
    """
    if cluster.multiplicity != 1:
        raise InputError(
            f"{cluster.name} has multiplicity {cluster.multiplicity}",
            why="the excited states of this job are defined on a closed-shell ground state",
            fix="correct charge and multiplicity, or use run_scf of the library for the ground state alone",
        )
    from cluster_qc.drivers.mole import build_mole

    build_mole(cluster, method)


def write_structure(cluster: Cluster, path: Path) -> None:
    """Write an XYZ file in one step."""
    from cluster_qc.structure.xyz import write_xyz

    with replaced(path) as temporary:
        write_xyz(cluster, temporary)


def conclude(
    job: Job,
    ground: GroundState,
    states: dict[str, ExcitedStates],
    steps: Steps,
    notes: list[str],
    started: str,
    log: Monitor,
    pictures: bool = True,
    formats: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Analyse, draw and write."""
    begin = time.perf_counter()
    report = log.step("analysis")
    cluster = ground.cluster
    report(None, "levels, shares and natural transition orbitals")
    cip = cip_of(cluster)
    alignment = (
        align(ground, job.experiment or measured_homo(cluster.formula, cluster.charge))
        if ground.converged
        else None
    )
    digest = job_hash(job, ground)
    figures = Figures(job.directory / "figures", digest, report, steps.force, formats)
    content: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "name": job.name,
        "structure": parts.structure_summary(cluster, cip),
        "conventions": parts.CONVENTIONS,
        "method": parts.method_summary(job, ground),
        "levels": parts.levels_summary(ground, states),
        "singlets": [],
        "triplets": [],
        "ntos": {},
        "cd": None,
        "alignment": parts.alignment_of(alignment),
        "levels_by_calculation": stored_levels(job.directory, ground),
        "convergence": parts.convergence_summary(ground, states),
        "converged": ground.converged,
        "warnings": notes + parts.warnings_of(ground, list(states.values())),
        "reasons": {},
    }
    draw_levels(figures, ground, alignment)
    draw_convergence(figures, ground, list(states.values()))
    ntos = {}
    for kind in ("singlets", "triplets"):
        if kind in states:
            content[kind] = parts.states_summary(states[kind])
            content["converged"] = content["converged"] and bool(states[kind].converged.all())
            content["reasons"].update(parts.reasons_of(states[kind]))
            nto = lowest_nto(states[kind])
            ntos[nto.label] = nto
    content["ntos"] = {label: parts.nto_summary(ground, nto) for label, nto in ntos.items()}
    if "singlets" in states:
        content["cd"] = spectra(job, states["singlets"], figures, measured_cotton_signs(cluster, cip))
    content["timings_s"] = {**steps.timings_s, "analysis": time.perf_counter() - begin}
    content["peak_memory_gib"] = steps.peak_memory_gib
    content["provenance"] = provenance(digest, steps, started)
    write_results(content, job.directory, figures, cluster)
    if ntos and pictures:
        from cluster_qc.report.viewer import orbital_caption

        # The numbers are safe before a graphics driver gets its chance to end the process.
        orbitals = leading_orbitals(ground, ntos)
        draw_orbitals(
            figures, ground, orbitals, {name: orbital_caption(name, content) or name for name in orbitals}
        )
        content["warnings"] += figures.warnings
        content["timings_s"]["analysis"] = time.perf_counter() - begin
        write_results(content, job.directory, figures, cluster)
    return content


def cip_of(cluster: Cluster) -> list[str]:
    """CIP labels of the stereocentres."""
    from cluster_qc.structure.chirality import cip_labels

    return list(cip_labels(cluster))


def align(ground: GroundState, reference: UPSReference | None) -> BandAlignment | None:
    """The computed beside the measured HOMO, None without a measurement."""
    if reference is None:
        return None
    from cluster_qc.analysis.alignment import align_with_ups

    return align_with_ups(ground, reference)


def lowest_nto(states: ExcitedStates) -> Any:
    """Natural transition orbitals of the lowest state."""
    from cluster_qc.drivers.nto import natural_transition_orbitals

    return natural_transition_orbitals(states[0])


def spectra(
    job: Job,
    singlets: ExcitedStates,
    figures: Figures,
    measured: tuple[tuple[float, int], ...] | None,
) -> dict[str, Any]:
    """CD and absorption: curves, figures, and what the summary says of the CD."""
    from cluster_qc.analysis.spectra import simulate_absorption, simulate_cd, write_spectrum_csv

    gauge = parts.cd_gauge(singlets)
    cd = simulate_cd(singlets, fwhm=job.fwhm, shift=job.shift, gauge=gauge, allow_unconverged=True)
    absorption = simulate_absorption(singlets, fwhm=job.fwhm, shift=job.shift, allow_unconverged=True)
    for name, spectrum in zip(parts.CURVES, (cd, absorption), strict=True):
        with replaced(job.directory / f"{name}.csv") as temporary:
            write_spectrum_csv(spectrum, temporary)
    draw_spectra(figures, cd, absorption, measured)
    return parts.cd_summary(cd, "cd.csv", measured)


def job_hash(job: Job, ground: GroundState) -> str:
    """SHA-256 of everything that the summary and the figures depend on."""
    settings = {
        "singlets": job.singlets,
        "triplets": job.triplets,
        "fwhm": job.fwhm,
        "shift": job.shift,
        "experiment": job.experiment,
        "fragments": ground.cluster.fragments,
        "versions": versions(),
    }
    first = ground_hash(ground.cluster, ground.method)
    return input_hash(
        "summary", settings, (first, *(states_hash(first, m) for m in (job.triplets, job.singlets)))
    )


def provenance(digest: str, steps: Steps, started: str) -> dict[str, Any]:
    """Where the numbers come from; the environment is that of the process which wrote the summary."""
    return {
        "input_hash": digest,
        "started": started,
        "cpu": cpu_model(),
        "threads": threads(),
        "openblas_coretype": os.environ.get("OPENBLAS_CORETYPE"),
        "versions": versions(),
        "records": dict(steps.records),
        "resumed_inside": list(steps.resumed_inside),
    }


def write_results(content: dict[str, Any], directory: Path, figures: Figures, cluster: Cluster) -> None:
    """Write report.html and then summary.json, each in one step."""
    from cluster_qc.report.page import write_page

    content = finite(content)
    curves = {name: directory / f"{name}.csv" for name in parts.CURVES} if content["cd"] else {}
    surfaces = read_surfaces(directory) if figures.up_to_date(SURFACES) else {}
    with replaced(directory / "report.html") as temporary:
        write_page(content, temporary, figures.files, cluster, curves=curves, surfaces=surfaces)
    write_summary(directory / "summary.json", content)
