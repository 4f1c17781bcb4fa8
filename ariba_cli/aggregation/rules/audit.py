"""The pruning that follows an audit: the mean of those whom the panel does not flag."""

from ariba_cli.aggregation.rules.declaration import (
    Arguments,
    Choice,
    Declaration,
    Rule,
    Settled,
    keep,
)
from ariba_cli.aggregation.updates import RoundUpdates
from ariba_cli.auditing.audit import audit_sent
from ariba_cli.auditing.settings import DEFAULT_LEVEL, AuditSettings
from ariba_cli.base.declared import Argument
from ariba_cli.detectors import DEFAULT, make_detectors

DECLARATION = Declaration(
    name="audit",
    summary="the mean of all updates that ariba audit does not flag",
    equation="Σ c_i δ_i / Σ c_i over those whom the panel does not flag at the level",
    source="ariba; Algorithm 1 of the paper leaves out the suspects, too",
    fails="attackers whom the panel misses are averaged; detection.md says how often that "
    "happens, and how often somebody honest is left out",
    fewest=3,
    by_samples=True,
    arguments={
        "level": Argument(
            "the false-discovery level", default=DEFAULT_LEVEL, least=0.000001, most=0.999999
        )
    },
)


def settle(given: Arguments, _: int) -> Settled:
    """Return the level."""
    return {"level": float(given.get("level") or DEFAULT_LEVEL)}


def choose(updates: RoundUpdates, *, level: float) -> Choice:
    """Keep those that an audit does not flag, and those that cannot be judged."""
    settings = AuditSettings(
        level=level, detectors=make_detectors((DEFAULT,)), max_memory=updates.memory
    )
    verdict = audit_sent(updates.sent(), settings)
    flagged = {one.id for one in verdict.suspects}
    return keep(updates, [name not in flagged for name in updates.ids])


RULE = Rule(DECLARATION, choose, settle)
