"""TOML files that come in: read, validated by pydantic, and refused with the nearest key that exists."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from cluster_qc.errors import InputError
from cluster_qc.files import read_at_most


class Section(BaseModel):
    """A table of a TOML file; keys that it does not know are refused, and so is a text for a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def given(self) -> dict[str, Any]:
        """The keys that the user wrote, "none" as None."""
        values = {key: getattr(self, key) for key in self.model_fields_set}
        return {key: None if value == "none" else value for key, value in values.items()}


_LARGEST_FILE = 2**20
_Model = TypeVar("_Model", bound=Section)


def read_toml(path: Path, model: type[_Model]) -> _Model:
    """Read and validate a file.

    Raises
    ------
    InputError
        Naming the file, the line, the key and what would be allowed.
    """
    try:
        text = read_at_most(path, _LARGEST_FILE).decode()
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise InputError(f"{path}: not a TOML file: {exc}", fix="correct the syntax at that place") from exc
    except OSError as exc:
        raise InputError(
            f"{path}: cannot be read: {exc.strerror}", fix="check its path and permissions"
        ) from exc
    return validated(content, model, path, text)


def validated(content: Mapping[str, Any], model: type[_Model], path: Path, text: str = "") -> _Model:
    """Validate what a file says; `text` is the file, for the line of a wrong key.

    Raises
    ------
    InputError
        As `read_toml`.
    """
    try:
        # Strict, but for lists where tuples are meant, as JSON has it.
        return model.model_validate_json(json.dumps(content, default=str), strict=True)
    except ValidationError as exc:
        raise _explain(path, text, model, exc) from exc


def nearest(word: str, known: Iterable[str]) -> str:
    """A question that names the known word next to a misspelt one, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _explain(path: Path, text: str, model: type[Section], exc: ValidationError) -> InputError:
    error = exc.errors()[0]
    line = line_of(text, [part for part in error["loc"] if isinstance(part, str)])
    where = str(path) if line is None else f"{path}:{line}"
    places: list[str] = []  # the keys of the file, without pydantic's names of the members of a union
    for part in error["loc"]:
        if isinstance(part, str) and part in model.model_fields:
            places.append(part)
            model = _section(model.model_fields[part].annotation) or model
    key = str(error["loc"][-1])
    if error["type"] == "extra_forbidden":
        return InputError(
            f"{where}: unknown key {'.'.join([*places, key])}{nearest(key, model.model_fields)}",
            why="a misspelt key would silently leave the default in place",
            fix=f"allowed here: {', '.join(model.model_fields)}",
        )
    if error["type"] == "missing":
        return InputError(f"{where}: the key {'.'.join(places)} is missing", fix=f"add {key} = ...")
    message = error["msg"].removeprefix("Value error, ")
    return InputError(
        f"{where}: {'.'.join(places) or key}: {message} (it is {error['input']!r})",
        fix="correct the value of that key",
    )


def line_of(text: str, keys: Sequence[str]) -> int | None:
    """The line of a key of a TOML text, or of the table or inline table that holds it; None if neither is found."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\[?([^\[\]]+)\]", line):
            table = _parts(header[1])
            found.setdefault(table, number)
        elif key := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            found.setdefault(table + _parts(key[1]), number)
    wanted = tuple(part for key in keys for part in _parts(key))
    return next((found[wanted[:n]] for n in range(len(wanted), 0, -1) if wanted[:n] in found), None)


def _parts(key: str) -> tuple[str, ...]:
    return tuple(part.strip(" \"'") for part in key.split("."))


def _section(annotation: Any) -> type[Section] | None:
    """The section that a field holds, optional or not."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, Section):
            return kind
    return None
