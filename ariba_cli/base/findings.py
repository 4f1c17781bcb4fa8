"""The faults of an input, in words that every room and every report shares."""

from dataclasses import dataclass, field
from enum import StrEnum

# What a finding says in numbers and codes.
Fact = str | int | float | tuple[int, ...]


class FindingKind(StrEnum):
    """The kinds of finding, by their names in the reports."""

    REFUSED = "refused"
    MISSING_LAYER = "missing-layer"
    WRONG_SHAPE = "wrong-shape"
    WRONG_TYPE = "wrong-type"
    WRONG_SCALE = "wrong-scale"
    WRONG_LAYOUT = "wrong-layout"
    EXTRA_LAYER = "extra-layer"
    NONFINITE = "nonfinite"
    DUPLICATE = "duplicate"
    OUTSIZE = "outsize"
    DOMINANT = "dominant"
    FAR_OUT = "far-out"
    DEGENERATE = "degenerate"
    FEW_FRAGMENTS = "few-fragments"
    LARGE_K_EST = "large-k-est"
    FEW_PARTICIPANTS = "few-participants"
    UNCALIBRATED = "uncalibrated"
    LAYER_LEFT_OUT = "layer-left-out"
    NO_COMMON_NAME = "no-common-name"
    NEWEST_CHECKPOINT = "newest-checkpoint"
    UNCHANGED = "unchanged"
    NOT_SCORED = "not-scored"
    NO_UPDATES = "no-updates"
    SEVERAL_ROUNDS = "several-rounds"
    RENAMED = "renamed"
    SEVERAL_GLOBALS = "several-globals"
    UNUSABLE_GLOBAL = "unusable-global"
    UNSEALED = "unsealed"
    SEAL_BROKEN = "seal-broken"
    UNLISTED_FILE = "unlisted-file"
    PLANTED = "planted"
    ROUND_REPEATED = "round-repeated"
    ROUND_ORDER = "round-order"
    ROUNDS_MISSING = "rounds-missing"
    UNNUMBERED = "unnumbered"
    OTHER_PARTICIPANTS = "other-participants"


# What can be found anew in every layer.
PER_LAYER = frozenset(
    {
        FindingKind.MISSING_LAYER,
        FindingKind.WRONG_SHAPE,
        FindingKind.WRONG_TYPE,
        FindingKind.WRONG_SCALE,
        FindingKind.WRONG_LAYOUT,
        FindingKind.NONFINITE,
        FindingKind.DUPLICATE,
        FindingKind.DOMINANT,
        FindingKind.DEGENERATE,
        FindingKind.FEW_FRAGMENTS,
        FindingKind.LARGE_K_EST,
        FindingKind.LAYER_LEFT_OUT,
        FindingKind.UNUSABLE_GLOBAL,
    }
)
# What can be wrong with several rounds, and not with one.
OF_HISTORY = frozenset(
    {
        FindingKind.ROUND_REPEATED,
        FindingKind.ROUND_ORDER,
        FindingKind.ROUNDS_MISSING,
        FindingKind.UNNUMBERED,
        FindingKind.OTHER_PARTICIPANTS,
    }
)
BROKEN_SEAL = (FindingKind.SEAL_BROKEN, FindingKind.UNLISTED_FILE)


@dataclass(frozen=True)
class Finding:
    """A finding of one fault.

    Attributes
    ----------
    kind : FindingKind
        The kind of fault.
    detail : str
        The fault and its place, in one line that starts in lower case. It does not count towards
        a report's hash, or the equality of two findings.
    participant : str, optional
        The participant whose file has the fault; None if the whole round or a group has it.
    layer : str, optional
        The layer that has the fault; None if it concerns no single layer.
    group : tuple of str
        The ids of several participants who have the fault together.
    facts : dict of str to Fact
        The numbers in the detail.
    """

    kind: FindingKind
    detail: str = field(compare=False)
    participant: str | None = None
    layer: str | None = None
    group: tuple[str, ...] = ()
    facts: dict[str, Fact] = field(default_factory=dict)

    def __hash__(self) -> int:
        """Return a hash that includes the facts; without them a forger could make all collide."""
        facts = tuple(sorted(self.facts.items()))
        return hash((self.kind, self.participant, self.layer, self.group, facts))
