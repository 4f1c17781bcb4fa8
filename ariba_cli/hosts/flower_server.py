"""Flower's older API: `AribaServerStrategy` around any strategy of `flwr.server.strategy`."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from flwr.common import EvaluateIns, EvaluateRes, FitIns, FitRes, Parameters, Scalar
from flwr.server.client_manager import ClientManager
from flwr.server.client_proxy import ClientProxy
from flwr.server.strategy import Strategy

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.formats.model import Model
from ariba_cli.hosts.flower_gate import GatedStrategy
from ariba_cli.hosts.gate import DEFAULT_AUDIT, Fail
from ariba_cli.hosts.node_ids import participant_id
from ariba_cli.hosts.npy_arrays import model_of
from ariba_cli.hosts.replies import Reply
from ariba_cli.rounds.host import whole_samples

_TENSOR_TYPE = "numpy.ndarray"

Failure = tuple[ClientProxy, FitRes] | BaseException


class AribaServerStrategy(GatedStrategy, Strategy):  # type: ignore[misc, unused-ignore]
    """A strategy around another that saves and audits the results of clients, and prunes some.

    Flower's older servers do not say when a run ends: call `close`, or leave it to the end of
    the program, and every round is saved.

    Parameters
    ----------
    inner : Strategy
        The strategy that samples clients and averages their results.
    out, audit, policy, fail
        See `ariba_cli.hosts.flower.AribaStrategy`.
    names : sequence of str, optional
        The names of the model's arrays, in its order, since this API has no names for
        them; `arr_0`, `arr_1` and so on by default.

    Raises
    ------
    AribaError
        When these do not fit together, or `out` has rounds of another run.
    """

    def __init__(
        self,
        inner: Strategy,
        *,
        out: str | PathLike[str] | None,
        audit: Mapping[str, Any] | None = DEFAULT_AUDIT,
        policy: str = "watch",
        fail: Fail = "open",
        names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(inner, out=out, audit=audit, policy=policy, fail=fail)
        self._names = names

    def initialize_parameters(self, client_manager: ClientManager) -> Parameters | None:
        """Let the inner strategy give the first parameters."""
        return self.inner.initialize_parameters(client_manager)

    def configure_fit(
        self, server_round: int, parameters: Parameters, client_manager: ClientManager
    ) -> list[tuple[ClientProxy, FitIns]]:
        """Let the inner strategy configure a round, and keep the model that is sent out."""
        self.keep_sent_out(server_round, lambda: self._model(parameters))
        found: list[tuple[ClientProxy, FitIns]]
        found = self.inner.configure_fit(server_round, parameters, client_manager)
        return found

    def aggregate_fit(
        self,
        server_round: int,
        results: list[tuple[ClientProxy, FitRes]],
        failures: list[Failure],
    ) -> tuple[Parameters | None, dict[str, Scalar]]:
        """Let the inner strategy aggregate the results that are passed on, if there are any."""
        by_id = {_id(proxy): (proxy, answer) for proxy, answer in results}
        replies = [self._reply(name, *by_id[name]) for name in sorted(by_id)]
        kept = self.let_through(server_round, replies, [_failure(one) for one in failures])
        if results and not kept:
            return None, {}
        passed_on = [(proxy, answer) for proxy, answer in results if _id(proxy) in kept]
        found: tuple[Parameters | None, dict[str, Scalar]]
        found = self.inner.aggregate_fit(server_round, passed_on, failures)
        return found

    def configure_evaluate(
        self, server_round: int, parameters: Parameters, client_manager: ClientManager
    ) -> list[tuple[ClientProxy, EvaluateIns]]:
        """Let the inner strategy configure the evaluation."""
        found: list[tuple[ClientProxy, EvaluateIns]]
        found = self.inner.configure_evaluate(server_round, parameters, client_manager)
        return found

    def aggregate_evaluate(
        self,
        server_round: int,
        results: list[tuple[ClientProxy, EvaluateRes]],
        failures: list[tuple[ClientProxy, EvaluateRes] | BaseException],
    ) -> tuple[float | None, dict[str, Scalar]]:
        """Let the inner strategy aggregate the evaluation."""
        found: tuple[float | None, dict[str, Scalar]]
        found = self.inner.aggregate_evaluate(server_round, results, failures)
        return found

    def evaluate(
        self, server_round: int, parameters: Parameters
    ) -> tuple[float, dict[str, Scalar]] | None:
        """Let the inner strategy evaluate the parameters."""
        found: tuple[float, dict[str, Scalar]] | None
        found = self.inner.evaluate(server_round, parameters)
        return found

    def _reply(self, name: str, proxy: ClientProxy, answer: FitRes) -> Reply:
        model, wrong = None, ""
        try:
            model = self._model(answer.parameters)
        except RefusedFileError as error:
            wrong = str(error)
        samples = whole_samples(answer.num_examples)
        if not wrong and not samples:
            wrong = "does not give a positive number of examples"
        return Reply(name, str(proxy.cid), model, samples, dict(answer.metrics), wrong)

    def _model(self, parameters: Parameters) -> Model:
        if parameters.tensor_type != _TENSOR_TYPE:
            stored = str(parameters.tensor_type)[:80]
            raise RefusedFileError(f"is stored as {stored!r}, not {_TENSOR_TYPE}")
        count = len(parameters.tensors)
        names = self._names or [f"arr_{index}" for index in range(count)]
        if len(names) != count:
            raise RefusedFileError(f"holds {count} arrays, but {len(names)} names were given")
        return model_of(dict(zip(names, parameters.tensors, strict=True)))


def _id(proxy: ClientProxy) -> str:
    node = getattr(proxy, "node_id", None)
    return participant_id(node) if isinstance(node, int) else str(proxy.cid)


def _failure(one: Failure) -> tuple[str, str]:
    if isinstance(one, BaseException):
        return "", f"{type(one).__name__}: {one}"
    return str(one[0].cid), str(one[1].status.message)
