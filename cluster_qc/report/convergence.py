"""How a job converged: the charts of its cycles, and every cycle in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from cluster_qc.report.document import chart, table
from cluster_qc.report.tables import number
from cluster_qc.report.values import rows, section

_MINUS = "\N{MINUS SIGN}"
_KINDS = ("triplets", "singlets")


def convergence_charts(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Series on a logarithmic axis against the cycle, one chart for the SCF and one for the excited states."""
    history = section(summary, "convergence")
    charts = []
    if scf := rows(history, "scf"):
        final = section(summary, "levels").get("total_energy_hartree", scf[-1]["energy_hartree"])
        gradients = [cycle["gradient_hartree"] for cycle in scf]
        distances = [abs(cycle["energy_hartree"] - final) or None for cycle in scf]
        hover = [
            f"{cycle['stage']}: E {cycle['energy_hartree']:.8f}, gradient {_power(cycle['gradient_hartree'])} hartree"
            for cycle in scf
        ]
        stages = [stage for stage, _ in groupby(cycle["stage"] for cycle in scf)]
        lengths = [len(list(members)) for _, members in groupby(cycle["stage"] for cycle in scf)]
        charts.append(
            {
                "name": "scf",
                "titles": ["SCF cycle", "hartree"],
                "series": [
                    {"label": "orbital gradient", "values": gradients, "hover": hover},
                    {"label": f"|E {_MINUS} E final|", "values": distances, "hover": hover},
                ],
                "stages": [
                    {"label": stage, "first": 1 + sum(lengths[:index])} for index, stage in enumerate(stages)
                ],
            }
        )
    series = [
        {
            "label": kind,
            "values": [cycle["largest_residual_hartree"] for cycle in cycles],
            "open": [cycle["operator"] != "full" for cycle in cycles],
            "hover": [
                f"{kind}, {cycle['operator']} operator: {_power(cycle['largest_residual_hartree'])} hartree, "
                f"{cycle['converged']} of {cycle['wanted']} roots, {cycle['vectors']} vectors"
                for cycle in cycles
            ],
        }
        for kind in _KINDS
        if (cycles := rows(history, kind))
    ]
    if series:
        titles = ["TDDFT cycle", "largest residual / hartree"]
        charts.append({"name": "tddft", "titles": titles, "series": series, "stages": []})
    return charts


def convergence_html(summary: Mapping[str, Any], charts: Sequence[Mapping[str, Any]], picture: str) -> str:
    """Write the places of the charts, the picture for readers without scripts, and the tables."""
    history = section(summary, "convergence")
    if not history:
        return ""
    labels = {"scf": "Convergence of the ground state", "tddft": "Convergence of the excited states"}
    html = "".join(f"<div>{chart(part['name'], labels[part['name']])}</div>" for part in charts)
    html = f'<div class="columns">{html}</div>' + (f"<noscript>{picture}</noscript>" if picture else "")
    if any(part["name"] == "tddft" for part in charts):
        html += (
            '<p class="soft">Open symbols: a cheap model of the operator, whose roots the full one starts from. By the '
            "fast route a root is done when its estimated error is small, its residual may be larger.</p>"
        )
    missing = [name for name, cycles in history.items() if not cycles]
    if missing:
        html += f'<p class="soft">{escape(", ".join(missing))}: cycles not kept by the version that computed it.</p>'
    tables = ""
    if scf := rows(history, "scf"):
        body = [
            [
                str(i),
                escape(str(cycle["stage"])),
                number(cycle["energy_hartree"], 8),
                _power(cycle["gradient_hartree"]),
            ]
            for i, cycle in enumerate(scf, 1)
        ]
        tables += (
            "<div><h3>SCF</h3>"
            + table(["Cycle", "Stage", "E / hartree", "Gradient / hartree"], body)
            + "</div>"
        )
    for kind in _KINDS:
        if cycles := rows(history, kind):
            body = [
                [
                    str(i),
                    escape(str(cycle["operator"])),
                    number(cycle["vectors"]),
                    _power(cycle["largest_residual_hartree"]),
                    f"{number(cycle['converged'])}/{number(cycle['wanted'])}",
                ]
                for i, cycle in enumerate(cycles, 1)
            ]
            heads = ["Cycle", "Operator", "Vectors", "Residual / hartree", "Done"]
            tables += f"<div><h3>{kind.capitalize()}</h3>{table(heads, body)}</div>"
    return html + f'<details><summary>Every cycle</summary><div class="row">{tables}</div></details>'


def _power(value: float) -> str:
    """Write a small number as 1.2e-5."""
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}e{int(exponent)}".replace("-", _MINUS)
