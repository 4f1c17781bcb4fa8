"""The verdicts of every detector and every published rule on a round, against the truth."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.decisions import level
from ariba_cli.auditing.evaluation import truth_metrics
from ariba_cli.auditing.settings import AuditSettings, KEst
from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.detectors import make_detectors
from ariba_cli.rounds.directory import Round, open_round
from ariba_cli.rounds.names import statistics_among
from ariba_cli.verdicts.verdict import Verdict
from benchmarks.detection.making import model_of, output_of, updates_of
from benchmarks.detection.rules import RULES, Sent

PANEL = "panel"
ARIBA = "mahalanobis"
DETECTORS = (PANEL, ARIBA, "norm", "krum", "foolsgold", "last-bias")
# What there is to say where a model has no output layer.
_WITHOUT_OUTPUT = DETECTORS[:-2]
LEVELS = (0.01, 0.05)
# An update of this share of the usual length does nothing.
_NOTHING = 1e-3
# For those that count with the number of the compromised, which nobody knows.
_K_EST = "20%"


def measured(path: Path, compromised: Collection[str]) -> dict[str, Any]:
    """Return the figures of a round.

    Returns
    -------
    dict
        `acting`, the number of the compromised who did something; `auc` by detector, where there
        are any; `panel`, with `found` and `false` by level, the best p-value and the signs that it
        saw; `rules`, with `found` and `false` by rule.
    """
    round_ = open_round(path)
    compromised = _acting(round_, compromised)
    verdict = _verdict(round_)
    found: dict[str, Any] = {"acting": len(compromised)}
    if compromised:
        truth = truth_metrics(verdict, sorted(compromised))
        found["auc"] = {
            name: None if one.auc is None else round(one.auc, 6)
            for name, one in truth.detectors.items()
        }
    scores = verdict.deciding.scores
    own: dict[str, Any] = {"found": {}, "false": {}}
    for alpha in LEVELS:
        named = {one.id for one in level(PANEL, scores, alpha)[1] if one.named}
        own["found"][f"{alpha:g}"] = len(named & set(compromised))
        own["false"][f"{alpha:g}"] = len(named - set(compromised))
    honest = [one.p_value for one in scores if one.id not in compromised]
    own["least_honest_p"] = min((p for p in honest if p is not None), default=None)
    own["signs"] = str(verdict.deciding.parameters["signs"]).split(", ")
    found["panel"] = own
    found["rules"] = _rules(round_, compromised)
    return found


def _acting(round_: Round, compromised: Collection[str]) -> frozenset[str]:
    """Return the compromised whose update is not nothing.

    Whoever has no samples, or none that it has not learned, does not attack either.
    """
    if not compromised:
        return frozenset()
    model = model_of(round_)
    lengths = {
        name: float(np.sqrt(sum(np.square(weights[key] - model[key]).sum() for key in model)))
        for name, weights in updates_of(round_).items()
    }
    least = _NOTHING * float(np.median(list(lengths.values())))
    return frozenset(name for name in compromised if lengths[name] > least)


def _verdict(round_: Round) -> Verdict:
    try:
        return audit(round_, _settings(DETECTORS))
    except (InputError, UsageError):
        return audit(round_, _settings(_WITHOUT_OUTPUT))


def _settings(detectors: tuple[str, ...]) -> AuditSettings:
    return AuditSettings(
        detectors=make_detectors(detectors), level=max(LEVELS), k_est=KEst.parse(_K_EST)
    )


def _rules(round_: Round, compromised: Collection[str]) -> dict[str, dict[str, int]]:
    ids = [one.id for one in round_.participants]
    bad = np.array([name in compromised for name in ids])
    sent = _sent(round_)
    found = {}
    for name, rule in RULES.items():
        out = rule(sent)
        found[name] = {"found": int((out & bad).sum()), "false": int((out & ~bad).sum())}
    return found


def _sent(round_: Round) -> Sent:
    model = model_of(round_)
    statistics = statistics_among({name: values.shape for name, values in model.items()})
    names = [name for name in model if name not in statistics]
    flat = np.concatenate([model[name].reshape(-1) for name in names])
    updates = np.stack(
        [
            np.concatenate([weights[name].reshape(-1) for name in names]) - flat
            for weights in updates_of(round_).values()
        ]
    )
    output = output_of(model)
    if output is None:
        return Sent(flat, updates, slice(None))
    places = np.cumsum([0, *(model[name].size for name in names)])
    first = names.index(f"{output}.weight")
    return Sent(flat, updates, slice(int(places[first]), int(places[first + 1])))
