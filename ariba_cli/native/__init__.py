"""Arithmetic over all values of a layer: compiled where it can be, and else in NumPy.

Both give the same, bit for bit, and callers cannot tell which of them it was. `kernels.c` is
compiled when the package is installed (`build.py`), once for each level of processors.
"""
