"""Self-contained pages and a text about finished jobs, from their summaries."""

from cluster_qc.report.comparison import write_comparison
from cluster_qc.report.page import write_page
from cluster_qc.report.text import text_report

__all__ = ["text_report", "write_comparison", "write_page"]
