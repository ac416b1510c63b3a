"""One self-contained page and one text about a finished job, from its summary."""

from cluster_qc.report.page import write_page
from cluster_qc.report.text import text_report

__all__ = ["text_report", "write_page"]
