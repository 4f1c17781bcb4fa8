"""The strategies of Flower that collect trees instead of tensors."""

from ariba_cli.base.errors import UsageError

_PREFIX = "FedXgb"


def refuse_trees(strategy: object) -> None:
    """Refuse to wrap a strategy whose replies have no shape in common.

    Raises
    ------
    UsageError
        When the strategy collects trees.
    """
    if any(one.__name__.startswith(_PREFIX) for one in type(strategy).__mro__):
        raise UsageError(
            f"{type(strategy).__name__} collects trees, which have no tensors to be compared"
        )
