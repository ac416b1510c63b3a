"""What the page and the text share: numbers as text, absent values with their reason, parts of the summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster_qc.analysis.charge_transfer import NAMED_FROM, NET_FROM

ABSENT = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"
_REASONS = {
    "rotatory_strength_velocity_cgs": "Velocity form not available for this calculation.",
    "rotatory_strength_length_cgs": "Length form not available for this calculation.",
    "rotatory_strength_difference_cgs": "Needs both forms, and results of a version that gives it.",
    "core_handedness": "Not defined for this core.",
    "measured_uncertainty_ev": "The source gives no uncertainty.",
}


@dataclass
class Notes:
    """Footnotes: the reason of each absent value, lettered in the order in which they come up."""

    reasons: Mapping[str, str]
    used: dict[str, str] = field(default_factory=dict)

    def letter(self, key: str) -> str:
        """Give the letter of the footnote that says why `key` is absent."""
        return self.mark(self.reasons.get(key) or _REASONS.get(key) or "Not computed in this job.")

    def mark(self, text: str) -> str:
        """Give the letter of a footnote."""
        if text not in self.used:
            self.used[text] = _letters(len(self.used))
        return self.used[text]


def _letters(index: int) -> str:
    return (_letters(index // 26 - 1) if index >= 26 else "") + chr(ord("a") + index % 26)


def number(value: Any, digits: int = 3, *, signed: bool = False) -> str:
    """Write a number with fixed digits and a typographic minus; other values as text, None as a dash."""
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and not signed:
        return str(value).replace("-", _MINUS)
    if isinstance(value, int | float):
        text = f"{value:{'+' if signed else ''}.{digits}f}"
        if not any(digit in text for digit in "123456789"):
            text = text.lstrip("+-")
        return text.replace("-", _MINUS)
    return str(value)


def plain(value: Any) -> str:
    """Write any JSON value as one line of text."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {plain(item)}" for key, item in value.items()) or ABSENT
    if isinstance(value, str):
        return value or ABSENT
    if isinstance(value, Sequence):
        return ", ".join(plain(item) for item in value) or ABSENT
    if isinstance(value, float):
        return f"{value:.6g}".replace("-", _MINUS) if value < 0 else f"{value:.6g}"
    return number(value)


def percent(share: Any) -> str:
    """Write a share as whole per cent."""
    return ABSENT if share is None else f"{100 * float(share):.0f} %"


def seconds(value: Any) -> str:
    """Write a duration in the units one would say it in."""
    if value is None:
        return ABSENT
    total = float(value)
    if total < 60:
        return f"{total:.1f} s"
    minutes = round(total / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def section(summary: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Get a part of the summary that is a mapping; empty if it is absent or null."""
    value = summary.get(key)
    return value if isinstance(value, Mapping) else {}


def rows(summary: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    """Get a part of the summary that is a list of rows; empty if it is absent or null."""
    value = summary.get(key)
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, Sequence) else []


def warnings_of(summary: Mapping[str, Any]) -> list[str]:
    """List what a reader must know first: an unconverged result, then the job's own warnings."""
    found = []
    if summary.get("converged") is False:
        found.append("Not converged: the numbers below are for inspection, not for use.")
    listed = summary.get("warnings") or []
    return found + [str(item) for item in listed]


def shares_of(entry: Mapping[str, Any], key: str) -> Mapping[str, float]:
    """Get shares by fragment under `key`, or by element under `key`_elements if there are no fragments."""
    return section(entry, key) or section(entry, f"{key}_elements")


def character_reason(nto: Mapping[str, Any]) -> str:
    """Say why a state has the character that it has, or none."""
    if nto.get("character_reason"):
        return str(nto["character_reason"])
    shares = sorted(section(nto, "character_shares").items(), key=lambda item: -item[1])
    if not shares:
        return ""
    rule = (
        f"MLCT and LMCT are less than {percent(NET_FROM)} apart"
        if nto.get("character") == "delocalised"
        else f"named from {percent(NAMED_FROM)} on, of MLCT and LMCT the larger one"
    )
    return f"{', '.join(f'{name.upper()} {percent(share)}' for name, share in shares)}; {rule}"


def row_notes(row: Mapping[str, Any]) -> list[str]:
    """List what a row of the levels is, why it is empty, and what to mind about it."""
    return [str(row[key]) for key in ("what", "reason", "caveat") if row.get(key)]


def tuning_sentence(table: Mapping[str, Any]) -> str:
    """Say in one sentence how the range separation of the levels was tuned."""
    tuning = section(table, "tuning")
    return (
        f"tuned: omega {number(tuning.get('omega_per_bohr'), 4)} 1/bohr of {tuning.get('functional')} minimises "
        "J = sqrt((HOMO + IE)^2 + (HOMO of the anion + EA)^2), which is left at "
        f"{number(tuning.get('error_ev'), 3)} eV (10.1021/ja8087482)"
    )


def alignment_rows(summary: Mapping[str, Any]) -> list[tuple[str, str | None, str | None]]:
    """List quantity, computed and measured value in eV, side by side; the keys of values to show."""
    if not section(summary, "alignment"):
        return []
    return [
        ("HOMO", "homo_ev", "measured_homo_ev"),
        ("Uncertainty", None, "measured_uncertainty_ev"),
        ("LUMO", "lumo_ev", None),
        ("Ionization energy", "ionization_energy_ev", "measured_ionization_energy_ev"),
    ]
