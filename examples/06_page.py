"""The page of a job, and two jobs side by side: orbitals to turn, sortable states, CD with hover values."""

from __future__ import annotations

from pathlib import Path

from stored import orbitals, read_summary, source

from cluster_qc.plotting.orbitals import orbital_surface
from cluster_qc.report import write_comparison, write_page
from cluster_qc.report.viewer import surfaces_data

MODEL = Path(__file__).parent / "results" / "cu2au2_tfa_quick"


def main() -> None:
    """Write both pages; a run writes the first one itself, `cluster-qc report DIR DIR` the second."""
    folder = Path("figures")
    folder.mkdir(exist_ok=True)
    summary = read_summary(source())
    cluster, volumes = orbitals(source())
    write_page(
        summary,
        folder / "page.html",
        cluster=cluster,
        curves={name: source() / f"{name}.csv" for name in ("cd", "absorption")},
        surfaces=surfaces_data({name: orbital_surface(volume) for name, volume in volumes.items()}),
    )
    jobs = [(read_summary(path)["name"], read_summary(path), path) for path in (source(), MODEL)]
    write_comparison(jobs, folder / "comparison.html")


if __name__ == "__main__":
    main()
