"""Imports that signals must not come into."""

import importlib

from ariba_cli.base.interrupts import defer_signals


def import_training_libraries() -> None:
    """Import what training needs, after the arguments were checked and before it starts.

    The library would import it when it is first used, where signals come through.
    """
    with defer_signals():
        for name in ("sklearn.datasets", "torch"):
            importlib.import_module(name)
