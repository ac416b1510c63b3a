"""Which hand a crystal has, and how far its data tell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import gemmi

from cluster_qc.structure.cif_text import DataBlock

AbsoluteStructure = Literal["as given", "inverted", "twinned", "uncertain", "unknown", "both hands"]

_NUMBER = re.compile(r"[-+]?\d*\.?\d+(\(\d+\))?")
_LARGEST_UNCERTAINTY = 0.1
"""Above this standard uncertainty a Flack parameter decides nothing, even for a substance known to be enantiopure:
Flack and Bernardinelli, J. Appl. Cryst. 33, 1143 (2000), 10.1107/S0021889800007184."""

_SMALL_FRACTION = 0.1
"""Less of the other hand than this, or less than three standard uncertainties, is taken as none."""


@dataclass(frozen=True)
class HandParameter:
    """Fraction of the inverted structure in the crystal: 0 if the hand is as given, 1 if it is inverted."""

    name: str
    """Flack, Hooft, or Rogers (whose eta is turned into a fraction)."""
    text: str
    """As the file writes it."""
    value: float
    uncertainty: float | None
    """Standard uncertainty, None if the file gives none."""


def read_hand_parameter(data: DataBlock, warnings: list[str]) -> HandParameter | None:
    """Flack parameter of a data block, else Hooft's y, else Rogers' eta; None if the file gives none."""
    candidates = [("Flack", data.value("_refine_ls_abs_structure_Flack"))]
    candidates += [("Hooft", data.value(tag)) for tag in data.tags_with("hooft")]
    told = re.search(
        r"(?i)hooft\W*(?:y|parameter)?\W*?(-?\d*\.\d+\(\d+\))", data.value("_refine_ls_abs_structure_details")
    )
    candidates += [("Hooft", told.group(1))] if told else []
    candidates.append(("Rogers", data.value("_refine_ls_abs_structure_Rogers")))
    for name, text in candidates:
        compact = re.sub(r"\s", "", text)
        if not compact:
            continue
        if not _NUMBER.fullmatch(compact):
            warnings.append(f"the {name} parameter {text!r} is not a number and was passed over")
            continue
        value, digits = float(gemmi.cif.as_number(compact)), re.search(r"\((\d+)\)", compact)
        decimals = len(compact.split("(")[0].partition(".")[2])
        uncertainty = int(digits.group(1)) * 10.0**-decimals if digits else None
        if name == "Rogers":
            value, uncertainty = (1 - value) / 2, uncertainty / 2 if uncertainty is not None else None
        if abs(value) < 100:
            return HandParameter(name, text, value, uncertainty)
    return None


def absolute_structure(hand: HandParameter | None, is_sohncke: bool) -> tuple[AbsoluteStructure, str]:
    """What is known of the hand, and the sentence that tells it.

    The hand is "as given" if the fraction of the inverted structure is 0 within three standard uncertainties (or
    0.1) and 0.5 is outside, "inverted" if it is 1 likewise; between them the crystal is a twin of both hands.
    """
    if not is_sohncke:
        return "both hands", "the space group mirrors: the crystal holds both hands of every molecule"
    if hand is None:
        return "unknown", "no Flack parameter in the file: nothing shows that its hand is the crystal's"
    told = f"the {hand.name} parameter {hand.text}"
    if hand.uncertainty is None or hand.uncertainty > _LARGEST_UNCERTAINTY:
        size = "without a standard uncertainty" if hand.uncertainty is None else "with this uncertainty"
        return "uncertain", f"{told} {size} does not fix the hand"
    reach = max(3 * hand.uncertainty, _SMALL_FRACTION)
    decided = abs(hand.value - 0.5) > reach
    if decided and abs(hand.value) <= reach:
        return "as given", f"{told} confirms the hand of the file"
    if decided and abs(hand.value - 1) <= reach:
        return "inverted", f"{told} says that the crystal has the opposite hand of the file"
    if reach < min(hand.value, 1 - hand.value):
        return "twinned", f"{told} shows a crystal of both hands: the molecule written is one of them"
    return "uncertain", f"{told} does not fix the hand"
