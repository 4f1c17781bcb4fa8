"""Find the participants of a federated-learning round whose updates look backdoored.

>>> import ariba_cli as ariba
>>> verdict = ariba.audit("fixtures/attacked", layers="conv2", k_est=4)
>>> [one.id for one in verdict.suspects[:2]]
['p18', 'p15']

`audit` takes a round on disk and `score` updates in memory; both return a `Verdict`. A
`RunningHistory` that `audit` is given for each round of a run says what they show together.
`open_round` and `save_round` read and write rounds. When something cannot be done, they raise
an `AribaError` with a message of one line. Nothing is imported until it is used.
"""

from typing import TYPE_CHECKING, Any

from ariba_cli.base import version

if TYPE_CHECKING:
    from ariba_cli.api.auditing import audit, score
    from ariba_cli.api.rounds import open_round, save_round
    from ariba_cli.api.verdict import Verdict
    from ariba_cli.auditing.history import RunningHistory
    from ariba_cli.base.errors import AribaError

__version__ = version.VERSION

# Where each name is defined.
_MODULES = {
    "AribaError": "ariba_cli.base.errors",
    "RunningHistory": "ariba_cli.auditing.history",
    "Verdict": "ariba_cli.api.verdict",
    "audit": "ariba_cli.api.auditing",
    "open_round": "ariba_cli.api.rounds",
    "save_round": "ariba_cli.api.rounds",
    "score": "ariba_cli.api.auditing",
}

__all__ = [
    "AribaError",
    "RunningHistory",
    "Verdict",
    "__version__",
    "audit",
    "open_round",
    "save_round",
    "score",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        from importlib import import_module

        found = getattr(import_module(_MODULES[name]), name)
        if not isinstance(found, type):
            from ariba_cli.api.errors import in_python

            found = in_python(found)
            # Processes that are sent the function look for it here.
            found.__module__ = __name__
        return globals().setdefault(name, found)
    raise AttributeError(f"module 'ariba_cli' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
