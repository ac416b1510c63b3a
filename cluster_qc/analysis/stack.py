"""The layers of a light-emitting device: levels, injection barriers and offsets.

Vacuum levels are aligned (no interface dipoles, no band bending), as in the usual diagrams of such devices; real
interfaces differ from that by tenths of an electronvolt and more.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from cluster_qc.errors import InputError
from cluster_qc.model.stack import Layer, Level, Offset

STACKS = {
    "plain": ("ITO", "m-PEDOT:PSS", "cluster", "TPBi", "LiF", "Al"),
    "tcta": ("ITO", "m-PEDOT:PSS", "cluster", "TCTA", "TPBi", "LiF", "Al"),
}
"""Anode first, 10.1021/jacs.3c13065; in the second the cluster and 20 wt% TCTA are one mixed layer, drawn as two."""
_LEVELS = ("homo", "lumo", "work_function")
_DEEPEST_EV = -15.0


def read_layers(path: str | Path | None = None) -> tuple[dict[str, Layer], tuple[str, ...] | None]:
    """Layers by name, those of the package and over them those of the user's TOML file; and the file's device.

    The file holds a table a layer: `homo`, `lumo` or `work_function`, each a value or a list of values in eV against
    vacuum (negative), `sources`, a list of texts, and `note`. A layer of the file replaces that of the package. Above
    the tables it may have `device`, the names of the layers from anode to cathode, one of them "cluster", the emitter;
    without it, the second value is None.

    Raises
    ------
    InputError
        For a file that is no TOML, an unknown key, a layer that no device has, or a level that is not a negative energy
        in eV.
    """
    own = files("cluster_qc.analysis").joinpath("transport_layers.toml").read_text(encoding="utf-8")
    layers = {
        name: _layer(name, table, "transport_layers.toml") for name, table in tomllib.loads(own).items()
    }
    if path is None:
        return layers, None
    try:
        given = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as exc:
        raise InputError(
            f"{path}: cannot be read: {exc.strerror}", fix="give a TOML file with layers"
        ) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise InputError(f"{path}: not a TOML file: {exc}", fix="correct the line") from exc
    device = _device(given.pop("device"), str(path)) if "device" in given else None
    known = (
        {name for names in STACKS.values() for name in names} | set(layers) if device is None else set(device)
    )
    strange = [name for name in given if name not in known]
    if strange:
        raise InputError(
            f"{path}: the device has no layer {strange[0]!r}",
            why="its levels would be used nowhere",
            fix=f"use {', '.join(sorted(known))}"
            + ("; or name the layers of another device, device = [...]" if device is None else ""),
        )
    return layers | {name: _layer(name, table, str(path)) for name, table in given.items()}, device


def _device(names: Any, source: str) -> tuple[str, ...]:
    listed = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not listed or names.count("cluster") != 1:
        raise InputError(
            f"{source}: device is {names}",
            why='it lists the names of the layers from anode to cathode, with "cluster", the emitter, once',
            fix='write e.g. device = ["ITO", "NPB", "cluster", "TPBi", "Al"], and a table for each new layer',
        )
    return tuple(names)


def build_stack(
    names: Sequence[str], emitter: Layer, layers: dict[str, Layer] | None = None
) -> tuple[Layer, ...]:
    """The layers in their order; "cluster" is the emitter.

    Raises
    ------
    InputError
        For a name that is in no file.
    """
    layers = read_layers()[0] if layers is None else layers
    stack: list[Layer] = []
    for name in names:
        if name != "cluster" and name not in layers:
            raise InputError(
                f"nothing is known of the layer {name!r}",
                why=f"the package has {', '.join(layers)}",
                fix=f"add a table [{name}] with its levels to the file of --layers; it may be empty",
            )
        stack.append(emitter if name == "cluster" else layers[name])
    return tuple(stack)


def offsets(stack: Sequence[Layer]) -> tuple[Offset, ...]:
    """Steps for holes from the anode (first) and for electrons from the cathode (last), positive where they go uphill.

    Layers without a level for the carrier are passed over; the step is then between their neighbours.
    """
    steps = []
    for carrier, kind, layers in (("hole", "homo", stack), ("electron", "lumo", stack[::-1])):
        before: tuple[str, Level] | None = None
        for layer in layers:
            transport: Level | None = getattr(layer, kind)
            if transport is None and (layer.work_function is None or _transports(before, layers, kind)):
                continue  # no level, or the electrode at which the carrier arrives
            level = transport or layer.work_function
            if before is not None and level is not None:
                name, last = before
                low, high = level.low_ev - last.high_ev, level.high_ev - last.low_ev
                steps.append(
                    Offset(carrier, name, layer.name, *((low, high) if kind == "lumo" else (-high, -low)))
                )
            before = (layer.name, level) if level is not None else before
    return tuple(steps)


def _transports(before: tuple[str, Level] | None, layers: Sequence[Layer], kind: str) -> bool:
    """Whether the layer last passed has a transport level of its own."""
    return before is not None and any(layer.name == before[0] and getattr(layer, kind) for layer in layers)


def stack_warnings(stack: Sequence[Layer]) -> tuple[str, ...]:
    """What the diagram assumes and what it lacks."""
    lacking = [f"{layer.name}: no level ({layer.note or 'none given'})" for layer in stack if not layer.known]
    mixed = ["cluster and TCTA are one mixed layer"] if any(layer.name == "TCTA" for layer in stack) else []
    return ("vacuum levels are aligned: no interface dipoles, no band bending", *mixed, *lacking)


def _layer(name: str, table: Any, source: str) -> Layer:
    if not isinstance(table, dict):
        raise InputError(f"{source}: {name} is not a table", fix=f"write [{name}], and its levels below it")
    unknown = set(table) - {*_LEVELS, "sources", "note"}
    if unknown:
        raise InputError(
            f"{source}: {name} has the unknown key {min(unknown)!r}",
            fix=f"use {', '.join(_LEVELS)}, sources, note",
        )
    sources = table.get("sources", [])
    if not isinstance(sources, list) or not all(isinstance(text, str) for text in sources):
        raise InputError(f"{source}: {name}.sources is not a list of texts", fix='write sources = ["..."]')
    levels = {key: _level(f"{source}: {name}.{key}", table[key]) for key in _LEVELS if key in table}
    if "homo" in levels and "lumo" in levels and levels["homo"].high_ev > levels["lumo"].low_ev:
        raise InputError(
            f"{source}: the HOMO of {name} lies above its LUMO",
            why="levels count from the vacuum level, the HOMO is the deeper one",
            fix="exchange them",
        )
    return Layer(name, **levels, sources=tuple(sources), note=str(table.get("note", "")))


def _level(where: str, value: Any) -> Level:
    values = value if isinstance(value, list) else [value]
    good = [v for v in values if isinstance(v, int | float) and _DEEPEST_EV < v < 0]
    if not values or len(good) != len(values):
        raise InputError(
            f"{where} is {value}",
            why="against the vacuum level, levels are negative energies in eV",
            fix="write e.g. -5.2, or [-5.0, -5.3] for a range",
        )
    return Level(float(min(good)), float(max(good)))
