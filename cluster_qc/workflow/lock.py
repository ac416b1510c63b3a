"""One run at a time in a results folder."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cluster_qc.errors import StorageError
from cluster_qc.files import process_alive, storage_errors

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
_LOCK = ".lock"
_PATIENCE_S = 0.5  # `owner_of` takes the lock for a moment to see whether it is free


@dataclass(frozen=True)
class Owner:
    """Who took a folder's lock."""

    process: int
    host: str
    since: str
    """UTC."""

    def __str__(self) -> str:
        """As it stands in the lock's file."""
        return f"process {self.process} on {self.host}, since {self.since}"


@contextmanager
def folder_lock(folder: Path) -> Iterator[bool]:
    """Hold the folder's lock; it dies with the process. Yields False where the file system has no locks.

    Raises
    ------
    StorageError
        If another process holds it, or the folder cannot be written.
    """
    path = folder / _LOCK
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        held = True
        try:
            _take(handle)
        except BlockingIOError:
            owner = os.pread(handle, 200, 0).decode(errors="replace").strip()
            raise StorageError(
                f"another run is working in {folder}" + (f" ({owner})" if owner else ""),
                why="two runs of one folder would do the same work twice",
                fix="wait for it, stop it, or give another folder with -o",
            ) from None
        except OSError as exc:
            if exc.errno not in _NO_LOCKS:
                with storage_errors(path):
                    raise
            held = False
        started = datetime.now(UTC).isoformat(timespec="seconds")
        with storage_errors(path):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{Owner(os.getpid(), socket.gethostname(), started)}\n".encode(), 0)
        try:
            yield held
        finally:
            with suppress(OSError):  # only a killed process leaves its name behind
                os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _take(handle: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PATIENCE_S / 10)
        else:
            return


def owner_of(folder: Path) -> tuple[Owner | None, bool | None]:
    """Who took the folder's lock and did not give it back, and whether that process lives.

    None for the latter if it ran on another machine and the file system does not show locks across machines, or if it
    has no locks at all.
    """
    try:
        handle = os.open(folder / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None, False
    try:
        text = os.pread(handle, 400, 0).decode(errors="replace")
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            held: bool | None = False
        except OSError as exc:
            held = None if exc.errno in _NO_LOCKS else True
    finally:
        os.close(handle)
    match = re.fullmatch(r"process (\d+) on (\S+), since (\S+)\n", text)
    owner = Owner(int(match[1]), match[2], match[3]) if match else None
    if held or owner is None:
        return owner, bool(held)
    if owner.host != socket.gethostname():
        return owner, None
    return owner, process_alive(owner.process) if held is None else False
