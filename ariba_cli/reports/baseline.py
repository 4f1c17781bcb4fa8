"""Reports on clean rounds of one's own → the tails by which another round is judged."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ariba_cli.base.errors import InputError
from ariba_cli.files.limits import Limits
from ariba_cli.reports.report import read_report
from ariba_cli.scoring.panel.baseline import FEWEST_PARTICIPANTS, Baseline, fit_baseline

if TYPE_CHECKING:
    from ariba_cli.scoring.update_statistics import Float64

_OURS = "built-in"


def read_baseline(paths: Sequence[Path], limits: Limits | None = None) -> Baseline:
    """Return the tails of the rounds that some reports are about.

    Parameters
    ----------
    paths : sequence of Path
        The JSON reports of audits by the panel, of clean rounds.
    limits : Limits, optional
        The limits on the files that are read.

    Raises
    ------
    InputError
        When one is not such a report, is there twice, speaks of compromised participants or has a
        baseline of its own, or when all have too few participants.
    """
    rounds: list[dict[str, Float64]] = []
    digests: list[str] = []
    for path in paths:
        report = read_report(path, limits)
        verdict = report.verdict
        if report.result_sha256 in digests:
            raise InputError(f"'{path}' is in the baseline twice; give each report once")
        if verdict.calibration is None or not verdict.ranking:
            raise InputError(
                f"'{path}' has no p-values; audit that round with --detector panel, or without "
                "--k-est, --layer and --fragment"
            )
        if verdict.calibration.source != _OURS:
            raise InputError(f"'{path}' was made with a baseline; audit that round without one")
        if verdict.compromised:
            raise InputError(
                f"'{path}' is on a round with compromised participants; give clean rounds"
            )
        scores = verdict.deciding.scores
        rounds.append(
            {sign: np.array([one.by_sign[sign] for one in scores]) for sign in scores[0].by_sign}
        )
        digests.append(report.result_sha256)
    participants = sum(len(next(iter(one.values()))) for one in rounds)
    if participants < FEWEST_PARTICIPANTS:
        raise InputError(
            f"the baseline has {participants} participants, and needs {FEWEST_PARTICIPANTS}; give "
            "the reports of more clean rounds"
        )
    return fit_baseline(rounds, tuple(digests))
