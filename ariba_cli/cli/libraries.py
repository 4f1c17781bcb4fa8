"""Imports that signals must not interrupt."""

import importlib

from ariba_cli.base.extras import SIMULATE, require
from ariba_cli.base.interrupts import defer_signals


def import_training_libraries() -> None:
    """Import the training libraries, after the arguments were checked and before training starts.

    They would otherwise be imported at their first use, which signals can interrupt.

    Raises
    ------
    UsageError
        When one of them is not installed.
    """
    require(SIMULATE, "this command")
    with defer_signals():
        for name in ("sklearn.datasets", "torch"):
            importlib.import_module(name)
