"""PySCF and the solvers on top of it; the only layer that imports pyscf."""
