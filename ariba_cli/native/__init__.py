"""Arithmetic over all values of a layer: compiled where possible, otherwise in NumPy.

Both give the same results, bit for bit, so callers need not know which was used. `kernels.c` is
compiled when the package is installed (`build.py`), once for each level of processors.
"""
