"""The autoencoder that knows honest updates: what it reconstructs, and whom its rule leaves out."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ariba_cli.aggregation.autoencoder import Autoencoder
from ariba_cli.aggregation.in_memory import next_model, updates_in_memory
from ariba_cli.aggregation.public import public_rounds
from ariba_cli.aggregation.rules import make_rule
from ariba_cli.aggregation.rules.spectral_vae import surrogates
from ariba_cli.aggregation.updates import RoundUpdates
from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.federated.federation import Federation, FederationSettings
from ariba_cli.formats.model import ReadOptions
from tests.conftest import FIXTURES, Ariba

Float64 = npt.NDArray[np.float64]
Model = dict[str, npt.NDArray[np.float32]]

SHAPES = {"conv.weight": (6, 3), "fc1.weight": (20, 9), "fc1.bias": (20,), "fc2.weight": (5, 20)}
CLEAN, ATTACKED = FIXTURES / "clean", FIXTURES / "attacked"


def drawn(seed: int, n: int = 8) -> dict[str, Model]:
    draw = np.random.default_rng(seed)
    return {
        f"p{i}": {name: draw.normal(size=one).astype(np.float32) for name, one in SHAPES.items()}
        for i in range(n)
    }


def zeros() -> Model:
    return {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}


def of(sent: dict[str, Model]) -> RoundUpdates:
    return updates_in_memory(zeros(), sent)


def test_a_surrogate_is_a_projection_of_the_last_two_layers() -> None:
    sent = drawn(1)
    plain = []
    for one in sent.values():
        total = np.zeros(64)
        for place, name in enumerate(("fc1.weight", "fc1.bias", "fc2.weight")):
            draw, values = np.random.default_rng(place), one[name].astype(np.float64).ravel()
            into, signs = draw.integers(64, size=values.size), draw.choice([-1, 1], values.size)
            for value, where, sign in zip(values, into, signs, strict=True):
                total[where] += sign * value
        plain.append(total)
    rows = np.array(plain)
    expected = rows / np.median(np.linalg.norm(rows, axis=1))
    np.testing.assert_allclose(surrogates(of(sent)), expected, rtol=1e-12)
    # Of other layers nothing is in it.
    for one in sent.values():
        one["conv.weight"] *= 100
    np.testing.assert_allclose(surrogates(of(sent)), expected, rtol=1e-12)


def test_it_reconstructs_what_it_has_learnt_and_nothing_else() -> None:
    draw = np.random.default_rng(0)
    directions = draw.normal(size=(3, 30))

    def like(count: int) -> Float64:
        found: Float64 = draw.normal(size=(count, 3)) @ directions
        return found + 0.05 * draw.normal(size=(count, 30))

    coder = Autoencoder(like(300), steps=1500)
    usual, others = coder.errors(like(50)), coder.errors(draw.normal(size=(50, 30)) * 2)
    assert np.median(usual) < 0.5 * others.min()
    again = Autoencoder(np.ones((1, 30)), steps=1)
    assert np.isfinite(again.errors(np.full((2, 30), 1e300))).all()


def test_the_same_vectors_make_the_same_autoencoder() -> None:
    vectors = np.random.default_rng(0).normal(size=(20, 30))
    one, again = (Autoencoder(vectors, steps=10).errors(vectors) for _ in range(2))
    assert one.tobytes() == again.tobytes()


def test_a_rule_that_needs_public_rounds_says_so() -> None:
    rule, sent = make_rule("spectral-vae", {"steps": 1}), drawn(2)
    with pytest.raises(InputError, match=r"trained on public data; name .* --public"):
        next_model(zeros(), sent, 1.0, rule)

    def other() -> Iterator[RoundUpdates]:
        yield updates_in_memory({"w": np.zeros(3, np.float32)}, {"p0": {"w": np.ones(3, "f4")}})

    with pytest.raises(InputError, match="name a run of the same model with --public"):
        next_model(zeros(), sent, 1.0, rule, public=other)
    with pytest.raises(InputError, match="has no update that can be used"):
        next_model(zeros(), sent, 1.0, rule, public=lambda: iter(()))
    with pytest.raises(UsageError, match="a simulation lacks; use ariba aggregate"):
        Federation(FederationSettings(rule="spectral-vae"))


def test_public_rounds_are_those_of_a_run_or_one() -> None:
    (alone,) = public_rounds(CLEAN, ReadOptions(), 2**26)
    assert len(alone.ids) == 20
    together = list(public_rounds(FIXTURES, ReadOptions(), 2**26))
    assert len(together) > 1


def left_out(ariba: Ariba, round_: Path, *more: object) -> list[str]:
    command = ("aggregate", round_, "--rule", "spectral-vae", "--public", CLEAN, *more)
    done = ariba(*command)
    assert done.returncode == 0, done.stderr
    return [line.split("\t")[0] for line in done.stdout.decode().splitlines()]


def test_the_command_leaves_out_attackers_and_somebody_of_a_clean_round(
    tmp_path: Path, ariba: Ariba
) -> None:
    assert left_out(ariba, ATTACKED, "--out", tmp_path / "one") == ["p15", "p18"]
    assert 0 < len(left_out(ariba, CLEAN, "--out", tmp_path / "other")) < 15
    for more, words in (
        (("--rule", "spectral-vae"), b"name their run with --public"),
        (("--rule", "median", "--public", CLEAN), b"median learns from no public rounds"),
    ):
        wrong = ariba("aggregate", CLEAN, "--out", tmp_path / "no", *more)
        assert (wrong.returncode, wrong.stderr.count(b"\n")) == (2, 1)
        assert words in wrong.stderr
    assert not (tmp_path / "no").exists()
