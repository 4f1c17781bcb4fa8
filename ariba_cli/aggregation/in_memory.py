"""The next global model of a round in memory, where the server of a federation has it."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ariba_cli.aggregation.combining import next_values
from ariba_cli.aggregation.rules import DEFAULT, make_rule
from ariba_cli.aggregation.rules.declaration import Rule
from ariba_cli.aggregation.updates import Accuracy, Public, RoundUpdates
from ariba_cli.base.machine import memory_bytes
from ariba_cli.formats.memory import model_in_memory
from ariba_cli.rounds.members import GLOBAL_STEM, Member
from ariba_cli.updates.intake import Sent, Submission

Float32s = dict[str, npt.NDArray[np.float32]]


def next_model(
    global_weights: Float32s,
    updates: Mapping[str, Float32s],
    eta: float,
    rule: Rule | None = None,
    *,
    noise_seed: int = 0,
    accuracy: Accuracy | None = None,
    public: Public | None = None,
) -> Float32s:
    """Return the next global model in float32; values beyond its range become infinite.

    Parameters
    ----------
    global_weights : dict of str to float32 array
        The weights θ^t.
    updates : dict of str to dict
        The weights that each participant sent, by id, in id order: all finite.
    eta : float
        The server's learning rate η.
    rule : Rule, optional
        The rule by which they are aggregated; FedAvg by default.
    noise_seed : int, optional
        The seed of the noise of a rule.
    accuracy : callable, optional
        The function that returns the accuracy of a model on the samples of the server, for rules
        that need it.
    public : callable, optional
        The function that yields rounds of public data, for rules that need them.

    Raises
    ------
    InputError, UsageError
        When the rule cannot be followed on this round.
    """
    stacked = replace(updates_in_memory(global_weights, updates), accuracy=accuracy, public=public)
    choice = (rule or make_rule(DEFAULT)).of(stacked)
    found = {}
    with np.errstate(over="ignore", invalid="ignore"):
        for name, values in global_weights.items():
            blocks = next_values(stacked, choice, name, eta, noise_seed)
            flat = [block.astype(np.float32) for block in blocks]
            found[name] = np.concatenate([*flat, np.zeros(0, np.float32)]).reshape(values.shape)
    return found


def updates_in_memory(global_weights: Float32s, updates: Mapping[str, Float32s]) -> RoundUpdates:
    """Return the weights that participants sent in the form for rules; see `next_model`."""
    return RoundUpdates(
        ids=tuple(updates),
        shapes={name: values.shape for name, values in global_weights.items()},
        values=lambda name: [sent[name].reshape(-1) for sent in updates.values()],
        start=lambda name: global_weights[name].reshape(-1),
        has_global=True,
        updates_are_deltas=False,
        samples=(1,) * len(updates),
        sent=lambda: Sent(
            submissions=[_submission(name, sent) for name, sent in updates.items()],
            global_model=_submission(GLOBAL_STEM, global_weights),
            model_order=list(global_weights),
        ),
        memory=memory_bytes() // 4,
    )


def _submission(name: str, weights: Float32s) -> Submission:
    return Submission(Member(name, name), model_in_memory(weights))
