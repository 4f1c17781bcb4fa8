"""The check that values can be computed with."""

import numpy as np

from ariba_cli.native.library import Values, kernels

# No weight of a trained model comes near float32's largest; beyond it, sums overflow.
LARGEST_VALUE = float(np.finfo(np.float32).max)


def in_range(values: Values) -> bool:
    """Return whether all values are finite, and none is beyond ±`LARGEST_VALUE`.

    Parameters
    ----------
    values : float array of shape (any,)
        The values to check.
    """
    compiled, kind = kernels(), values.dtype
    fit = kind in (np.float32, np.float64) and values.flags.c_contiguous and values.flags.aligned
    if compiled is not None and fit:
        return bool(compiled.in_range(values.ctypes, values.size, kind == np.float64))
    with np.errstate(all="ignore"):
        # The sum of squares is finite for all that a model has, and one pass.
        if float(np.dot(values, values)) < LARGEST_VALUE:
            return True
        return bool((np.abs(values) <= LARGEST_VALUE).all())
