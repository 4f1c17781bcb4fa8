"""What each strategy promises of the updates that it makes, on small arrays."""

from typing import Any

import numpy as np
import pytest

from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.attacks.strategies import (
    STRATEGIES,
    HonestUpdates,
    combined,
    options_of,
    settled,
)
from ariba_cli.base.errors import UsageError
from tests.conftest import Ariba
from tests.situations import situation


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_a_strategy_declares_what_there_is_to_know(name: str) -> None:
    declared = STRATEGIES[name].declaration
    assert declared.name == name
    for text in (declared.summary, declared.equation, declared.source, declared.purpose):
        assert text.strip()
        assert not text.endswith(".")
    assert set(declared.undoes) <= set(STRATEGIES)
    for key, option in declared.options.items():
        assert key.isidentifier()
        assert option.meaning
        # What is found from the round is said in words, and what is not fits its own bounds.
        if option.default is None:
            assert option.otherwise
        else:
            option.check(key, name, option.default)


@pytest.mark.parametrize(
    ("strategies", "arguments", "message"),
    [
        (("noise",), {"deviations": 1}, "noise takes no argument 'deviations'; did you mean dev"),
        (("replacement",), {"zeal": 1}, "replacement takes no argument 'zeal'; it takes none"),
        ((), {"zeal": 1}, "an attack without a strategy takes no argument 'zeal'"),
        (("replacement",), {"deviation": 1}, "deviation is of --strategy noise; name that"),
        (("noise",), {"deviation": -1}, "deviation of noise is '-1'; it must be a number from 0"),
        (("noise",), {"deviation": "much"}, "deviation of noise is 'much'; it must be a number"),
        (("noise",), {"deviation": True}, "deviation of noise is 'True'"),
    ],
)
def test_arguments_that_fit_no_strategy_are_refused(
    strategies: tuple[str, ...], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        combined(AttackSettings(strategies=strategies, arguments=arguments))


def test_records_have_the_defaults_too() -> None:
    assert settled(AttackSettings(strategies=("noise",))) == {"deviation": None}
    given = AttackSettings(strategies=("noise",), arguments={"deviation": 2.0})
    assert settled(given) == {"deviation": 2.0}


def test_the_list_has_every_strategy_and_argument(ariba: Ariba) -> None:
    shown = ariba("attack", "--list-strategies", COLUMNS="200").stdout.decode()
    lines = [line.split()[:2] for line in shown.splitlines() if line.split()]
    for name, strategy in STRATEGIES.items():
        assert [name, strategy.declaration.stage] in lines
    for key, (name, _) in options_of(tuple(STRATEGIES)).items():
        assert [key, name] in lines


def test_random_numbers_have_the_deviation_that_is_asked_for() -> None:
    """The Gaussian attack: N(0, s²) in each coordinate."""
    start = {"w": np.zeros(40_000, np.float32)}
    honest = HonestUpdates(start, {"p0": {"w": np.ones(40_000, np.float32)}})
    noise = STRATEGIES["noise"](AttackSettings(arguments={"deviation": 3}))
    drawn = noise.sent(situation(honest=honest), start)["w"]
    assert abs(drawn.mean()) < 0.06
    assert drawn.std() == pytest.approx(3, rel=0.02)
    assert np.mean(np.abs(drawn) < 3) == pytest.approx(0.6827, abs=0.01)
