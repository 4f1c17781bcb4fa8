"""The conditions of `--fail-on`."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from ariba_cli.errors import UsageError
from ariba_cli.findings import BROKEN_SEAL, FindingKind
from ariba_cli.verdict import Verdict

# Which findings make each condition hold: a broken seal is none, and whoever sends
# something else than the layer is left out as those are whose file is refused.
_FINDINGS = {
    "refused": {
        FindingKind.REFUSED,
        FindingKind.MISSING_LAYER,
        FindingKind.WRONG_SHAPE,
        FindingKind.WRONG_TYPE,
    },
    "nonfinite": {FindingKind.NONFINITE},
    "duplicate": {FindingKind.DUPLICATE},
    "unsealed": {FindingKind.UNSEALED, *BROKEN_SEAL},
}
_SHARE = re.compile(r"share>=(\d+(?:\.\d+)?|\.\d+)")


@dataclass(frozen=True)
class Condition:
    """Something of a verdict that makes a command exit with 1."""

    text: str
    holds: Callable[[Verdict], bool]


def parse_condition(text: str) -> Condition:
    """Read `share>=X` or the name of a finding.

    Raises
    ------
    UsageError
        When it is neither.
    """
    share = _SHARE.fullmatch(text)
    if share and 0 <= float(share[1]) <= 1:
        least = float(share[1])
        return Condition(text, lambda verdict: any(r.share >= least for r in verdict.ranking))
    if text in _FINDINGS:
        kinds = _FINDINGS[text]
        return Condition(text, lambda verdict: any(f.kind in kinds for f in verdict.findings))
    known = ", ".join(_FINDINGS)
    raise UsageError(f"--fail-on knows no '{text}'; use share>=X with X from 0 to 1, {known}")
