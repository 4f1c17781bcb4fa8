"""What is wrong with an input, in words that every room and every report shares."""

from dataclasses import dataclass
from enum import StrEnum


class FindingKind(StrEnum):
    """The kinds of finding, as they stand in the reports."""

    REFUSED = "refused"
    MISSING_LAYER = "missing-layer"
    WRONG_SHAPE = "wrong-shape"
    WRONG_TYPE = "wrong-type"
    WRONG_SCALE = "wrong-scale"
    NONFINITE = "nonfinite"
    DUPLICATE = "duplicate"
    DOMINANT = "dominant"
    DEGENERATE = "degenerate"
    LARGE_K_EST = "large-k-est"
    LAYER_LEFT_OUT = "layer-left-out"
    UNSEALED = "unsealed"
    SEAL_BROKEN = "seal-broken"
    UNLISTED_FILE = "unlisted-file"
    SEVERAL_GLOBALS = "several-globals"


# What can be found anew in every layer.
PER_LAYER = frozenset(
    {
        FindingKind.MISSING_LAYER,
        FindingKind.WRONG_SHAPE,
        FindingKind.WRONG_TYPE,
        FindingKind.WRONG_SCALE,
        FindingKind.NONFINITE,
        FindingKind.DUPLICATE,
        FindingKind.DOMINANT,
        FindingKind.DEGENERATE,
        FindingKind.LARGE_K_EST,
        FindingKind.LAYER_LEFT_OUT,
    }
)
BROKEN_SEAL = (FindingKind.SEAL_BROKEN, FindingKind.UNLISTED_FILE)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes
    ----------
    kind : what sort of thing.
    detail : what and where, in one line that starts in lower case.
    participant : whose file it is, or None when the round as a whole is meant.
    """

    kind: FindingKind
    detail: str
    participant: str | None = None
