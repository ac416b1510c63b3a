"""Tables of the page: states, shares of hole and electron, and values with the reason why one is absent."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from cluster_qc.report import values
from cluster_qc.report.document import table
from cluster_qc.report.values import ABSENT, Notes, character_reason, percent, plain, rows, section

_LAMBDA = "\N{GREEK SMALL LETTER LAMDA}"
_CGS = "10⁻⁴⁰ esu² cm²"
_LEAST_WEIGHT = 0.005  # of a pair that is told, rounded to 0.01


def states_html(summary: Mapping[str, Any], notes: Notes) -> str:
    """Write the tables of singlets and triplets."""
    html = ""
    for title, key in (("Singlets", "singlets"), ("Triplets", "triplets")):
        states = rows(summary, key)
        if not states:
            continue
        heads = ["State", "E / eV", "\N{PLUS-MINUS SIGN} / eV", f"{_LAMBDA} / nm"]
        columns = [("energy_ev", 3, False), ("error_estimate_ev", 4, False), ("wavelength_nm", 1, False)]
        caption = f"{len(states)} state{'s' if len(states) > 1 else ''}. "
        if key == "singlets":
            heads += ["f", "R len", "R vel", "vel \N{MINUS SIGN} len"]
            columns += [
                ("oscillator_strength", 4, False),
                ("rotatory_strength_length_cgs", 2, True),
                ("rotatory_strength_velocity_cgs", 2, True),
                ("rotatory_strength_difference_cgs", 2, True),
            ]
            caption += f"R: rotatory strength in length and velocity gauge, {_CGS}; their difference is zero "
            caption += "for exact states, so it measures the quality of a state. "
        routes = dict.fromkeys(str(state["route"]) for state in states if state.get("route"))
        if len(routes) > 1:
            heads.append("Route")
        elif routes:
            caption += f"Route: {next(iter(routes))}."
        body = []
        for index, state in enumerate(states, 1):
            cells: list[str | tuple[str, Any]] = [(escape(str(state.get("label", ""))), index)]
            cells += [
                (value_html(state, column, notes, digits, signed), state.get(column))
                for column, digits, signed in columns
            ]
            if len(routes) > 1:
                cells.append((escape(plain(state.get("route"))), state.get("route")))
            body.append(cells)
        html += f"<div><h3>{title}</h3>" + table(heads, body, caption, "states", key) + "</div>"
    return f'<div class="row">{html}</div>' if html else ""


def transitions_html(summary: Mapping[str, Any]) -> str:
    """Write where hole and electron of each state with natural transition orbitals sit."""
    html = ""
    for label, nto in section(summary, "ntos").items():
        if not isinstance(nto, Mapping):
            continue
        weights = nto.get("weights") or []
        told = [number(w, 2) for w in weights[:4] if not isinstance(w, float) or w >= _LEAST_WEIGHT]
        facts = [f"NTO weights {', '.join(told)}"] if told else []
        if nto.get("lost_weight") is not None:
            facts.append(f"1 \N{MINUS SIGN} sum of the weights {number(nto['lost_weight'])}")
        if nto.get("homo_lumo_weight") is not None:
            facts.append(f"HOMO\N{RIGHTWARDS ARROW}LUMO {percent(nto['homo_lumo_weight'])}")
        reason = character_reason(nto)
        html += (
            f"<div><h3>{escape(str(label))}: {escape(plain(nto.get('character')))}</h3>"
            + "".join(f'<p class="soft">{escape(text)}</p>' for text in (reason, "; ".join(facts)) if text)
            + share_tables(nto, ("hole", "electron"), ("Hole", "Electron"))
            + "</div>"
        )
    intro = (
        '<p class="soft">Loewdin shares over all natural transition orbital pairs with their weights. MLCT: hole on '
        "the metals, electron on the ligands; LMCT: the reverse; MC: both on the metals; LC: both on the ligands.</p>"
    )
    return f'{intro}<div class="columns">{html}</div>' if html else ""


def share_tables(entry: Mapping[str, Any], keys: tuple[str, str], heads: tuple[str, str]) -> str:
    """Draw bars of two sets of shares side by side, by fragment and then by element."""
    html = ""
    for suffix, title in (("", "Fragment"), ("_elements", "Element")):
        first, second = (section(entry, key + suffix) for key in keys)
        if first or second:
            body = [
                [escape(str(name)), _bar(first.get(name), "hole"), _bar(second.get(name), "electron")]
                for name in dict.fromkeys([*first, *second])
            ]
            html += table([title, *heads], body, style="bars")
    return html


def _bar(share: Any, colour: str) -> str:
    width = 0.0 if share is None else max(0.0, min(1.0, float(share)))
    return (
        f'<span class="n">{percent(share)}</span>'
        f'<span class="bar {colour}" style="width:calc({width:.3f} * (100% - 4em))"></span>'
    )


def with_notes(html: str, notes: Notes) -> str:
    """Put the footnotes that a section refers to below it."""
    lines = "".join(
        f"<div><sup>{letter}</sup> {escape(text)}</div>"
        for text, letter in notes.used.items()
        if f"<sup>{letter}</sup>" in html
    )
    return html + (f'<div class="notes">{lines}</div>' if lines else "")


def value_html(
    entry: Mapping[str, Any], key: str, notes: Notes, digits: int = 3, signed: bool = False
) -> str:
    """Write a number; an absent one as a dash with its footnote."""
    value = entry.get(key)
    if value is None:
        return f"{ABSENT}<sup>{notes.letter(key)}</sup>"
    return number(value, digits, signed=signed)


def number(value: Any, digits: int = 3, *, signed: bool = False) -> str:
    """Write a number as HTML; a summary from elsewhere may hold a text in its place."""
    return escape(values.number(value, digits, signed=signed))
