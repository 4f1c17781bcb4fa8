"""NVFlare: an aggregator that leaves suspects out, and a saver beside any other."""

import logging
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import Any

import nvflare
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_component import FLComponent
from nvflare.apis.fl_constant import FLMetaKey, ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.app_common.abstract.fl_model import FLModel, ParamsType
from nvflare.app_common.aggregators.model_aggregator import ModelAggregator
from nvflare.app_common.aggregators.weighted_aggregation_helper import WeightedAggregationHelper
from nvflare.app_common.app_constant import AppConstants
from nvflare.app_common.app_event_type import AppEventType
from nvflare.app_common.utils.fl_model_utils import FLModelUtils

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.formats.model import Model
from ariba_cli.hosts.gate import DEFAULT_AUDIT, Fail, Gate, Judgement
from ariba_cli.hosts.params import lie_in_files, model_of_params
from ariba_cli.hosts.replies import Reply
from ariba_cli.rounds.host import whole_samples

_LOGGER = logging.getLogger("nvflare.ariba")
_UNKNOWN = "unknown"


class _Round:
    """The answers of one round so far, before they reach a gate."""

    def __init__(
        self,
        out: str,
        audit: Mapping[str, Any] | None,
        policy: str,
        fail: Fail,
        *,
        copy: bool = False,
    ) -> None:
        self.gate = Gate(
            f"nvflare {nvflare.__version__}",
            out=out,
            audit=DEFAULT_AUDIT if audit is None else audit,
            policy=policy,
            fail=fail,
            logger=_LOGGER,
        )
        self._copy = copy
        self._replies: dict[str, Reply] = {}
        self._rounds = 0
        self.answers: dict[str, FLModel] = {}

    @property
    def kind(self) -> Any:
        """Return the kind of most answers: weights or differences."""
        kinds = Counter(self.answers[name].params_type for name in sorted(self.answers))
        return kinds.most_common(1)[0][0]

    def accept(self, name: str, answer: FLModel) -> None:
        """Add the answer of a client; the last of several counts."""
        model, wrong = None, ""
        try:
            model = model_of_params(answer.params, copy=self._copy)
        except RefusedFileError as error:
            wrong = str(error)
        metrics = dict(answer.metrics or {})
        self.answers[name] = answer
        self._replies[name] = Reply(
            name, name, model, _steps(answer), metrics, wrong, kept=answer.params
        )

    def judge(self, task: FLModel | None) -> Judgement:
        """Return the judgement on those who have answered to a task.

        The number of the round is the server's, whatever clients say.
        """
        number = self._rounds if task is None else int(task.current_round or 0)
        self._rounds = number + 1
        replies = [self._held_to_kind(self._replies[name]) for name in sorted(self._replies)]
        deltas = bool(replies) and self.kind == ParamsType.DIFF
        found = self.gate.judge(number, _model_sent_out(task), replies, deltas=deltas)
        if any(lie_in_files(one.params) for one in self.answers.values()):
            # NVFlare removes its files when a run ends, whoever may still read them.
            self.gate.close()
        return found

    def _held_to_kind(self, reply: Reply) -> Reply:
        """Refuse a difference among weights, and the other way round."""
        own = self.answers[reply.id].params_type
        if own == self.kind or reply.wrong:
            return reply
        return replace(reply, wrong=f"sends {own.value}, most send {self.kind.value}")

    def clear(self) -> None:
        """Forget the round."""
        self.answers, self._replies = {}, {}


class AribaAggregator(ModelAggregator):  # type: ignore[misc, unused-ignore]
    """An aggregator that saves and audits the answers of clients, and averages those not pruned.

    The average is weighted by the steps that clients say they took, as NVFlare's own is. All
    arguments are plain, so that a job can be exported.

    Parameters
    ----------
    out : str
        The directory on the server for the rounds of this run.
    audit : dict, optional
        The settings of the audit, by the arguments of `ariba_cli.score`.
    policy, fail : str, optional
        See `ariba_cli.hosts.flower.AribaStrategy`. With fewer than ten clients nobody is
        flagged; `suspects` always names somebody.
    """

    def __init__(
        self,
        out: str,
        audit: dict[str, Any] | None = None,
        policy: str = "watch",
        fail: Fail = "open",
    ) -> None:
        super().__init__()
        self.out, self.audit, self.policy, self.fail = out, audit, policy, fail
        self._round: _Round | None = None
        self._task: FLModel | None = None

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:
        """Keep the model that is sent out, and wait at the end of a run for the last save."""
        super().handle_event(event_type, fl_ctx)
        if event_type == AppEventType.BEFORE_TRAIN_TASK:
            self._task = _task_of(fl_ctx)
        elif event_type == EventType.END_RUN and self._round is not None:
            self._round.gate.close()

    def accept_model(self, model: FLModel) -> None:
        """Add the answer of a client."""
        if self._round is None:
            self._round = _Round(self.out, self.audit, self.policy, self.fail)
        self._round.accept(str((model.meta or {}).get("client_name", _UNKNOWN)), model)

    def reset_stats(self) -> None:
        """Begin another round."""
        if self._round is not None:
            self._round.clear()

    def aggregate_model(self) -> FLModel:
        """Return the average of those who are passed on; the last model if nobody is.

        Raises
        ------
        InputError
            When nobody has sent a model, or nobody is passed on and the model is not known.
        """
        if self._round is None or not self._round.answers:
            raise InputError("no client has sent a model in this round")
        answers, kind = self._round.answers, self._round.kind
        kept = self._round.judge(self._task).kept
        passed_on = {name: one for name, one in answers.items() if name in kept}
        if passed_on:
            params: Mapping[str, Any] = _average(
                {name: one.params for name, one in passed_on.items()}, passed_on
            )
        else:
            params = self._unchanged(kind)
        metrics = {name: _numbers(one.metrics or {}) for name, one in passed_on.items()}
        return FLModel(
            params_type=kind,
            params=params,
            metrics=_average(metrics, passed_on) or None,
        )

    def _unchanged(self, kind: ParamsType) -> Mapping[str, Any]:
        if kind == ParamsType.DIFF:
            return {}
        if self._task is None:
            raise InputError("no update is passed on, and the model sent out is unknown")
        params: Mapping[str, Any] = self._task.params
        return params


class AribaSaver(FLComponent):  # type: ignore[misc, unused-ignore]
    """A saver that audits the answers of clients, beside any aggregator: nobody is left out.

    Parameters
    ----------
    out : str
        The directory on the server for the rounds of this run.
    audit : dict, optional
        See `AribaAggregator`.
    """

    def __init__(self, out: str, audit: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.out, self.audit = out, audit
        self._round: _Round | None = None
        self._task: FLModel | None = None

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:
        """Collect the answers before they are aggregated, and save them when that begins."""
        if event_type == AppEventType.BEFORE_TRAIN_TASK:
            self._task = _task_of(fl_ctx)
        elif event_type == AppEventType.BEFORE_CONTRIBUTION_ACCEPT:
            self._accept(fl_ctx)
        elif event_type == AppEventType.BEFORE_AGGREGATION and self._round is not None:
            self._round.judge(self._task)
            self._round.clear()
        elif event_type == EventType.END_RUN and self._round is not None:
            self._round.gate.close()

    def _accept(self, fl_ctx: FLContext) -> None:
        result = fl_ctx.get_prop(AppConstants.TRAINING_RESULT)
        if result is None or result.get_return_code() != ReturnCode.OK:
            return
        peer = fl_ctx.get_peer_context()
        name = _UNKNOWN if peer is None else peer.get_identity_name(_UNKNOWN)
        if self._round is None:
            self._round = _Round(self.out, self.audit, "watch", "open", copy=True)
        self._round.accept(name, FLModelUtils.from_shareable(result))


def _task_of(fl_ctx: FLContext) -> FLModel | None:
    """Return the task that is about to be sent."""
    task = fl_ctx.get_prop(AppConstants.TRAIN_SHAREABLE)
    return None if task is None else FLModelUtils.from_shareable(task)


def _model_sent_out(task: FLModel | None) -> Model | None:
    """Return the model of a task, where it holds one that can be saved."""
    if task is None or not task.params:
        return None
    try:
        return model_of_params(task.params)
    except RefusedFileError as error:
        _LOGGER.warning("ariba: the global model is not kept: %s", error)
        return None


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics that can be averaged, whoever sent them."""
    return {
        name: float(value)
        for name, value in metrics.items()
        if isinstance(value, Real) and math.isfinite(value)
    }


def _average(
    values: Mapping[str, Mapping[str, Any]], answers: Mapping[str, FLModel]
) -> dict[str, Any]:
    """Return the mean of values by name, weighted by the steps of clients, in their order."""
    helper = WeightedAggregationHelper()
    for name in sorted(values):
        samples = _steps(answers[name])
        helper.add(values[name], 1 if samples is None else samples, name, 0)
    found: dict[str, Any] = helper.get_result()
    return found


def _steps(model: FLModel) -> int | None:
    """Return the number of steps that a client says it took; None if it says no such number."""
    return whole_samples((model.meta or {}).get(FLMetaKey.NUM_STEPS_CURRENT_ROUND)) or None
