"""Aggregation rules against those of other systems, where these are installed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ariba_cli.aggregation.rules import make_rule
from tests.test_rules import Float64, aggregated, close, draw

F = 2


def of_byzfl(name: str, delta: Float64, **arguments: Any) -> Float64:
    byzfl = pytest.importorskip("byzfl")
    found: Float64 = getattr(byzfl, name)(**arguments)(delta)
    return found


def of_flower(name: str, delta: Float64, **arguments: Any) -> Float64:
    aggregate = pytest.importorskip("flwr.server.strategy.aggregate")
    found = getattr(aggregate, name)([([one], 1) for one in delta], **arguments)
    return np.asarray(found[0])


# Its Krum counts one neighbour more than the publication, and its geometric median takes three
# steps unless it gets another number.
BYZFL: dict[str, Callable[[Float64], Float64]] = {
    "fedavg": lambda delta: of_byzfl("Average", delta),
    "krum": lambda delta: of_byzfl("Krum", delta, f=F + 1),
    "median": lambda delta: of_byzfl("Median", delta),
    "trimmed-mean": lambda delta: of_byzfl("TrMean", delta, f=F),
    "geometric-median": lambda delta: of_byzfl("GeometricMedian", delta, nu=1e-6, T=300),
}
FLOWER: dict[str, Callable[[Float64], Float64]] = {
    "fedavg": lambda delta: of_flower("aggregate", delta),
    "krum": lambda delta: of_flower("aggregate_krum", delta, num_malicious=F, to_keep=0),
    "multi-krum": lambda delta: of_flower(
        "aggregate_krum", delta, num_malicious=F, to_keep=len(delta) - F
    ),
    "median": lambda delta: of_flower("aggregate_median", delta),
    "trimmed-mean": lambda delta: of_flower(
        "aggregate_trimmed_avg", delta, proportiontocut=(F + 0.5) / len(delta)
    ),
}
CASES = [(name, theirs) for system in (BYZFL, FLOWER) for name, theirs in system.items()]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "theirs"), CASES, ids=[name for name, _ in CASES])
def test_a_rule_is_that_of_another_system(name: str, theirs: Callable[[Float64], Float64]) -> None:
    takes = make_rule(name).declaration.arguments
    for seed in range(20):
        delta = draw(seed, 9 + seed % 4)
        close(aggregated(delta, name, **({"f": F} if "f" in takes else {})), theirs(delta))
