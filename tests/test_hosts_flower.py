"""The plug-ins of Flower, where it is installed: its own strategies run, over clients made here."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ariba_cli.base.errors import UsageError
from ariba_cli.rounds.directory import open_round
from tests.conftest import REPOSITORY, environment
from tests.models import random_model

pytest.importorskip("flwr.serverapp.strategy")

from flwr.app import Array, ArrayRecord, Error, Message, MetricRecord, RecordDict
from flwr.common import FitRes, Status, ndarrays_to_parameters, parameters_to_ndarrays
from flwr.server import strategy as server_strategies
from flwr.serverapp import strategy as strategies

from ariba_cli.hosts.flower import AribaStrategy
from ariba_cli.hosts.flower_server import AribaServerStrategy
from ariba_cli.hosts.node_ids import participant_id

Tensors = dict[str, npt.NDArray[Any]]
Client = Callable[[int, int, Tensors], Message | RecordDict | Error]

CLIENTS = 12
# Numbers of nodes are of 64 bits.
NODES = [2**63 + 11 * client for client in range(CLIENTS)]
ATTACKER = NODES[7]

pytestmark = pytest.mark.filterwarnings("ignore")


def content(tensors: Tensors, **metrics: Any) -> RecordDict:
    arrays = ArrayRecord({name: Array(values) for name, values in tensors.items()})
    said = {"num-examples": 10, "train_loss": 0.5, **metrics}
    return RecordDict({"arrays": arrays, "metrics": MetricRecord(said)})


def learnt(node: int, number: int, start: Tensors, scale: float = 0.1) -> Tensors:
    moved = random_model(NODES.index(node) + 100 * number)
    return {name: start[name] + np.float32(scale) * moved[name] for name in start}


def honest(node: int, number: int, start: Tensors) -> RecordDict:
    return content(learnt(node, number, start))


def attacked(node: int, number: int, start: Tensors) -> RecordDict:
    return content(learnt(node, number, start, 5.0 if node == ATTACKER else 0.1))


class LocalGrid:
    """Calls clients here and now, as a grid of Flower's would elsewhere."""

    def __init__(self, client: Client, nodes: list[int]) -> None:
        self._client, self._nodes = client, nodes

    def get_node_ids(self) -> Iterable[int]:
        return self._nodes

    def send_and_receive(self, messages: Iterable[Message], timeout: float) -> list[Message]:
        assert timeout
        # Nodes are sampled at random, and sums depend on the order.
        ordered = sorted(messages, key=lambda message: message.metadata.dst_node_id)
        return [self._answer(message) for message in ordered]

    def _answer(self, message: Message) -> Message:
        node = message.metadata.dst_node_id
        arrays = message.content["arrays"]
        start = {name: array.numpy() for name, array in arrays.items()}
        number = int(message.content["config"]["server-round"])
        answer = self._client(node, number, start)
        return Message(answer, reply_to=message)


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be the server of a run, whose numbers newer versions want to know for each message."""
    with suppress(ImportError):
        from flwr.supercore.task_identity import TaskIdentity

        for name in ("_task_id", "_run_id", "_node_id"):
            monkeypatch.setattr(TaskIdentity, name, 1)


def started(
    strategy: Any, client: Client = honest, rounds: int = 2, nodes: list[int] = NODES
) -> Tensors:
    """Run a federation, and return its last model; nothing where no round made one."""
    initial = ArrayRecord({name: Array(values) for name, values in random_model(99).items()})
    grid = LocalGrid(client, nodes)
    result = strategy.start(grid=grid, initial_arrays=initial, num_rounds=rounds)
    return {name: array.numpy() for name, array in result.arrays.items()}


def fedavg(**options: Any) -> Any:
    return strategies.FedAvg(fraction_evaluate=0.0, **options)


def record(root: Path, number: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / f"round_{number:04d}" / "host.json").read_text())
    return found


STRATEGIES: dict[str, Callable[[], Any]] = {
    "FedAvg": fedavg,
    "FedAdam": lambda: strategies.FedAdam(fraction_evaluate=0.0),
    "FedMedian": lambda: strategies.FedMedian(fraction_evaluate=0.0),
    "FedTrimmedAvg": lambda: strategies.FedTrimmedAvg(fraction_evaluate=0.0),
    "Krum": lambda: strategies.Krum(fraction_evaluate=0.0, num_malicious_nodes=2),
    "Bulyan": lambda: strategies.Bulyan(fraction_evaluate=0.0, num_malicious_nodes=2),
    "QFedAvg": lambda: strategies.QFedAvg(client_learning_rate=0.1, fraction_evaluate=0.0),
    "clipped": lambda: strategies.DifferentialPrivacyServerSideFixedClipping(
        fedavg(), noise_multiplier=0.0, clipping_norm=1.0, num_sampled_clients=CLIENTS
    ),
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_whoever_watches_changes_nothing_and_saves_all(name: str, tmp_path: Path) -> None:
    """Some strategies empty the records that they aggregate, or change what was sent out."""
    plain = started(STRATEGIES[name]())
    watched = started(AribaStrategy(STRATEGIES[name](), out=tmp_path))
    assert plain.keys() == watched.keys()
    for tensor, values in plain.items():
        np.testing.assert_array_equal(watched[tensor], values)
    first = open_round(tmp_path / "round_0001")
    assert first.findings == first.verify_seal().findings == ()
    assert [one.id for one in first.participants] == [participant_id(one) for one in NODES]
    start = random_model(99)
    assert first.global_model is not None
    for tensor, values in first.open(first.global_model).floats():
        np.testing.assert_array_equal(values, start[tensor])
    for member, node in zip(first.participants, NODES, strict=True):
        sent = dict(first.open(member).floats())
        for tensor, values in learnt(node, 1, dict(start)).items():
            np.testing.assert_array_equal(sent[tensor], values)


def test_suspects_are_kept_from_the_strategy(tmp_path: Path) -> None:
    pruned = started(AribaStrategy(fedavg(), out=tmp_path, policy="flagged"), attacked, rounds=1)
    others = [node for node in NODES if node != ATTACKER]
    expected = started(fedavg(), honest, rounds=1, nodes=others)
    for name, values in expected.items():
        np.testing.assert_allclose(pruned[name], values, rtol=1e-5, atol=1e-6)
    told = record(tmp_path)["participants"]
    assert [name for name, one in told.items() if "left_out" in one] == [participant_id(ATTACKER)]
    assert told[participant_id(ATTACKER)]["node"] == str(ATTACKER)
    assert told[participant_id(ATTACKER)]["samples"] == 10


def without_arrays(_: int, __: int, start: Tensors) -> RecordDict:
    return RecordDict({"metrics": content(start)["metrics"]})


def of_other_type(_: int, __: int, start: Tensors) -> RecordDict:
    answer = content(start)
    array = Array(dtype="float32", shape=(3,), stype="pickle", data=b"cos\nsystem\n")
    answer["arrays"]["fc.weight"] = array
    return answer


def renamed(_: int, __: int, start: Tensors) -> RecordDict:
    answer = content(start)
    return RecordDict({"arrays": answer["arrays"], "said": answer["metrics"]})


@pytest.mark.parametrize(
    ("hostile", "why"),
    [
        (without_arrays, "does not hold one record"),
        (of_other_type, "'fc.weight' is stored as 'pickle'"),
        (renamed, "has other records or metrics than most"),
        (lambda *_: content({"other": np.zeros(3)}), "has no tensor"),
        (lambda *one: content(one[2] | {"more": np.zeros(3)}), "has a tensor 'more'"),
        (lambda *one: content(one[2] | {"fc.weight": np.zeros(3)}), "'fc.weight' has shape"),
        (
            lambda *one: content({k: np.full_like(v, np.nan) for k, v in one[2].items()}),
            "36 NaN in 'conv1.weight'",
        ),
        (lambda *one: content(one[2], more=1), "has other records or metrics"),
        (lambda *one: content(one[2], train_loss=[0.5]), "has other records or metrics"),
        (lambda *one: content(one[2], **{"num-examples": -40}), "does not give a positive number"),
        (
            lambda *one: content(one[2], **{"num-examples": np.inf}),
            "does not give a positive number",
        ),
        (lambda *one: content(one[2], **{"num-examples": [1]}), "does not give a positive number"),
    ],
)
def test_one_malformed_reply_costs_that_reply(hostile: Client, why: str, tmp_path: Path) -> None:
    """The first of all, by which Flower would measure the others."""

    def client(node: int, number: int, start: Tensors) -> Any:
        return (hostile if node == NODES[0] else honest)(node, number, start)

    found = started(AribaStrategy(fedavg(), out=tmp_path), client, rounds=1)
    expected = started(fedavg(), honest, rounds=1, nodes=NODES[1:])
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-6)
    told = record(tmp_path)["participants"][participant_id(NODES[0])]
    assert told["left_out"] == "refused"
    assert told["why"].startswith(why)


def test_flower_alone_would_have_ended() -> None:
    """Or there is nothing to test above."""

    def client(node: int, number: int, start: Tensors) -> Any:
        return (renamed if node == NODES[0] else honest)(node, number, start)

    with pytest.raises(Exception, match="MetricRecord"):
        started(fedavg(), client, rounds=1)


def test_clients_that_fail_are_told_and_others_come_and_go(tmp_path: Path) -> None:
    def client(node: int, number: int, start: Tensors) -> Any:
        if node == NODES[number]:
            return Error(code=1, reason="ran out of memory")
        return honest(node, number, start)

    sampled = AribaStrategy(fedavg(fraction_train=0.5), out=tmp_path, policy="2-of-2")
    started(sampled, client, rounds=3)
    took_part = [set(record(tmp_path, number)["participants"]) for number in (1, 2, 3)]
    assert len(set.union(*took_part)) > 6
    for number in (1, 2, 3):
        told = record(tmp_path, number)
        assert len(told["participants"]) + len(told["failures"]) == 6
        for one in told["failures"]:
            assert one == {"node": str(NODES[number]), "error": "ran out of memory"}


def test_a_round_in_which_nobody_answers_leaves_the_model(tmp_path: Path) -> None:
    def client(node: int, number: int, start: Tensors) -> Any:
        return Error(code=1, reason="lost") if number == 1 else honest(node, number, start)

    started(AribaStrategy(fedavg(), out=tmp_path), client)
    assert [one.name for one in tmp_path.iterdir()] == ["round_0002"]


def test_fail_closed_leaves_the_model_as_it_is(tmp_path: Path) -> None:
    two = NODES[:2]
    closed = AribaStrategy(fedavg(), out=tmp_path, policy="flagged", fail="closed")
    assert started(closed, nodes=two) == {}
    assert record(tmp_path)["unaudited"]
    assert started(AribaStrategy(fedavg(), out=None, policy="flagged"), nodes=two)


def test_settings_of_the_strategy_within_can_be_seen() -> None:
    strategy = AribaStrategy(fedavg(min_train_nodes=3), out=None)
    assert strategy.min_train_nodes == 3
    with pytest.raises(AttributeError):
        strategy.no_such_setting  # noqa: B018


def test_a_strategy_with_a_start_of_its_own_is_not_replaced() -> None:
    class Own(strategies.FedAvg):  # type: ignore[misc, unused-ignore]
        def start(self, *_: Any, **__: Any) -> None: ...

    with pytest.raises(UsageError, match="Own has its own start method"):
        AribaStrategy(Own(), out=None)
    with pytest.raises(UsageError, match="FedXgbBagging collects trees"):
        AribaStrategy(strategies.FedXgbBagging(), out=None)
    with pytest.raises(UsageError, match="FedXgbBagging collects trees"):
        AribaServerStrategy(server_strategies.FedXgbBagging(), out=None)


# The older API.


def test_the_older_api(tmp_path: Path) -> None:
    names = list(random_model(0))
    inner = server_strategies.FedAvg()
    strategy = AribaServerStrategy(inner, out=tmp_path, policy="flagged", names=names)
    start = dict(random_model(99))
    clients = SimpleNamespace(num_available=lambda: 2, sample=lambda **_: [])
    strategy.configure_fit(1, ndarrays_to_parameters(list(start.values())), clients)
    ok = Status(code=0, message="")
    results = [
        (
            SimpleNamespace(cid=str(node), node_id=node),
            FitRes(
                status=ok,
                parameters=ndarrays_to_parameters(
                    list(learnt(node, 1, start, 5.0 if node == ATTACKER else 0.1).values())
                ),
                num_examples=10,
                metrics={"loss": 0.5},
            ),
        )
        for node in NODES
    ]
    broken = results[0][1]
    broken.parameters.tensors[0] = b"no array"
    found, _ = strategy.aggregate_fit(1, results, [ValueError("lost")])
    strategy.close()
    expected, _ = server_strategies.FedAvg().aggregate_fit(
        1, [one for one in results[1:] if one[0].node_id != ATTACKER], []
    )
    for ours, theirs in zip(
        parameters_to_ndarrays(found), parameters_to_ndarrays(expected), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    told = record(tmp_path)
    kinds = {name: one.get("left_out") for name, one in told["participants"].items()}
    assert kinds.pop(participant_id(NODES[0])) == "refused"
    assert kinds.pop(participant_id(ATTACKER)) == "pruned"
    assert set(kinds.values()) == {None}
    assert told["failures"] == [{"node": "", "error": "ValueError: lost"}]
    manifest = open_round(tmp_path / "round_0001").manifest
    assert manifest is not None
    assert list(manifest.layers) == names


@pytest.mark.slow
def test_a_real_simulation_is_rid_of_its_backdoor(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    command = [sys.executable, "-m", "examples.flower.run", str(tmp_path / "run"), "--rounds", "6"]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment(), capture_output=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["attacks_pruned"] == found["attacks"] == 6
    assert found["honest_pruned"] <= 0.02 * found["honest"] + 1
    accuracy, backdoor = found["curve"][-1]
    assert accuracy > 0.9
    assert backdoor <= 0.02
