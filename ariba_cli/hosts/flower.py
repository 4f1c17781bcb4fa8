"""Flower: `AribaStrategy` around any strategy of `flwr.serverapp.strategy`."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy

from ariba_cli.base.errors import RefusedFileError, UsageError
from ariba_cli.formats.model import Model
from ariba_cli.hosts.flower_gate import GatedStrategy
from ariba_cli.hosts.node_ids import participant_id
from ariba_cli.hosts.npy_arrays import model_of
from ariba_cli.hosts.replies import Reply
from ariba_cli.rounds.host import whole_samples

_STYPE = "numpy.ndarray"


class AribaStrategy(GatedStrategy, Strategy):  # type: ignore[misc, unused-ignore]
    """A strategy around another that saves and audits the replies of clients, and prunes some.

    Replies that cannot be averaged are kept from the inner strategy under every policy: other
    tensors, NaN, or metrics that would end Flower's own aggregation.

    Parameters
    ----------
    inner : Strategy
        The strategy that samples clients and averages their replies.
    out : path, optional
        The directory for the rounds of this run, each of which is sealed; None to save nothing.
    audit : dict, optional
        The settings of the audit, by the arguments of `ariba_cli.score`; None for no audit.
    policy : str, optional
        `watch` prunes nobody, `flagged` those who stand out at a level, `suspects` those whom
        `k_est` names, and r-of-R, such as `3-of-5`, those who are named in r of their last R
        rounds.
    fail : str, optional
        The treatment of a round that could not be audited: `open` passes on all that can be
        averaged; `closed` passes on nobody, and the global model stays as it is.

    Raises
    ------
    AribaError
        When these do not fit together, or `out` has rounds of another run.
    """

    def check_inner(self, inner: Any) -> None:
        """Refuse to wrap a strategy that has a start of its own; see `GatedStrategy`."""
        super().check_inner(inner)
        if type(inner).start is not Strategy.start:
            raise UsageError(
                f"{type(inner).__name__} has its own start method, which ariba would replace; wrap "
                "a strategy that keeps Flower's"
            )

    def start(self, *args: Any, **kwargs: Any) -> Result:
        """Run the federation; see `Strategy.start`. Every round is saved when it returns."""
        try:
            return super().start(*args, **kwargs)
        finally:
            self.close()

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Let the inner strategy configure a round, and keep the model that is sent out."""
        self.keep_sent_out(server_round, lambda: _model_of(arrays))
        found: Iterable[Message] = self.inner.configure_train(server_round, arrays, config, grid)
        return found

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Let the inner strategy aggregate the replies that are passed on, if there are any."""
        all_replies = list(replies)
        answered = {
            participant_id(one.metadata.src_node_id): one
            for one in all_replies
            if not one.has_error()
        }
        failures = [
            (str(one.metadata.src_node_id), str(one.error.reason))
            for one in all_replies
            if one.has_error()
        ]
        sent_back = self._replies({name: answered[name] for name in sorted(answered)})
        kept = self.let_through(server_round, sent_back, failures)
        if answered and not kept:
            return None, None
        passed_on = [
            one
            for one in all_replies
            if one.has_error() or participant_id(one.metadata.src_node_id) in kept
        ]
        found: tuple[ArrayRecord | None, MetricRecord | None]
        found = self.inner.aggregate_train(server_round, passed_on)
        return found

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Let the inner strategy configure the evaluation."""
        found: Iterable[Message] = self.inner.configure_evaluate(server_round, arrays, config, grid)
        return found

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """Let the inner strategy aggregate the evaluation."""
        return self.inner.aggregate_evaluate(server_round, replies)

    def summary(self) -> None:
        """Let the inner strategy log its settings."""
        self.inner.summary()

    def _replies(self, answered: Mapping[str, Message]) -> list[Reply]:
        """Return the replies; references are taken, since strategies empty records."""
        weighted_by = getattr(self.inner, "weighted_by_key", None)
        wrong = {} if weighted_by is None else _wrong_records(answered, weighted_by)
        found = []
        for name, message in answered.items():
            content = message.content
            metrics = dict(next(iter(content.metric_records.values()), {}))
            model, why = None, wrong.get(name, "")
            try:
                model = _model_of(self._arrays_in(content))
            except RefusedFileError as error:
                why = why or str(error)
            found.append(
                Reply(
                    id=name,
                    node=str(message.metadata.src_node_id),
                    model=model,
                    samples=whole_samples(metrics.get(weighted_by)),
                    metrics=metrics,
                    wrong=why,
                )
            )
        return found

    def _arrays_in(self, content: RecordDict) -> ArrayRecord:
        """Return the record that holds the model."""
        records = content.array_records
        if not records:
            raise RefusedFileError("holds no arrays")
        key = getattr(self.inner, "arrayrecord_key", None)
        return records[key] if key in records else next(iter(records.values()))


def _model_of(record: ArrayRecord) -> Model:
    for name, array in record.items():
        if array.stype != _STYPE:
            raise RefusedFileError(f"{name!r} is stored as {array.stype[:80]!r}, not {_STYPE}")
    return model_of({name: array.data for name, array in record.items()})


def _wrong_records(answered: Mapping[str, Message], weighted_by: str) -> dict[str, str]:
    """Return the ids whose records would end the aggregation of FedAvg and those derived from it.

    It wants one record of arrays and one of metrics, of the same names, from everybody.
    """
    wrong = {}
    for name, message in answered.items():
        records = message.content.metric_records
        if len(records) != 1 or len(message.content.array_records) != 1:
            wrong[name] = "does not hold one record of arrays and one of metrics"
        elif not _is_weight(next(iter(records.values())).get(weighted_by)):
            wrong[name] = f"does not give a positive number as {weighted_by!r}"
    forms = {name: _form(one) for name, one in answered.items() if name not in wrong}
    usual = Counter(forms.values()).most_common(1)
    for name, form in forms.items():
        if form != usual[0][0]:
            wrong[name] = "has other records or metrics than most"
    return wrong


def _form(message: Message) -> tuple[object, ...]:
    """Return the names of the records and metrics of a reply, and the lengths of lists in them."""
    content = message.content
    metrics = {
        (name, key, len(value) if isinstance(value, list) else 0)
        for name, record in content.metric_records.items()
        for key, value in record.items()
    }
    return tuple(content.array_records), frozenset(metrics)


def _is_weight(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0
