"""Layers of a device with their levels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """A published or computed level in eV against vacuum, as a range; both ends are equal for a single value."""

    low_ev: float
    high_ev: float


@dataclass(frozen=True)
class Layer:
    """A layer; None for a level that is not known, or that this kind of layer does not have."""

    name: str
    homo: Level | None = None
    lumo: Level | None = None
    work_function: Level | None = None
    """The Fermi level of a conductor (negative)."""
    sources: tuple[str, ...] = ()
    note: str = ""

    @property
    def known(self) -> bool:
        """Whether it has any level."""
        return not (self.homo is self.lumo is self.work_function is None)


@dataclass(frozen=True)
class Offset:
    """Step in energy between two layers that follow each other among those whose level is known."""

    carrier: str
    """"hole" or "electron"."""
    start: str
    end: str
    low_ev: float
    """Least step that the ranges allow; positive is a barrier to the carrier on its way from `start` to `end`."""
    high_ev: float
