"""The commands about energy levels, computed and measured; registered in `cli`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

PhotonEnergy = Annotated[
    float | None,
    typer.Option(
        "--photon-energy", metavar="EV", help="Of the lamp, 21.218 for He I. Default: as the header says."
    ),
]
Bias = Annotated[
    float, typer.Option(metavar="V", help="Voltage on the sample that is still in the energies, e.g. -5.")
]
Axis = Annotated[
    Literal["binding", "kinetic"] | None,
    typer.Option(metavar="binding|kinetic", help="Kind of energy. Default: as the header says."),
]
Fermi = Annotated[
    float | None,
    typer.Option(metavar="EV", help="Fermi edge on the file's axis. Default: 0, or hv if kinetic."),
]
Block = Annotated[str | None, typer.Option(metavar="NAME", help="Name or number of a block of a VAMAS file.")]
Figure = Annotated[Path | None, typer.Option("-o", "--output", metavar="FIGURE.png", help="Draw the fits.")]


def align(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a finished run.")],
    homo: Annotated[
        float | None, typer.Option(metavar="EV", help="Measured HOMO against vacuum, e.g. -6.0.")
    ] = None,
    ups_file: Annotated[
        Path | None,
        typer.Option("--ups", metavar="FILE", help="Take the HOMO from a photoelectron spectrum."),
    ] = None,
    photon_energy: PhotonEnergy = None,
    bias: Bias = 0.0,
    axis: Axis = None,
    fermi: Fermi = None,
    block: Block = None,
) -> None:
    """Hold the computed HOMO against a measured one; exit code 1 if they disagree."""
    from cluster_qc.workflow.look import align_run, alignment_text
    from cluster_qc.workflow.measured import homo_from_ups
    from cluster_qc.workflow.status import warn_of_newer_run

    told = {
        "photon_energy_ev": photon_energy,
        "bias_v": bias,
        "axis": axis,
        "fermi_ev": fermi,
        "block": block,
    }
    spectrum = homo_from_ups(ups_file, homo, **told)
    alignment = align_run(directory, homo_ev=homo, measured=spectrum)
    warn_of_newer_run(directory)
    print(alignment_text(alignment))
    if not alignment["agrees"]:
        raise typer.Exit(1)


def levels(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of a run, finished or at its excited states.")
    ],
    continuum: Annotated[
        float | None,
        typer.Option(metavar="EPS", help="In a dielectric continuum of this relative permittivity, too."),
    ] = None,
    tuned: Annotated[
        bool, typer.Option("--tuned", help="With an optimally tuned range-separated hybrid, too; long.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Compute finished steps again.")] = False,
    scratch: Annotated[
        Path | None, typer.Option(metavar="DIR", help="For a large temporary file. Default: DIR/levels.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Ionization energy and electron affinity by total energies beside the orbital levels; run again to resume."""
    from cluster_qc.report.text import levels_text
    from cluster_qc.workflow.levels import run_levels

    table = run_levels(
        directory, permittivity=continuum, tuned=tuned, force=force, quiet=quiet, scratch=scratch
    )
    print(json.dumps(table, allow_nan=False) if as_json else levels_text(table))
    if not table["converged"]:
        print(f"not converged: see the warnings in {directory / 'levels.json'}", file=sys.stderr)
        raise typer.Exit(1)


def ups(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Energies and intensities as text.")],
    photon_energy: PhotonEnergy = None,
    bias: Bias = 0.0,
    axis: Axis = None,
    fermi: Fermi = None,
    block: Block = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    output: Figure = None,
) -> None:
    """Work function, ionization energy and HOMO from a photoelectron spectrum."""
    from cluster_qc.analysis.ups_reading import read_ups_spectrum
    from cluster_qc.workflow.figures import need_picture
    from cluster_qc.workflow.measured import measured_text, save_measured

    if output is not None:
        need_picture(output)
    levels = read_ups_spectrum(
        file, photon_energy_ev=photon_energy, bias_v=bias, axis=axis, fermi_ev=fermi, block=block
    )
    print(json.dumps(levels.as_json(), allow_nan=False) if as_json else measured_text(levels))
    if output is not None:
        save_measured(output, levels)
        _tell_written(output, as_json)


def tauc(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Absorbance, or T and R, as text.")],
    thickness: Annotated[float | None, typer.Option(metavar="NM", help="Thickness of the film.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    output: Figure = None,
) -> None:
    """Optical gaps and absorption onset from an absorption spectrum."""
    from cluster_qc.analysis.tauc_reading import read_tauc
    from cluster_qc.workflow.figures import need_picture
    from cluster_qc.workflow.measured import measured_text, save_measured

    if output is not None:
        need_picture(output)
    gaps = read_tauc(file, thickness_nm=thickness)
    print(json.dumps(gaps.as_json(), allow_nan=False) if as_json else measured_text(gaps))
    if output is not None:
        save_measured(output, gaps)
        _tell_written(output, as_json)


def stack(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a finished run, the emitter.")],
    layers: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Own levels of layers, or another device."),
    ] = None,
    tcta: Annotated[bool, typer.Option("--tcta", help="The device with TCTA in the emitting layer.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FIGURE.png", help="Draw the levels.")
    ] = None,
) -> None:
    """Levels of the device's layers with injection barriers and offsets."""
    from cluster_qc.workflow.device import device_report, device_stack, device_text, save_device
    from cluster_qc.workflow.figures import need_picture
    from cluster_qc.workflow.status import warn_of_newer_run

    if output is not None:
        need_picture(output)
    built = device_stack(directory, layers, tcta=tcta)
    warn_of_newer_run(directory)
    found = device_report(built)
    print(json.dumps(found, allow_nan=False) if as_json else device_text(found))
    if output is not None:
        save_device(output, built)
        _tell_written(output, as_json)


def _tell_written(path: Path, as_json: bool) -> None:
    """On standard error beside a JSON object, which stands alone on standard output."""
    print(f"written: {path}", file=sys.stderr if as_json else sys.stdout)
