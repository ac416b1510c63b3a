"""Levels by calculation: ions by total energies, a continuum, a tuned functional, beside what the run computed."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cluster_qc.errors import NotConvergedError, StorageError
from cluster_qc.files import remove_unfinished, storage_errors, write_text
from cluster_qc.hashing import ground_hash, input_hash
from cluster_qc.model import ChargeStates, DFTMethod, GroundState, Tuning, UPSReference, ion_of
from cluster_qc.provenance import versions
from cluster_qc.records import record_path
from cluster_qc.report.values import seconds
from cluster_qc.store import load
from cluster_qc.units import electronvolt
from cluster_qc.workflow.lock import folder_lock
from cluster_qc.workflow.look import load_ground, rewrite_page
from cluster_qc.workflow.progress import DONE, NOT_CONVERGED, Monitor, monitor
from cluster_qc.workflow.references import measured_homo
from cluster_qc.workflow.steps import Steps
from cluster_qc.workflow.summary_file import read_summary, write_summary

SCHEMA_VERSION = 1
TUNED_FUNCTIONAL = "lc_wpbe"
"""All exchange exact at long range: Vydrov and Scuseria, J. Chem. Phys. 125, 234109 (2006), 10.1063/1.2409292."""
_KEY = "levels_by_calculation"
_FILE = "levels.json"
_FOLDER = "levels"
_COLUMNS = ("quantity", "calculation", "value_ev", "measured_ev", "deviation_ev", "what", "reason", "caveat")


def run_levels(
    directory: Path,
    *,
    permittivity: float | None = None,
    tuned: bool = False,
    force: bool = False,
    quiet: bool = False,
    scratch: Path | None = None,
) -> dict[str, Any]:
    """Compute the levels of a run's ground state, and return what levels.json holds.

    What is in `directory`/levels already is not computed again.

    Parameters
    ----------
    directory
        Results folder of a run whose ground state is there; the run may still be going on.
    permittivity
        Relative permittivity of a continuum in which the ground state and the ions are computed too.
    tuned
        Tune the range separation of `TUNED_FUNCTIONAL` and compute the levels with it.
    force, quiet, scratch
        As in `workflow.run.run`.

    Raises
    ------
    NotConvergedError
        If the ground state of the run did not converge.
    InputError, ResourceError
        For what cannot be computed, before anything is written.
    StorageError
        If there is no ground state, or the folder cannot be written or is in use.
    """
    ground = ground_of(directory)
    if not ground.converged:
        raise NotConvergedError(
            f"the ground state in {directory} did not converge",
            why="the ions start from it and are compared with it",
            fix="give the run more cycles (max_cycle in a JOB.toml), and run it again",
        )
    methods = [ground.method]
    if permittivity is not None:
        methods.append(replace(ground.method, permittivity=permittivity))
    tuning_method = replace(ground.method, functional=TUNED_FUNCTIONAL, omega=None) if tuned else None
    folder = directory / _FOLDER
    plan = None
    if force or tuned or _something_to_compute(folder, ground, methods):
        from cluster_qc.drivers.plan import plan_levels

        plan = plan_levels(ground.cluster, methods, tuning_method)
        plan.check(scratch or directory)
    with folder_lock(folder), monitor(folder, quiet=quiet) as log:
        remove_unfinished(folder)
        if plan is not None:
            guess = seconds(60 * math.ceil(plan.seconds / 60))
            log.note(f"plan: {plan}; roughly {guess} on two cores if nothing is there yet")
        work = _Work(Steps(folder, log, force, scratch=scratch), ground, log)
        table = _table(work, directory, methods, tuning_method)
        work.steps.release()
        write_summary(directory / _FILE, table)
        write_text(directory / "levels.csv", _csv(table))
        _attach(directory, table, log)
        log.note(DONE if table["converged"] else NOT_CONVERGED)
    return table


def ground_of(directory: Path) -> GroundState:
    """The ground state of a finished run, or of one that is still at its excited states.

    Raises
    ------
    StorageError
        If there is none, or more than one and no summary that says which is meant.
    """
    if (directory / "summary.json").is_file() or not directory.is_dir():  # which is then told
        return load_ground(directory)
    records = sorted(directory.glob("scf-*"))
    if len(records) != 1:
        raise StorageError(
            f"{directory} has {len(records) or 'no'} ground states"
            + (" and no summary.json that says which one is meant" if records else ""),
            fix=f"cluster-qc run STRUCTURE -o {directory}  (it resumes where it stopped)",
        )
    ground = load(records[0])
    if not isinstance(ground, GroundState):
        raise StorageError(f"{directory}: its record of the ground state holds something else")
    return ground


def _something_to_compute(folder: Path, ground: GroundState, methods: list[DFTMethod]) -> bool:
    """Whether a record of the ions, or of the ground state in a continuum, is missing."""
    ions = [ion_of(ground.cluster, charge) for charge in (1, -1)]
    hashes = [ground_hash(ion, method) for ion in ions for method in methods]
    hashes += [ground_hash(ground.cluster, method) for method in methods[1:]]
    return not all(record_path(folder, "scf", digest).is_dir() for digest in hashes)


@dataclass
class _Work:
    steps: Steps
    ground: GroundState
    log: Monitor

    def states(self, ground: GroundState, guess: ChargeStates | None = None) -> ChargeStates:
        """The ions of a ground state, from its orbitals or from those of other ions."""
        found = {
            name: self.steps.ground(
                ion_of(ground.cluster, charge),
                ground.method,
                step=name,
                guess=getattr(guess, name) if guess else ground,
            )
            for name, charge in (("cation", 1), ("anion", -1))
        }
        return ChargeStates(ground, **found)

    def continuum(self, states: ChargeStates, permittivity: float) -> ChargeStates:
        """The same charge states in a continuum."""
        method = replace(states.ground.method, permittivity=permittivity)
        ground = self.steps.ground(states.ground.cluster, method, step="ground", guess=states.ground)
        return self.states(ground, states)

    def tuned(self, method: DFTMethod) -> Tuning:
        """The range separation of this molecule; each one tried is a record of its own."""
        from cluster_qc.analysis.tuning import tune_range_separation

        last: ChargeStates | None = None

        def states_at(omega: float) -> ChargeStates:
            nonlocal last
            self.log.note(f"tuning: omega {omega:.4f} 1/bohr")
            start = last.ground if last else self.ground
            here = replace(method, omega=omega)
            ground = self.steps.ground(self.ground.cluster, here, step="ground", guess=start)
            last = self.states(ground, last)
            self.steps.forget(omega)
            self.log.note(f"tuning: J = {last.koopmans_error / electronvolt:.3f} eV")
            return last

        return tune_range_separation(states_at)


def _table(
    work: _Work, directory: Path, methods: list[DFTMethod], tuning_method: DFTMethod | None
) -> dict[str, Any]:
    from cluster_qc.analysis import levels as rows

    def calculation(states: ChargeStates, *, tuned: bool = False) -> rows.Calculation:
        method = states.ground.method
        return rows.Calculation(rows.calculation_name(method, tuned=tuned), method, states, tuned=tuned)

    permittivity = methods[-1].permittivity
    vacuum = work.states(work.ground)
    calculations = [calculation(vacuum)]
    if permittivity is not None:
        calculations.append(calculation(work.continuum(vacuum, permittivity)))
    warnings, tuning = [], None
    if tuning_method is not None:
        try:
            tuning = work.tuned(tuning_method)
        except NotConvergedError as exc:
            name = f"{TUNED_FUNCTIONAL}, tuned"
            calculations.append(
                rows.Calculation(name, tuning_method, None, f"no omega: {exc.what}", tuned=True)
            )
        else:
            calculations.append(calculation(tuning.states, tuned=True))
            if permittivity is not None:
                polarised = work.continuum(tuning.states, permittivity)
                calculations.append(calculation(polarised, tuned=True))
            if tuning.at_bound:
                warnings.append(
                    f"the tuning ended at omega {tuning.omega:g}, the end of the range searched: it is not a minimum"
                )
            if tuning.states.electron_affinity < 0:
                warnings.append(
                    "omega was tuned with an anion that is not bound: it depends on the basis set"
                )
    reference = _reference(directory, work.ground)
    gap, reason = _optical_gap(directory)
    used = [s for c in calculations if c.states for s in (c.states.ground, c.states.cation, c.states.anion)]
    hashes = [ground_hash(state.cluster, state.method) for state in used]
    return {
        "schema_version": SCHEMA_VERSION,
        "formula": work.ground.cluster.formula,
        "rows": rows.level_rows(calculations, optical_gap=gap, optical_reason=reason, reference=reference),
        "calculations": [rows.calculation_summary(c) for c in calculations],
        "tuning": _tuning_summary(tuning),
        "measured": _measured_summary(reference),
        "warnings": rows.level_warnings(calculations) + warnings,
        "converged": all(c.states is not None for c in calculations) and all(s.converged for s in used),
        "provenance": {
            "input_hash": input_hash("levels", {"reference": reference, "optical_gap": gap}, hashes),
            "ground": hashes[0],
            "records": [record_path(Path(_FOLDER), "scf", digest).as_posix() for digest in hashes[1:]],
            "versions": versions(),
        },
    }


def _tuning_summary(tuning: Tuning | None) -> dict[str, Any] | None:
    if tuning is None:
        return None
    return {
        "functional": TUNED_FUNCTIONAL,
        "omega_per_bohr": tuning.omega,
        "error_ev": tuning.states.koopmans_error / electronvolt,
        "trials": [{"omega_per_bohr": omega, "error_ev": e / electronvolt} for omega, e in tuning.trials],
        "bounds_per_bohr": list(tuning.bounds),
        "tolerance_per_bohr": tuning.tolerance,
        "at_bound": tuning.at_bound,
    }


def _measured_summary(reference: UPSReference | None) -> dict[str, Any] | None:
    if reference is None:
        return None
    error = reference.uncertainty
    return {
        "homo_ev": reference.homo / electronvolt,
        "uncertainty_ev": None if error is None else error / electronvolt,
        "source": reference.source,
    }


def _reference(directory: Path, ground: GroundState) -> UPSReference | None:
    """The measured HOMO that the run was compared with, or that of the paper."""
    stored = _summary_or_empty(directory).get("alignment")
    if not stored:
        return measured_homo(ground.cluster.formula, ground.cluster.charge)
    error = stored["measured_uncertainty_ev"]
    return UPSReference(
        homo=stored["measured_homo_ev"] * electronvolt,
        uncertainty=None if error is None else error * electronvolt,
        source=stored["source"],
    )


def _optical_gap(directory: Path) -> tuple[float | None, str]:
    """S1 of the run in hartree, or None and why."""
    singlets = _summary_or_empty(directory).get("singlets")
    if not singlets:
        return None, "the run has no excited states yet"
    lowest = min(singlets, key=lambda state: float(state["energy_ev"]))
    if not lowest["converged"]:
        return None, "S1 of the run did not converge"
    return float(lowest["energy_ev"]) * electronvolt, ""


def _summary_or_empty(directory: Path) -> dict[str, Any]:
    return read_summary(directory) if (directory / "summary.json").is_file() else {}


def _csv(table: dict[str, Any]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(table["rows"])
    return text.getvalue()


def _attach(directory: Path, table: dict[str, Any], log: Monitor) -> None:
    """Put the table into the summary and on the page of a finished run; a run that goes on takes it at its end."""
    try:
        with folder_lock(directory):
            if not (directory / "summary.json").is_file():
                return
            summary = read_summary(directory)
            summary[_KEY] = table
            write_summary(directory / "summary.json", summary)
            rewrite_page(directory)
    except StorageError as exc:
        log.note(f"summary.json is left as it is: {exc.what}")


def stored_levels(directory: Path, ground: GroundState) -> dict[str, Any] | None:
    """The table of levels.json if it belongs to this ground state, else None.

    Raises
    ------
    StorageError
        If the file is damaged.
    """
    path = directory / _FILE
    if not path.is_file():
        return None
    with storage_errors(path, reading=True):
        text = path.read_text(encoding="utf-8")
    try:
        table = dict(json.loads(text))
        belongs = table["provenance"]["ground"] == ground_hash(ground.cluster, ground.method)
    except (ValueError, KeyError, TypeError) as exc:
        raise StorageError(
            f"{path} is damaged: {exc}", fix=f"delete it and give cluster-qc levels {directory} again"
        ) from exc
    return table if belongs else None
