"""The output layer: participants whose correction of one class is unlike that of all others."""

import numpy as np

from ariba_cli.base.medians import median_of
from ariba_cli.detectors.declaration import (
    Declaration,
    Need,
    Scope,
    Scores,
    Setting,
    UpdateDetector,
    check_arguments,
)
from ariba_cli.scoring.update_statistics import Float64, Statistic, Updates

DECLARATION = Declaration(
    name="last-bias",
    scope=Scope.UPDATE,
    summary="how differently from the others an update moves the bias and weights of a class",
    equation="max over classes c and over x ∈ {Δb_c, ‖ΔW_c‖} of |x_i − median x| / (1.4826·MAD x)",
    source="after Rieger et al., DeepSight, 2022, and Jeong et al., FedCC, 2023",
    score="deviations",
    needs=frozenset({Need.OUTPUT_LAYER}),
    gathers=frozenset({Statistic.OUTPUT}),
)

_MAD_TO_DEVIATION = 1.4826
# MADs below this part of the median size say that nearly all are equal.
_LEAST_SPREAD = 1e-9


def last_bias_scores(updates: Updates, _k_est: int) -> Scores:
    """Return the largest deviation of each participant, and the class that shows it."""
    output = updates.output
    assert output is not None
    deviations = np.maximum(
        _deviations(output.bias), _deviations(np.sqrt(np.maximum(output.row_squares, 0.0)))
    )
    total: Float64 = deviations.max(axis=1)
    return Scores(
        total=total,
        by_layer={output.layer: total},
        parameters={},
        details={"class": deviations.argmax(axis=1).tolist()},
    )


def _deviations(values: Float64) -> Float64:
    """Return the robust deviations of each column, from shape (n, classes); 0 where all agree.

    Where most agree to the last digits, the mean deviation stands in for the median one.
    """
    moved = np.abs(values - _medians(values))
    least = _LEAST_SPREAD * np.abs(values).max(axis=0)
    spread = _MAD_TO_DEVIATION * _medians(moved)
    spread = np.where(spread > least, spread, moved.mean(axis=0))
    found: Float64 = np.divide(moved, spread, out=np.zeros_like(moved), where=spread > 0)
    return found


def _medians(values: Float64) -> Float64:
    return np.array([median_of(column) for column in values.T])


class LastBias:
    """The maker of the detector."""

    declaration = DECLARATION

    def make(self, _: str, setting: Setting) -> UpdateDetector:
        """Return the detector, which takes no arguments."""
        check_arguments(DECLARATION, setting)
        return UpdateDetector(DECLARATION, last_bias_scores, {})


FAMILY = LastBias()
