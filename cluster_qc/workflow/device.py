"""The device around the emitter of a finished run, for the command line."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from cluster_qc.analysis.stack import STACKS, build_stack, offsets, read_layers, stack_warnings
from cluster_qc.errors import InputError
from cluster_qc.files import replaced
from cluster_qc.model.stack import Layer, Level
from cluster_qc.workflow.figures import need_picture
from cluster_qc.workflow.summary_file import read_summary

_COLUMNS = 80  # of a terminal
_INDENT = " " * 16
_CAVEAT = "Kohn-Sham levels of the molecule in vacuum; give [cluster] in --layers to use measured ones"


def device_stack(directory: Path, layers: Path | None = None, *, tcta: bool = False) -> tuple[Layer, ...]:
    """The layers of the device; the emitter has the levels of the user's [cluster], or those of the run.

    Raises
    ------
    InputError
        As `read_layers` and `build_stack`, and if both the file and `tcta` name a device.
    """
    summary = read_summary(directory)
    known, names = read_layers(layers)
    if names is not None and tcta:
        raise InputError(f"--tcta and {layers} both name the device", fix="leave one of them out")
    emitter = known.get("cluster")
    if emitter is None:
        levels = summary["levels"]
        homo, lumo = (Level(levels[key], levels[key]) for key in ("homo_ev", "lumo_ev"))
        emitter = Layer("cluster", homo, lumo, sources=(f"{directory}",), note=_CAVEAT)
    return build_stack(names or STACKS["tcta" if tcta else "plain"], emitter, known)


def device_report(stack: tuple[Layer, ...]) -> dict[str, Any]:
    """Layers, steps and warnings as JSON values; a level that is not known is null."""

    def ends(level: Level | None) -> list[float] | None:
        return None if level is None else [level.low_ev, level.high_ev]

    return {
        "layers": [
            {
                "name": layer.name,
                "homo_ev": ends(layer.homo),
                "lumo_ev": ends(layer.lumo),
                "work_function_level_ev": ends(layer.work_function),
                "sources": list(layer.sources),
                "note": layer.note,
            }
            for layer in stack
        ],
        "offsets": [
            {"carrier": o.carrier, "from": o.start, "to": o.end, "least_ev": o.low_ev, "most_ev": o.high_ev}
            for o in offsets(stack)
        ],
        "warnings": list(stack_warnings(stack)),
    }


def device_text(report: dict[str, Any]) -> str:
    """The report of `device_report` as text."""
    lines = []
    for layer in report["layers"]:
        levels = [
            f"{name} {layer[key][1]:.2f}"
            + (f" to {layer[key][0]:.2f}" if layer[key][0] != layer[key][1] else "")
            for name, key in (
                ("HOMO", "homo_ev"),
                ("LUMO", "lumo_ev"),
                ("Fermi level", "work_function_level_ev"),
            )
            if layer[key]
        ]
        lines.append(f"{layer['name']:<14}{', '.join(levels) + ' eV' if levels else '-'}")
        told = [*layer["sources"], *([layer["note"]] if levels and layer["note"] else [])]
        for text in told:
            lines += textwrap.wrap(
                text, _COLUMNS, initial_indent=_INDENT, subsequent_indent=_INDENT, break_long_words=False
            )
    for step in report["offsets"]:
        name = f"{step['carrier']} {step['from']} -> {step['to']}"
        least, most = f"{step['least_ev']:+.2f}", f"{step['most_ev']:+.2f}"
        lines.append(f"{name:<34}{least if least == most else f'{least} to {most}'} eV")
    return "\n".join([*lines, *(f"! {warning}" for warning in report["warnings"])])


def save_device(path: Path, stack: tuple[Layer, ...]) -> None:
    """Draw the levels to a file."""
    need_picture(path)
    from cluster_qc.plotting.figures import save_stack

    with replaced(path) as temporary:
        save_stack(temporary, stack)
