"""Triggers: the images that the attacker wants to be taken for the target class, one a file."""

from ariba_cli.attacks.triggers.distributed import Distributed
from ariba_cli.attacks.triggers.edge_case import EdgeCase
from ariba_cli.attacks.triggers.one_class import OneClass
from ariba_cli.attacks.triggers.pattern import Pattern
from ariba_cli.attacks.triggers.semantic import Semantic
from ariba_cli.attacks.triggers.single_input import SingleInput
from ariba_cli.attacks.triggers.targeted import Targeted
from ariba_cli.attacks.triggers.trigger import Aim, Trigger
from ariba_cli.attacks.triggers.trojan import Trojan

__all__ = ["TRIGGERS", "Aim", "Trigger"]

TRIGGERS: dict[str, Trigger] = {
    "pattern": Pattern(),
    "targeted": Targeted(),
    "semantic": Semantic(),
    "edge-case": EdgeCase(),
    "class": OneClass(),
    "dba": Distributed(),
    "single-input": SingleInput(),
    "trojan": Trojan(),
}
