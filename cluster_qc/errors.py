"""Error classes, named by what the user can do about them.

Every message says what is wrong, why it matters and how to fix it; the command line prints it on stderr
without a traceback and exits with the class's `exit_code`.
"""

from __future__ import annotations


class ClusterQCError(Exception):
    """Base class of every error that this package raises on purpose.

    Parameters
    ----------
    what
        What is wrong, with the file and line where there is one.
    why
        Why it matters.
    fix
        How to fix it.
    """

    exit_code = 2

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.what]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


class InputError(ClusterQCError):
    """The input is wrong: correct the argument, the file or the method."""


class StructureError(InputError):
    """A structure file cannot give a molecule: choose differently, or repair the file.

    `kind` is one word for machines ("malformed", "polymer", "disorder", "missing", ...), `line` the line of the
    file where known.
    """

    def __init__(
        self, what: str, *, kind: str, why: str = "", fix: str = "", line: int | None = None
    ) -> None:
        super().__init__(what, why=why, fix=fix)
        self.kind = kind
        self.line = line


class StorageError(ClusterQCError):
    """A record cannot be written or read: free space, change permissions, or remove the damaged record."""


class ResourceError(ClusterQCError):
    """The machine is too small for the job as asked: the message names the cheaper setting."""


class NotConvergedError(ClusterQCError):
    """A calculation ended without converging and its result was asked for as if it had."""

    exit_code = 1


class UnavailableError(InputError):
    """The quantity does not exist for this calculation (a triplet's dipole, a missing commutator)."""
