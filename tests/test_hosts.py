"""The code that the plug-ins of all hosts share: replies are checked, audited, pruned and saved."""

import json
import logging
import os
import resource
import threading
import time
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy

from ariba_cli.api.auditing import score
from ariba_cli.auditing.audit import audit
from ariba_cli.base.errors import InputError, OutputError, RefusedFileError, UsageError
from ariba_cli.formats.memory import model_in_memory
from ariba_cli.hosts import frames, writing
from ariba_cli.hosts.examination import audit_settings
from ariba_cli.hosts.gate import Gate, Judgement
from ariba_cli.hosts.node_ids import participant_id
from ariba_cli.hosts.npy_arrays import model_of
from ariba_cli.hosts.policies import parse_policy
from ariba_cli.hosts.replies import Reply, tensor_bytes, why_refused
from ariba_cli.hosts.saver import Job, Saver
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.host import HostRecord
from ariba_cli.verdicts.ranked import Ranked
from tests.models import random_model

Tensors = dict[str, npt.NDArray[Any]]

LOGGER = logging.getLogger("test")
CLIENTS = 12
ATTACKER = "c07"


def sent(client: int, scale: float = 1.0) -> Tensors:
    return {name: values * np.float32(scale) for name, values in random_model(client).items()}


def reply(name: str, tensors: Tensors | None, **fields: Any) -> Reply:
    model = None if tensors is None else model_in_memory(tensors)
    return Reply(name, name, model, **{"samples": 10, **fields})


def everybody() -> dict[str, Tensors]:
    names = [f"c{client:02d}" for client in range(CLIENTS)]
    return {name: sent(i, 20.0 if name == ATTACKER else 1.0) for i, name in enumerate(names)}


def gate(out: Path | None, **asked: Any) -> Gate:
    options = {"audit": {}, "policy": "watch", "fail": "open", **asked}
    return Gate("test 1", out=out, logger=LOGGER, **options)


def judged(
    out: Path | None, tensors: Mapping[str, Tensors], number: int = 1, **asked: Any
) -> Judgement:
    one = gate(out, **asked)
    found = one.judge(
        number, model_in_memory(sent(99)), [reply(name, own) for name, own in tensors.items()]
    )
    one.close()
    return found


# Replies that cannot be averaged.


def without(tensors: Tensors) -> Tensors:
    return dict(list(tensors.items())[1:])


def with_more(tensors: Tensors) -> Tensors:
    return {**tensors, "extra": np.zeros(3, np.float32)}


def reshaped(tensors: Tensors) -> Tensors:
    return {**tensors, "conv2.weight": tensors["conv2.weight"].reshape(-1)}


def halved(tensors: Tensors) -> Tensors:
    return {**tensors, "conv2.weight": tensors["conv2.weight"].astype(np.float16)}


def as_integers(tensors: Tensors) -> Tensors:
    return {**tensors, "conv2.weight": tensors["conv2.weight"].astype(np.int8)}


def with_value(value: float, tensors: Tensors) -> Tensors:
    changed = tensors["conv2.weight"].copy()
    changed.flat[-1] = value
    return {**tensors, "conv2.weight": changed}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without, "has no tensor"),
        (with_more, "has a tensor 'extra', which most do not have"),
        (reshaped, "'conv2.weight' has shape"),
        (halved, "'conv2.weight' is of type F16, not F32 or F64"),
        (as_integers, "'conv2.weight' is of type I8"),
        (lambda one: with_value(np.nan, one), "1 NaN in 'conv2.weight'"),
        (lambda one: with_value(-np.inf, one), "1 Inf in 'conv2.weight'"),
        (lambda _: {}, "has no tensor"),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_what_cannot_be_averaged_is_refused(change: Any, why: str, known: bool) -> None:
    replies = [reply(f"c{i}", sent(i)) for i in range(3)] + [reply("bad", change(sent(3)))]
    refused = why_refused(replies, model_in_memory(sent(99)) if known else None)
    assert list(refused) == ["bad"]
    assert refused["bad"].startswith(why)


def test_float64_is_averaged_with_float32_and_counters_become_floats() -> None:
    """Flower's mean of integers is float64, and clients send integers again."""
    counter = {"steps": np.array(3, np.int64)}
    wide: Tensors = {name: values.astype(np.float64) for name, values in sent(0).items()}
    replies = [reply("wide", wide | counter)]
    replies += [reply(f"c{i}", sent(i) | counter) for i in range(3)]
    start: Tensors = sent(99) | {"steps": np.array(2.5)}
    assert why_refused(replies, model_in_memory(start)) == {}


def test_what_was_sent_out_decides_between_as_many() -> None:
    replies = [reply("a", with_more(sent(0))), reply("b", sent(1))]
    assert list(why_refused(replies, model_in_memory(sent(99)))) == ["a"]
    assert list(why_refused(replies, model_in_memory(with_more(sent(99))))) == ["b"]


def test_most_clients_may_send_other_tensors_than_they_were_sent() -> None:
    replies = [reply(f"c{i}", with_more(sent(i))) for i in range(3)]
    assert why_refused(replies, model_in_memory(sent(99))) == {}


# Policies.


def verdict(named: set[str], ids: str = "abcd") -> Any:
    ranking = tuple(
        Ranked(rank, name, 1.0, p_value=0.001, flagged=name in named)
        for rank, name in enumerate(ids, 1)
    )
    return SimpleNamespace(ranking=ranking, suspects=tuple(one for one in ranking if one.named))


@pytest.mark.parametrize(
    ("policy", "audited", "pruned"),
    [
        ("watch", None, set()),
        ("watch", {}, set()),
        ("flagged", {}, {"a", "c"}),
        ("suspects", {"k_est": 2}, {"a", "c"}),
        ("1-of-1", {}, {"a", "c"}),
        ("2-of-2", {}, set()),
    ],
)
def test_policies(policy: str, audited: dict[str, Any] | None, pruned: set[str]) -> None:
    one = parse_policy(policy, None if audited is None else audit_settings(audited))
    assert set(one.prune(verdict({"a", "c"}))) == pruned


def test_r_of_the_last_rounds_in_which_a_client_took_part() -> None:
    policy = parse_policy("2-of-3", audit_settings({}))
    rounds = [("abcd", "a"), ("bcd", ""), ("abcd", ""), ("acd", "a"), ("abcd", ""), ("abcd", "")]
    pruned = [set(policy.prune(verdict(set(named), ids))) for ids, named in rounds]
    # The second round was without a, so that its last three are the first, third and fourth.
    assert pruned == [set(), set(), set(), {"a"}, set(), set()]


@pytest.mark.parametrize(
    ("policy", "audited", "why"),
    [
        ("flaged", {}, "did you mean 'flagged'"),
        ("3-of-2", {}, "3-of-2 asks for more rounds"),
        ("0-of-2", {}, "unknown policy"),
        ("flagged", None, "needs an audit"),
        ("flagged", {"k_est": 2}, "use the policy suspects"),
        ("suspects", {}, "give audit={'k_est': …}"),
    ],
)
def test_policies_that_do_not_fit(policy: str, audited: dict[str, Any] | None, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        gate(None, policy=policy, audit=audited)


def test_arguments_of_audits_are_checked_before_the_first_round() -> None:
    with pytest.raises(UsageError, match="did you mean 'layers'"):
        gate(None, audit={"layer": "conv2"})
    with pytest.raises(UsageError, match="unknown detector"):
        gate(None, audit={"detectors": "no-such"})
    with pytest.raises(UsageError, match="fail must be 'open' or 'closed'"):
        gate(None, fail="maybe")


# Judging and saving.


def test_a_round_is_judged_and_saved(tmp_path: Path) -> None:
    tensors = everybody() | {"c12": with_value(np.nan, sent(12))}
    found = judged(tmp_path, tensors, 3, policy="flagged")
    assert found.kept == everybody().keys() - {ATTACKER}
    assert {name: one.kind for name, one in found.left_out.items()} == {
        ATTACKER: "pruned",
        "c12": "refused",
    }
    round_ = open_round(tmp_path / "round_0003")
    assert round_.findings == round_.verify_seal().findings == ()
    assert round_.manifest is not None
    assert (round_.manifest.round, round_.manifest.kind) == (3, "weights")
    assert list(round_.manifest.layers) == list(sent(0))
    assert [one.id for one in round_.participants] == sorted(tensors)
    for member in round_.participants:
        for name, values in round_.open(member).floats():
            np.testing.assert_array_equal(values, tensors[member.id][name])
    record = json.loads((round_.root / "host.json").read_text())
    assert record["policy"] == "flagged"
    assert record["host"] == "test 1"
    told = record["participants"]
    assert told["c00"] == {"node": "c00", "samples": 10, "metrics": {}}
    assert told[ATTACKER]["left_out"] == "pruned"
    assert told[ATTACKER]["why"].startswith("flagged, rank 1, p = ")
    assert told["c12"] | {"why": ""} == told["c00"] | {
        "node": "c12",
        "left_out": "refused",
        "why": "",
    }


def test_an_audit_in_memory_is_that_of_the_saved_round(tmp_path: Path) -> None:
    found = judged(tmp_path, everybody()).verdict
    assert found is not None
    saved = audit(open_round(tmp_path / "round_0001"), audit_settings({}))
    known = score(everybody(), global_model=sent(99))
    assert found.ranking == saved.ranking == known.ranking
    assert found.layers == saved.layers == known.layers
    assert [one.id for one in found.suspects] == [ATTACKER]


def test_whoever_watches_prunes_nobody(tmp_path: Path) -> None:
    assert judged(tmp_path, everybody()).kept == everybody().keys()


@pytest.mark.parametrize(("fail", "kept"), [("open", {"a", "b"}), ("closed", set())])
def test_a_round_that_cannot_be_audited(tmp_path: Path, fail: str, kept: set[str]) -> None:
    """Two are too few for any audit."""
    found = judged(tmp_path, {"a": sent(0), "b": sent(1)}, policy="flagged", fail=fail)
    assert found.kept == kept
    record = json.loads((tmp_path / "round_0001" / "host.json").read_text())
    assert "an audit needs at least 3" in record["unaudited"]
    kinds = {one.get("left_out") for one in record["participants"].values()}
    assert kinds == ({None} if kept else {"unaudited"})


def test_an_audit_that_breaks_does_not_end_the_training(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("by chance")

    monkeypatch.setattr("ariba_cli.hosts.gate.audit_replies", broken)
    assert judged(None, everybody(), policy="flagged").kept == everybody().keys()
    assert "ZeroDivisionError: by chance" in caplog.text
    assert not judged(None, everybody(), policy="flagged", fail="closed").kept


def test_without_an_audit_nothing_fails(tmp_path: Path) -> None:
    assert judged(tmp_path, everybody(), audit=None, fail="closed").kept == everybody().keys()


def test_a_round_of_nobody_is_said_and_not_saved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert judged(tmp_path, {}).kept == frozenset()
    assert "round 1 has no updates" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_replies_that_cannot_be_decoded_are_in_the_record(tmp_path: Path) -> None:
    one = gate(tmp_path)
    replies = [reply(name, own) for name, own in everybody().items()]
    replies.append(reply("bad", None, samples=None, wrong="is not an array"))
    metrics = {"loss": np.nan, "big": 10**400, "list": [1] * 10**6, "text": "é" * 1000, "n": 3}
    metrics |= {f"m{i}": 0 for i in range(1000)}
    replies.append(reply("odd", sent(20), metrics=metrics))
    found = one.judge(1, None, replies, [("17", "ran out of memory")])
    one.close()
    assert found.left_out["bad"].why == "is not an array"
    record = json.loads((tmp_path / "round_0001" / "host.json").read_text())
    assert record["failures"] == [{"node": "17", "error": "ran out of memory"}]
    assert record["participants"]["bad"]["samples"] is None
    kept = record["participants"]["odd"]["metrics"]
    assert (kept["loss"], kept["text"], kept["n"]) == ("nan", "é" * 300, 3)
    assert len(kept["big"]) == 300
    assert "list" not in kept
    assert len(kept) == 64
    assert "bad" not in [one.id for one in open_round(tmp_path / "round_0001").participants]


def test_rounds_of_another_run_are_not_mixed_with_these(tmp_path: Path) -> None:
    judged(tmp_path, everybody())
    with pytest.raises(OutputError, match="rounds of another run, such as round_0001"):
        gate(tmp_path)
    gate(tmp_path / "other")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be listed"):
        gate(tmp_path / "file")


# The process that saves.


def job(root: Path, number: int, tensors: Mapping[str, Tensors]) -> Job:
    return Job(
        path=root / f"round_{number:04d}",
        number=number,
        kind="weights",
        sent_out=None,
        replies=[reply(name, own) for name, own in tensors.items()],
        record=HostRecord("test", "watch", {}),
    )


def wait_for(saver: Saver) -> int:
    """Return the id of the process that saves, once there is one."""
    for _ in range(1000):
        if saver._process is not None:
            return saver._process.pid
        time.sleep(0.01)
    raise AssertionError("no process was started")


def test_a_full_disk_costs_rounds_and_not_the_federation(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saver = Saver(LOGGER)
    small = {"a": {"w": np.zeros(2, np.float32)}}
    saver.save(job(tmp_path, 1, small))
    pid = wait_for(saver)
    # Of everything that is written, the system takes no more than this.
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (2000, 2000))
    saver.save(job(tmp_path, 2, {"a": small["a"], "b": {"w": np.zeros(10**6, np.float32)}}))
    saver.save(job(tmp_path, 3, small))
    saver.close()
    assert list(saver.unsaved) == [2]
    assert "round 2 was not saved" in caplog.text
    assert "the federation goes on" in caplog.text
    assert sorted(one.name for one in tmp_path.iterdir()) == ["round_0001", "round_0003"]
    assert open_round(tmp_path / "round_0003").verify_seal().findings == ()


def test_a_process_that_is_killed_is_started_again(tmp_path: Path) -> None:
    saver = Saver(LOGGER)
    saver.save(job(tmp_path, 1, {"a": sent(0)}))
    os.kill(wait_for(saver), 9)
    for number in (2, 3):
        saver.save(job(tmp_path, number, {"a": sent(0)}))
    saver.close()
    assert set(saver.unsaved) <= {1, 2}
    assert saver.unsaved
    assert open_round(tmp_path / "round_0003").findings == ()


def test_a_saver_can_be_closed_twice_and_used_again(tmp_path: Path) -> None:
    saver = Saver(LOGGER)
    saver.close()
    for number in (1, 2):
        saver.save(job(tmp_path, number, {"a": sent(0)}))
        saver.close()
        saver.close()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_round_that_is_being_written_is_not_opened(tmp_path: Path) -> None:
    """And when the server is killed meanwhile, nothing of it is left."""
    message = {
        "path": str(tmp_path / "round_0001"),
        "number": 1,
        "kind": "weights",
        "layers": ["w"],
        "host": "{}",
        "models": {"participants/a.safetensors": [["w", "F32", [10**6]]]},
    }
    receiving, sending = os.pipe()
    answers: list[str] = []
    with os.fdopen(receiving, "rb") as source:
        thread = threading.Thread(target=lambda: answers.extend(writing.serve(source)))
        thread.start()
        with os.fdopen(sending, "wb") as sink:
            sink.write(frames.header(message) + bytes(10**6))
            sink.flush()
            partial = tmp_path / "round_0001.partial"
            while not partial.exists():
                time.sleep(0.01)
            with pytest.raises(InputError, match="was never finished"):
                open_round(partial)
            with pytest.raises(InputError, match="there is no directory"):
                open_round(tmp_path / "round_0001")
        thread.join()
    assert answers == []
    assert list(tmp_path.iterdir()) == []


# Arrays as they come.


def npy(array: npt.NDArray[Any]) -> bytes:
    stream = BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


TYPES = st.sampled_from(["<f4", "<f8", "<f2", "<i8", "|u1", "|b1", ">f4"])


@settings(max_examples=60, deadline=None)
@given(of_numpy.arrays(TYPES, of_numpy.array_shapes(min_dims=0, max_dims=3, min_side=0)))
def test_arrays_are_read_where_they_lie(array: npt.NDArray[Any]) -> None:
    if array.dtype.byteorder == ">":
        with pytest.raises(RefusedFileError, match="'w' holds an array of >f4"):
            model_of({"w": npy(array)})
        return
    for order in (array, np.asfortranarray(array)):
        model = model_of({"w": npy(order)})
        found = np.frombuffer(tensor_bytes(model, "w"), array.dtype).reshape(array.shape)
        np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "does not start like a NumPy array"),
        (npy(np.zeros(3))[:-1], "its array takes"),
        (npy(np.zeros(3)) + b"0", "its array takes"),
        (npy(np.zeros(3, "c16")), "which weights cannot be"),
        (npy(np.zeros(3, "U4")), "which weights cannot be"),
        (npy(np.zeros(3)).replace(b"(3,)", b"(9,)"), "its array takes"),
    ],
)
def test_arrays_that_are_none_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(RefusedFileError, match=why):
        model_of({"w": data})


def test_every_type_is_saved_as_it_is(tmp_path: Path) -> None:
    tensors: Tensors = {
        "half": np.arange(3, dtype=np.float16),
        "brain": np.arange(3, dtype=np.uint16).view("V2"),
        "wide": np.arange(3.0),
        "flag": np.array([True, False]),
        "count": np.array(7, np.int64),
        "none": np.zeros((0, 3), np.float32),
        "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    }
    saver = Saver(LOGGER)
    saver.save(job(tmp_path, 1, {"a": tensors}))
    saver.close()
    round_ = open_round(tmp_path / "round_0001")
    model = round_.open(round_.participants[0])
    assert {name: one.spec.dtype for name, one in model.tensors.items()} == {
        "half": "F16",
        "brain": "BF16",
        "wide": "F64",
        "flag": "BOOL",
        "count": "I64",
        "none": "F32",
        "turned": "F32",
    }
    for name, values in tensors.items():
        assert bytes(model.read(name)) == values.tobytes(), name


def test_ids_are_in_the_order_of_the_numbers() -> None:
    numbers = [0, 9, 10, 2**63, 2**64 - 1]
    ids = [participant_id(number) for number in numbers]
    assert ids == sorted(ids)
    assert len({len(one) for one in ids}) == 1
