"""Strategies: what the attacker does besides poisoning its samples, one a file.

They are combined in the order of `STRATEGIES`, whatever the order they are named in.
"""

from collections.abc import Sequence

from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.attacks.strategies.anomalous import ANOMALIES, Anomalous
from ariba_cli.attacks.strategies.label_flipping import LabelFlipping
from ariba_cli.attacks.strategies.noise import Noise
from ariba_cli.attacks.strategies.norm_matching import NormMatching
from ariba_cli.attacks.strategies.replacement import Replacement
from ariba_cli.attacks.strategies.strategy import Situation, Strategy, update_norm
from ariba_cli.base.errors import UsageError
from ariba_cli.base.registry import registered

__all__ = ["ANOMALIES", "STRATEGIES", "Situation", "Strategy", "combined", "update_norm"]

STRATEGIES: dict[str, type[Strategy]] = {
    "label-flipping": LabelFlipping,
    "anomalous": Anomalous,
    "noise": Noise,
    "replacement": Replacement,
    "norm-matching": NormMatching,
}

# Pairs of which the second makes the first of no use.
_AT_ODDS = (
    ("replacement", "norm-matching"),
    ("label-flipping", "noise"),
    ("anomalous", "noise"),
)


def combined(settings: AttackSettings) -> Sequence[Strategy]:
    """The strategies that the settings name, in the order in which they work.

    Raises
    ------
    UsageError
        When there is no such strategy, or two undo each other.
    """
    for name in settings.strategies:
        registered(STRATEGIES, name, kind="strategy")
    for one, other in _AT_ODDS:
        if {one, other} <= set(settings.strategies):
            raise UsageError(f"the strategy {other} leaves nothing of {one}; use one of the two")
    return [make(settings) for name, make in STRATEGIES.items() if name in settings.strategies]
