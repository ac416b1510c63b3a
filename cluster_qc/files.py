"""Writing files so that they are whole or absent, and saying plainly why a disk refused."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster_qc.errors import ClusterQCError, InputError, StorageError

_TEMPORARY = ".unfinished-"
_FREE = "free space there, then give the same command again; or use another folder with -o"
_REASONS = {
    errno.ENOSPC: ("the disk is full", _FREE),
    errno.EDQUOT: ("the disk quota is used up", _FREE),
    errno.EFBIG: ("the file would be larger than this process may write", "raise the limit (ulimit -f), or use -o"),
    errno.EROFS: ("the file system is read-only", "give a folder on a writable file system with -o"),
    errno.EACCES: ("permission denied", "give a folder that you may write to with -o"),
    errno.EPERM: ("permission denied", "give a folder that you may write to with -o"),
    errno.ENOTDIR: ("a part of this path is a file, not a folder", "give another folder with -o"),
    errno.EEXIST: ("a part of this path is a file, not a folder", "give another folder with -o"),
    errno.EIO: ("the disk reports an input/output error", "check the disk, or give another folder with -o"),
}  # fmt: skip


@contextmanager
def storage_errors(path: str | Path, *, reading: bool = False) -> Iterator[None]:
    """Turn an OSError into a StorageError that names `path`, the reason and the way out."""
    try:
        yield
    except OSError as exc:
        reason, fix = _REASONS.get(exc.errno or 0, (exc.strerror or str(exc), "check the path and the disk"))
        if reading:
            fix = "check that the file exists and that you may read it"
        raise StorageError(f"cannot {'read' if reading else 'write'} {path}: {reason}", fix=fix) from exc


def write_bytes(path: str | Path, content: bytes) -> None:
    """Replace a file in one step: written beside it, flushed to the disk, renamed.

    Raises
    ------
    StorageError
        If that fails; a former version of the file stays as it was.
    """
    with replaced(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, content: str) -> None:
    """`write_bytes` of a text in UTF-8; bytes of file names that are none are written as backslash and number."""
    write_bytes(path, content.encode(errors="backslashreplace"))


def need_writable(path: Path, *, folder: bool = False) -> None:
    """Refuse, before any work, a file (or a folder) that could not be written after it.

    Raises
    ------
    StorageError
        If `path` is of the other kind, or its place cannot be written.
    """
    with storage_errors(path):
        if path.exists() and path.is_dir() != folder:
            raise StorageError(
                f"cannot write {path}: it is a {'file, not a folder' if folder else 'folder, not a file'}",
                fix="give another name with -o",
            )
        place = path if folder else path.parent
        existing = next(parent for parent in (place, *place.absolute().parents) if parent.exists())
        with tempfile.TemporaryFile(dir=existing):
            pass


def read_at_most(path: Path, limit: int) -> bytes:
    """The content of a file, refused if it is longer than `limit` bytes.

    Raises
    ------
    InputError
        If the file is longer; no more than the limit was read.
    """
    with path.open("rb") as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise InputError(
            f"{path} is larger than {limit // 2**20} MiB",
            why="no file of this kind is that large",
            fix="check that it is the file you mean",
        )
    return content


def temporary_prefix() -> str:
    """How the names of this process's temporary files and folders begin."""
    return f"{_TEMPORARY}{socket.gethostname()}-{os.getpid()}-"


def remove_unfinished(folder: Path) -> None:
    """Delete temporary files and folders that a killed process on this machine left in `folder`."""
    prefix = f"{_TEMPORARY}{socket.gethostname()}-"
    for path in folder.glob(f"{_TEMPORARY}*"):
        pid = path.name.removeprefix(prefix).split("-")[0]
        if path.name.startswith(prefix) and not (pid.isdigit() and process_alive(int(pid))):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def process_alive(pid: int) -> bool:
    """Whether a process of this machine has that number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def sync_directory(path: str | Path) -> None:
    """Flush a folder's entries to the disk, so that a rename survives a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as exc:
        if exc.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems refuse this
            raise
    finally:
        os.close(handle)


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def umask() -> int:
    """The process's file mode mask."""
    value = os.umask(0)
    os.umask(value)
    return value


@contextmanager
def replaced(path: str | Path) -> Iterator[Path]:
    """A temporary name beside `path`, of the same suffix, for a writer that wants a name; renamed when it is done.

    Raises
    ------
    StorageError
        If that fails; a former version of the file stays as it was.
    """
    path = Path(path)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=temporary_prefix(), suffix=path.suffix, dir=path.parent)
        os.close(handle)
    temporary = Path(name)
    try:
        with storage_errors(path):
            try:
                yield temporary
            except ClusterQCError as exc:
                if isinstance(exc.__context__, OSError):  # the writer knows the temporary name alone
                    raise exc.__context__ from None
                raise
            with open(temporary, "rb") as stream:
                os.fsync(stream.fileno())
            os.chmod(temporary, 0o666 & ~umask())
            os.replace(temporary, path)
            sync_directory(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
