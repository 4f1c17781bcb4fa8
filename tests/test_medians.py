"""The median that is found without masked arrays is that of NumPy."""

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ariba_cli.base.medians import median_of

_NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
_SHAPES = arrays.array_shapes(max_dims=2, max_side=9)


@given(arrays.arrays(np.float64, _SHAPES, elements=_NUMBERS))
def test_the_median_is_that_of_numpy(values: npt.NDArray[np.float64]) -> None:
    with np.errstate(invalid="ignore", over="ignore"):
        assert np.array_equal(median_of(values), np.median(values), equal_nan=True)
