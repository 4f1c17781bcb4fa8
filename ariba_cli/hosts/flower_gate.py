"""The gate around an inner strategy, which the strategies for both APIs of Flower share."""

import logging
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any

import flwr

from ariba_cli.base.errors import RefusedFileError, UsageError
from ariba_cli.formats.model import Model
from ariba_cli.hosts.gate import DEFAULT_AUDIT, Fail, Gate
from ariba_cli.hosts.replies import Reply

# The strategies that collect trees are called by it.
_OF_TREES = "FedXgb"
# A child of Flower's own logger, so that its lines stand among those of the run.
_LOGGER = logging.getLogger("flwr.ariba")


class GatedStrategy:
    """A strategy around another, with a gate before its aggregation.

    Parameters
    ----------
    inner : Strategy
        The strategy that samples clients and averages what they send.
    out, audit, policy, fail
        See `ariba_cli.hosts.flower.AribaStrategy`.

    Raises
    ------
    AribaError
        When these do not fit together, or `out` has rounds of another run.
    """

    def __init__(
        self,
        inner: Any,
        *,
        out: str | PathLike[str] | None,
        audit: Mapping[str, Any] | None = DEFAULT_AUDIT,
        policy: str = "watch",
        fail: Fail = "open",
    ) -> None:
        self.check_inner(inner)
        self.inner = inner
        self._sent_out: tuple[int, Model | None] = (0, None)
        self.gate = Gate(
            f"flower {flwr.__version__}",
            out=out,
            audit=audit,
            policy=policy,
            fail=fail,
            logger=_LOGGER,
        )

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the inner strategy, for callers that look at its settings."""
        if name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)

    def close(self) -> None:
        """Wait until every round is saved."""
        self.gate.close()

    def check_inner(self, inner: Any) -> None:
        """Refuse to wrap a strategy whose replies have no shape in common.

        Raises
        ------
        UsageError
            When the strategy collects trees.
        """
        if any(one.__name__.startswith(_OF_TREES) for one in type(inner).__mro__):
            raise UsageError(
                f"{type(inner).__name__} collects trees, which have no tensors to compare"
            )

    def keep_sent_out(self, server_round: int, opened: Callable[[], Model]) -> None:
        """Keep the model that is sent out in a round; a warning is logged where it is refused."""
        try:
            self._sent_out = server_round, opened()
        except RefusedFileError as error:
            _LOGGER.warning("ariba: the global model is not kept: %s", error)
            self._sent_out = server_round, None

    def let_through(
        self, server_round: int, replies: Sequence[Reply], failures: Sequence[tuple[str, str]]
    ) -> frozenset[str]:
        """Return the ids whose replies the inner strategy gets; see `Gate.judge`."""
        number, sent_out = self._sent_out
        sent = sent_out if number == server_round else None
        return self.gate.judge(server_round, sent, replies, failures).kept
