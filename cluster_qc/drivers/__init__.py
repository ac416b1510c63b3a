"""PySCF and the solvers on top of it; the only layer that imports pyscf, each BLAS at its best kernel."""

from cluster_qc.drivers import blas

blas.load()
