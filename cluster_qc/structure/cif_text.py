"""The grammar of a CIF: text to data blocks, whatever dialect it is written in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gemmi

from cluster_qc.errors import StructureError
from cluster_qc.structure.xyz import read_text

_ABSENT = {"", ".", "?"}
_VITAL = ("_cell_", "_atom_site_", "_space_group_", "_symmetry_", "_chemical_formula_")
_SPACED_NAME = re.compile(r"(?i)^(data_[^\s#]*)[ \t]+([^\s_#'\"][^_#'\"]*?)[ \t]*$")


@dataclass(frozen=True)
class _Entry:
    """The values of one tag: one for a pair, a column for a loop."""

    values: tuple[str, ...]
    line: int
    header: int
    """Tags of its loop, 0 for a pair."""


class DataBlock:
    """One data block: values by tag, whichever case and whether `_cell_length_a` or `_cell.length_a` is written."""

    def __init__(self, path: Path, text: str, block: Any) -> None:
        self.path = path
        self.name: str = block.name.strip()
        self._lines = text.split("\n")
        self._entries: dict[str, _Entry] = {}
        repeated: set[str] = set()
        self.empty_tags: list[str] = []
        for item in block:
            if item.pair is not None:
                columns = [(item.pair[0], (item.pair[1],))]
                if not item.pair[1]:
                    self.empty_tags.append(item.pair[0])
                header = 0
            elif item.loop is not None:
                header = len(item.loop.tags)
                columns = [(tag, tuple(item.loop.values[k::header])) for k, tag in enumerate(item.loop.tags)]
            else:
                continue
            for tag, values in columns:
                key = _canonical(tag)
                texts = [_given(value) for value in values]
                known = self.column(key)
                if any(texts) and any(known) and texts != known:
                    repeated.add(key)
                if not any(known):
                    self._entries[key] = _Entry(values, item.line_number, header)
        self.repeated_tags = sorted(repeated)
        """Tags given twice with different values."""

    def value(self, tag: str) -> str:
        """Text of a single item, "" where it is absent, "." or "?"."""
        values = self.column(tag)
        return values[0] if values else ""

    def column(self, tag: str) -> list[str]:
        """Texts of a looped item, "" for "." and "?"; [] if the tag is absent."""
        entry = self._entries.get(_canonical(tag))
        return [_given(value) for value in entry.values] if entry else []

    def tags_with(self, word: str) -> list[str]:
        """Tags, in small letters, that contain a word."""
        return [tag for tag in self._entries if word in tag]

    def line(self, tag: str, row: int | None = None) -> int | None:
        """Line of the tag's item or loop, or of one row of its loop if rows are written one a line."""
        entry = self._entries.get(_canonical(tag))
        if entry is None or row is None or not entry.header:
            return entry.line if entry else None
        count = -1
        for number in range(entry.line, len(self._lines)):  # the line after `loop_` comes first
            words = self._lines[number].split()
            if not words or words[0].startswith(("_", "#", "loop_")):
                continue
            count += 1
            if count == row:
                return number + 1
        return entry.line

    def error(
        self, what: str, *, kind: str = "malformed", why: str = "", fix: str = "", line: int | None = None
    ) -> StructureError:
        """An error that names the file and, where known, the line."""
        place = f"{self.path}:{line}" if line else str(self.path)
        return StructureError(f"{place}: {what}", kind=kind, why=why, fix=fix, line=line)


def _canonical(tag: str) -> str:
    return tag.lower().replace(".", "_")


def _given(value: str) -> str:
    text = str(gemmi.cif.as_string(value)).strip() if value else ""
    return "" if text in _ABSENT else text


def read_blocks(path: Path) -> tuple[list[DataBlock], list[str]]:
    """All data blocks of a CIF, and what had to be repaired to read them.

    Line ends of any system, a byte-order mark, text in another encoding than UTF-8 and blanks in a block's name are
    read; a tag without its value or given twice is passed over where it does not matter.

    Raises
    ------
    StructureError
        kind "malformed", with the line, if the text is no CIF.
    """
    text = read_text(path).replace("\r\n", "\n").replace("\r", "\n").rstrip("\x1a\n ") + "\n"
    text = text.translate(_Ascii())
    text, notes = _joined_names(text)
    try:
        document = gemmi.cif.read_string(text, check_level=0)
    except (ValueError, RuntimeError) as error:
        message = str(error).removeprefix("string:")
        found = re.match(r"(\d+):\d+\(\d+\):?\s*", message)
        line = int(found.group(1)) if found else None
        if line and "Wrong number of values in loop" in message:
            line = _odd_row(text, line)
        newer = text.startswith("#\\#CIF_2")
        raise StructureError(
            f"{path}{f':{line}' if line else ''}: not a valid CIF: {message[found.end() :] if found else message}"
            + (f" at {_excerpt(text, line)}" if line else ""),
            kind="malformed",
            why="the file breaks the CIF grammar, so nothing in it can be trusted",
            fix="write it as CIF 1.1: lists, tables and triple quotes of CIF 2 are not read"
            if newer
            else "repair that place, or export the CIF again",
            line=line,
        ) from None
    return [DataBlock(path, text, block) for block in document], notes


def _odd_row(text: str, loop: int) -> int:
    """Line of the first row that has not as many values as its loop has tags, if the rows before it have one a line."""
    tags = rows = 0
    for number, line in enumerate(text.split("\n")[loop:], start=loop + 1):
        values = re.findall(r"'.*?'(?=\s|$)|\".*?\"(?=\s|$)|[^\s#]\S*", line)
        if values and values[0].startswith("_") and values[0] != "_":
            tags += 1
        elif values and not line.startswith(";") and not values[0].startswith(("loop_", "data_")):
            if len(values) != tags:
                return number if rows else loop
            rows += 1
        elif values:
            break
    return loop


def check_tags(data: DataBlock) -> list[str]:
    """Warnings about tags given twice with other values or without a value.

    Raises
    ------
    StructureError
        kind "malformed" if the structure hangs on such a tag.
    """
    for what, tags in (("twice", data.repeated_tags), ("without a value", data.empty_tags)):
        vital = [tag for tag in tags if _canonical(tag).startswith(_VITAL)]
        if vital:
            raise data.error(
                f"{vital[0]} is given {what}",
                why="the structure hangs on it, and which value is meant cannot be told",
                fix="keep one value",
                line=data.line(vital[0]),
            )
    notes = [f"{tag} is given twice; the first was taken" for tag in data.repeated_tags]
    return notes + [f"{tag} has no value" for tag in data.empty_tags]


class _Ascii(dict[int, str]):
    """Table for str.translate: the grammar allows only ASCII outside of quotes."""

    def __missing__(self, code: int) -> str:
        if code in (0x2212, 0x2013):
            return "-"
        return chr(code) if code < 0x80 else " " if chr(code).isspace() else "~"


def _joined_names(text: str) -> tuple[str, list[str]]:
    """Write blanks in the names of data blocks as underscores."""
    notes = []
    lines = text.split("\n")
    inside = False
    for number, line in enumerate(lines):
        if line.startswith(";"):
            inside = not inside
        elif not inside and (found := _SPACED_NAME.match(line)):
            lines[number] = found.group(1) + "_" + "_".join(found.group(2).split())
            notes.append(f"line {number + 1}: blanks in the name of a data block are read as underscores")
    return "\n".join(lines), notes


def _excerpt(text: str, line: int) -> str:
    return repr(text.split("\n")[line - 1].strip()[:60])
