"""The aggregation rules, one file each: the updates of a round → the change of the global model.

Each file has a `RULE`: a declaration, and the function that makes a choice of a round. A new rule
is a file here, a line in `RULES`, and a row in the table of `test_rules.py`; lists, help,
completion and tables are made of the declarations.
"""

import importlib
from collections.abc import Mapping

from ariba_cli.aggregation.rules.declaration import Rule
from ariba_cli.base.errors import UsageError
from ariba_cli.base.parameters import Parameter
from ariba_cli.base.suggestions import nearest

# The module of each, by the name under which it is asked for; imported when it is.
RULES = {
    "fedavg": "fedavg",
    "krum": "krum",
    "multi-krum": "multi_krum",
    "bulyan": "bulyan",
    "median": "median",
    "trimmed-mean": "trimmed_mean",
    "geometric-median": "geometric_median",
    "foolsgold": "foolsgold",
    "norm-clip": "norm_clip",
    "accuracy-check": "accuracy_check",
    "spectral-vae": "spectral_vae",
    "audit": "audit",
}
DEFAULT = "fedavg"


def make_rule(name: str, arguments: Mapping[str, Parameter] | None = None) -> Rule:
    """Return the rule of that name with its arguments.

    Raises
    ------
    UsageError
        When there is none, or it does not take them.
    """
    if name not in RULES:
        near = nearest(name, RULES)
        hint = f"use one of {', '.join(RULES)}" if near is None else f"did you mean '{near}'?"
        raise UsageError(f"unknown rule '{name}'; {hint} (ariba aggregate --list-rules)")
    rule: Rule = importlib.import_module(f"{__name__}.{RULES[name]}").RULE
    return rule.taking(arguments or {})
