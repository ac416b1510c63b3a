"""One run at a time in a results folder."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cluster_qc.errors import StorageError
from cluster_qc.files import storage_errors

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


@contextmanager
def folder_lock(folder: Path) -> Iterator[bool]:
    """Hold the folder's lock; it dies with the process. Yields False where the file system has no locks.

    Raises
    ------
    StorageError
        If another process holds it, or the folder cannot be written.
    """
    path = folder / ".lock"
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        held = True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
            os.pwrite(handle, f"process {os.getpid()}, since {started}\n".encode(), 0)
        yield held
    finally:
        os.close(handle)
