"""Linear-response TDDFT: tensors and kernel, operator, solver, and the driver that joins them."""

from cluster_qc.drivers.tddft.driver import ResponseSpace, response_tensors, run_tddft

__all__ = ["ResponseSpace", "response_tensors", "run_tddft"]
