"""The strategies by which an attacker does more than poison its samples, one a file.

They are combined in the order of `STRATEGIES`, whatever the order in which they are named.
"""

from collections.abc import Sequence
from itertools import permutations

from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.attacks.strategies.alie import LittleIsEnough
from ariba_cli.attacks.strategies.alternating import Alternating
from ariba_cli.attacks.strategies.anomalous import ANOMALIES, Anomalous
from ariba_cli.attacks.strategies.declaration import Need
from ariba_cli.attacks.strategies.dormant import DormantUnit
from ariba_cli.attacks.strategies.generated import Generated
from ariba_cli.attacks.strategies.honest import HonestUpdates, update_norm
from ariba_cli.attacks.strategies.inner_product import InnerProduct
from ariba_cli.attacks.strategies.label_flipping import LabelFlipping
from ariba_cli.attacks.strategies.layers import CriticalLayers
from ariba_cli.attacks.strategies.mimic import Mimic
from ariba_cli.attacks.strategies.min_max import MinMax, MinSum
from ariba_cli.attacks.strategies.model_reuse import ModelReuse
from ariba_cli.attacks.strategies.neurotoxin import Neurotoxin
from ariba_cli.attacks.strategies.noise import Noise
from ariba_cli.attacks.strategies.norm_matching import NormMatching
from ariba_cli.attacks.strategies.projected import Projected
from ariba_cli.attacks.strategies.replacement import Replacement
from ariba_cli.attacks.strategies.sign_flip import SignFlip
from ariba_cli.attacks.strategies.strategy import Held, Situation, Strategy
from ariba_cli.base.declared import Argument
from ariba_cli.base.errors import UsageError
from ariba_cli.base.parameters import Parameter
from ariba_cli.base.registry import registered
from ariba_cli.base.suggestions import nearest

__all__ = [
    "ANOMALIES",
    "STRATEGIES",
    "Held",
    "HonestUpdates",
    "Need",
    "Situation",
    "Strategy",
    "arguments_of",
    "combined",
    "settled",
    "update_norm",
]

STRATEGIES: dict[str, type[Strategy]] = {
    one.declaration.name: one
    for one in (
        # Those that change training, then those that change or make an update, then lengths.
        LabelFlipping,
        Generated,
        Anomalous,
        Neurotoxin,
        ModelReuse,
        Projected,
        # Its hooks are around those of the others.
        Alternating,
        CriticalLayers,
        Noise,
        SignFlip,
        InnerProduct,
        LittleIsEnough,
        MinMax,
        MinSum,
        Mimic,
        DormantUnit,
        Replacement,
        NormMatching,
    )
}


def combined(settings: AttackSettings) -> Sequence[Strategy]:
    """Return the strategies that the settings name, in the order in which they work.

    Raises
    ------
    UsageError
        When there is no such strategy, two undo each other, or an argument fits none.
    """
    for name in settings.strategies:
        registered(STRATEGIES, name, kind="strategy")
    chosen = [make for name, make in STRATEGIES.items() if name in settings.strategies]
    for one, other in permutations([make.declaration for make in chosen], 2):
        if other.leaves_nothing_of(one):
            raise UsageError(f"the strategy {other.name} undoes {one.name}; use one of them")
    known = arguments_of(settings.strategies)
    for key, value in settings.arguments.items():
        if key not in known:
            raise UsageError(_unknown(key, settings.strategies))
        name, argument = known[key]
        argument.check(key, name, value)
    return [make(settings) for make in chosen]


def arguments_of(strategies: Sequence[str]) -> dict[str, tuple[str, Argument]]:
    """Return the arguments that some strategies take, each with the first that takes it."""
    found: dict[str, tuple[str, Argument]] = {}
    for name in STRATEGIES:
        if name in strategies:
            for key, argument in STRATEGIES[name].declaration.arguments.items():
                found.setdefault(key, (name, argument))
    return found


def settled(settings: AttackSettings) -> dict[str, Parameter]:
    """Return all arguments of the strategies: as they were given, else their defaults."""
    return {
        key: settings.arguments.get(key, argument.default)
        for key, (_, argument) in arguments_of(settings.strategies).items()
    }


def _unknown(key: str, strategies: Sequence[str]) -> str:
    """Return the message that no strategy takes an argument, with others that may be meant."""
    named = " or ".join(sorted(strategies)) or "an attack without a strategy"
    for name, make in STRATEGIES.items():
        if key in make.declaration.arguments:
            return f"{key} needs --strategy {name}; add that, or leave out {key}"
    meant = nearest(key, arguments_of(strategies))
    takes = ", ".join(arguments_of(strategies)) or "none"
    return f"{named} takes no argument '{key}'; " + (
        f"did you mean {meant}?" if meant else f"it takes {takes}"
    )
