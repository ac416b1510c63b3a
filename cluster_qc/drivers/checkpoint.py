"""What an interrupted calculation goes on from: arrays in one file, whole or absent, read for the same input only."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster_qc.files import replaced

Progress = Callable[[float | None, str], None]


class Checkpoint:
    """The arrays of the last cycle.

    Parameters
    ----------
    path
        The file; None keeps nothing.
    pause
        How many times as long as a write took nothing is written after it, where cycles are cheaper than writes.
    """

    def __init__(self, path: str | Path | None, pause: float = 0.0) -> None:
        self._path = None if path is None else Path(path)
        self._pause = pause
        self._next = 0.0

    def read(self, key: str, report: Progress) -> dict[str, NDArray[Any]] | None:
        """The arrays written under this key, or None if there are none, or the file is damaged, which is reported."""
        if self._path is None or not self._path.exists():
            return None
        try:
            with np.load(self._path, allow_pickle=False) as data:
                if str(data["key"]) != key:
                    return None
                return {name: data[name] for name in data.files if name != "key"}
        except Exception:  # noqa: BLE001  (a damaged archive raises anything)
            report(None, "the checkpoint of an interrupted run is damaged: this begins anew")
            return None

    def write(self, key: str, **arrays: Any) -> None:
        """Replace the file, unless within the pause after the last time.

        Raises
        ------
        StorageError
            If that fails.
        """
        begin = time.monotonic()
        if self._path is None or begin < self._next:
            return
        with replaced(self._path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, key=np.array(key), **arrays)
        end = time.monotonic()
        self._next = end + self._pause * (end - begin)
