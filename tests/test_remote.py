"""Rounds in object stores: the same results, few bytes, and errors of one line."""

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ariba_cli as ariba
from ariba_cli.auditing.examination import _Examination
from ariba_cli.base.errors import AribaError, InputError, OutputError, UsageError
from ariba_cli.files import objects, stores
from ariba_cli.files.stores import RemotePath, store_of
from ariba_cli.formats.model import ReadOptions
from ariba_cli.replay.verify import verify
from ariba_cli.reports.audit_json import result_digest
from ariba_cli.reports.report import parse_report
from ariba_cli.rounds.conversion import convert
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.inspection import inspect_round
from tests.conftest import REPOSITORY
from tests.object_store import BUCKET, Store, serving

pytest.importorskip("obstore", reason="the extra remote is not installed")

ATTACKED = REPOSITORY / "fixtures" / "attacked"
LAYER = (4096, 16)
PEOPLE = 12


def digest(place: str | Path, **asked: Any) -> str:
    return result_digest(ariba.audit(place, **asked))


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with serving() as found:
        _use(monkeypatch, found.port)
        yield found
    store_of.cache_clear()


def _use(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "knows-a-secret",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(stores, "_RETRIES", 2)
    monkeypatch.setattr(stores, "_FIRST_WAIT", 0.001)
    store_of.cache_clear()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a round of a layer that is much larger than a header."""
    path, draw = tmp_path_factory.mktemp("large") / "round", np.random.default_rng(0)
    updates = {
        f"p{one:02}": {
            "dense": draw.standard_normal(LAYER).astype(np.float32),
            "other": draw.standard_normal(LAYER).astype(np.float32),
        }
        for one in range(PEOPLE)
    }
    ariba.save_round(path, updates, kind="difference")
    return path


def test_results_are_those_of_the_disk(store: Store) -> None:
    where = store.take(ATTACKED, "run/round_60")
    assert digest(where) == digest(ATTACKED)


@pytest.mark.parametrize("memory", [None, 2**20])
def test_no_more_is_read_than_headers_and_layers(
    store: Store, large: Path, memory: int | None
) -> None:
    where = store.take(large, "large")
    asked = {"layers": "dense", "k_est": 2, "max_memory": memory}
    assert digest(where, **asked) == digest(large, **asked)
    if memory is None:
        layers = PEOPLE * LAYER[0] * LAYER[1] * 4
        manifest = (large / "manifest.json").stat().st_size
        assert store.bytes_read <= 1.05 * (layers + manifest)
        assert len(store.ranges) <= 3 * PEOPLE + 2


def test_the_next_layer_is_read_while_one_is_scored(
    store: Store, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = store.take(large, "ahead")
    own = _Examination.examine
    size = LAYER[0] * LAYER[1] * 4
    read: list[int] = []

    def waiting(self: _Examination, *given: Any) -> Any:
        read.append(0)
        until = time.monotonic() + 20
        while read[-1] < 2 * PEOPLE and time.monotonic() < until:
            read[-1] = sum(length == size for _, length in store.ranges)
            time.sleep(0.01)
        return own(self, *given)

    monkeypatch.setattr(_Examination, "examine", waiting)
    assert digest(where, k_est=2) == digest(large, k_est=2)
    assert read[:2] == [2 * PEOPLE] * 2


def test_an_audit_that_ends_early_reads_nothing_more(
    store: Store, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = store.take(large, "early")

    def failing(*_: object) -> None:
        raise InputError("this is enough")

    monkeypatch.setattr(_Examination, "examine", failing)
    with pytest.raises(InputError, match="this is enough"):
        digest(where, k_est=2)
    done = len(store.ranges)
    time.sleep(0.2)
    assert len(store.ranges) == done


def test_a_report_is_verified_against_a_store(store: Store) -> None:
    where = store.take(ATTACKED, "round")
    report = parse_report(ariba.audit(ATTACKED, verify_seal=True).to_json())
    done = verify(report, open_round(objects.located(where)))
    assert not done.differences
    assert done.whole_files == 21


def test_inspection_finds_the_same(store: Store) -> None:
    where = store.take(ATTACKED, "attacked")
    assert inspect_round(open_round(objects.located(where))) == inspect_round(open_round(ATTACKED))


def test_archives_of_numpy_are_read_by_ranges(store: Store, tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    for one in range(4):
        np.savez(tmp_path / f"p{one}.npz", a=draw.standard_normal((8, 32)).astype(np.float32))
    where = store.take(tmp_path, "npz")
    assert digest(where, k_est=1) == digest(tmp_path, k_est=1)


def test_what_needs_a_parser_of_its_own_is_to_be_copied_first(store: Store, tmp_path: Path) -> None:
    import h5py

    for one in range(4):
        with h5py.File(tmp_path / f"p{one}.h5", "w") as file:
            file["a"] = np.zeros((2, 2), np.float32)
    with pytest.raises(InputError, match="copy the round to this machine first"):
        ariba.audit(store.take(tmp_path, "h5"))


@pytest.mark.parametrize("trouble", ["busy", "cut"])
def test_short_troubles_do_not_matter(store: Store, trouble: str) -> None:
    where = store.take(ATTACKED, "round")
    store.troubles = [trouble]
    assert digest(where) == digest(ATTACKED)
    assert not store.troubles


@pytest.mark.parametrize(
    ("trouble", "words"), [("busy", "gets too many requests"), ("cut", "again")]
)
def test_lasting_troubles_are_an_error_of_one_line(store: Store, trouble: str, words: str) -> None:
    where = store.take(ATTACKED, "round")
    store.troubles = [trouble] * 10_000
    with pytest.raises(InputError, match=words) as raised:
        ariba.audit(where)
    assert "\n" not in str(raised.value)
    assert "127.0.0.1" not in str(raised.value)


def test_an_object_that_is_replaced_is_refused(store: Store) -> None:
    where = store.take(ATTACKED, "round")
    store.replaced = "round/participants/p07.safetensors"
    found = ariba.audit(where).findings
    assert [(one.participant, one.detail) for one in found if one.kind == "refused"] == [
        ("p07", "changed while it was read")
    ]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("s3://nowhere/round", "there is no bucket 's3://nowhere'"),
        (f"s3://{BUCKET}/nothing", "there is no directory"),
        ("s3://", "lacks the bucket"),
        ("s3:", "lacks the bucket"),
        ("az://container/round", "there are no credentials"),
        ("s3:/nowhere/round", "there is no bucket 's3://nowhere'"),
        ("S3://nowhere/round", "ariba cannot read S3://; did you mean s3://?"),
        ("gcs://nowhere/round", "ariba cannot read gcs://; did you mean gs://?"),
        ("nfs://nowhere/round", "ariba cannot read nfs://; it reads s3://, gs://, az://"),
    ],
)
def test_bad_addresses(store: Store, address: str, words: str) -> None:
    store.objects["other/a"] = b""
    with pytest.raises(AribaError, match=re.escape(words)):
        ariba.audit(address)


@pytest.mark.parametrize(
    "address", ["https://me:hunter2@example.org/r", "az://c/r?sig=hunter2", "s3://hunter2@b/r"]
)
def test_credentials_in_an_address_are_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(UsageError, match="must not contain a user") as raised:
        ariba.audit(address)
    assert "hunter2" not in str(raised.value)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(UsageError, match=r"ariba-cli\[remote\]"):
        ariba.audit("s3://bucket/round")


def test_what_cannot_be_done_in_a_store_says_so(store: Store) -> None:
    path = objects.located(store.take(ATTACKED, "round"))
    with pytest.raises(InputError, match="copy it to this machine first"):
        path.open()
    assert str(path / "participants") == f"s3://{BUCKET}/round/participants"


def test_a_global_model_elsewhere_is_refused(store: Store) -> None:
    where = store.take(ATTACKED, "round")
    with pytest.raises(InputError, match="put it into the round"):
        ariba.audit(where, global_model=ATTACKED / "global.safetensors")


def test_a_second_audit_sees_what_has_changed(store: Store) -> None:
    where = store.take(ATTACKED, "round")
    ariba.audit(where)
    del store.objects["round/participants/p07.safetensors"]
    assert len(ariba.open_round(where).participants) == 19


def test_a_round_is_written_with_its_manifest_last(store: Store) -> None:
    out = objects.located(f"s3://{BUCKET}/sealed")
    convert(open_round(ATTACKED), out)
    assert store.written[-1] == "sealed/manifest.json"
    assert len(store.written) == len(set(store.written)) == 24
    sealed = json.loads(store.objects["sealed/manifest.json"])["files"]
    assert len(sealed) == 23
    assert ariba.audit(str(out), verify_seal=True).findings == ()
    with pytest.raises(OutputError, match="exists"):
        convert(open_round(ATTACKED), objects.located(str(out)))


def test_nothing_is_left_of_a_round_that_cannot_be_written(store: Store) -> None:
    store.refuses_after = 5
    with pytest.raises(OutputError, match="cannot be written"):
        convert(open_round(ATTACKED), objects.located(f"s3://{BUCKET}/sealed"))
    assert len(store.written) == 5
    assert not store.objects


def test_what_a_killed_run_left_is_written_again(store: Store) -> None:
    store.objects["sealed/participants/p00.safetensors"] = b"half"
    out = objects.located(f"s3://{BUCKET}/sealed")
    with pytest.raises(OutputError, match="--resume"):
        convert(open_round(ATTACKED), out)
    convert(open_round(ATTACKED), out, resume=True)
    assert ariba.audit(str(out), verify_seal=True).findings == ()


def test_rounds_of_another_server(monkeypatch: pytest.MonkeyPatch, large: Path) -> None:
    moto = pytest.importorskip("moto.server", reason="the extra test-remote is not installed")
    import requests

    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        port = server.get_host_and_port()[1]
        _use(monkeypatch, port)
        requests.put(f"http://127.0.0.1:{port}/{BUCKET}", timeout=10).raise_for_status()
        out = objects.located(f"s3://{BUCKET}/run/round_1")
        convert(open_round(large, ReadOptions()), out)
        asked = {"layers": "dense", "k_est": 2, "verify_seal": True}
        assert digest(str(out), **asked) == digest(large, **asked)
        # A part of eight mebibytes, and another.
        other = RemotePath(out / "large")
        objects.write(other, [bytes(2**23), b"end"])
        objects.located(str(out))
        one = objects.find(other)
        assert one is not None
        assert bytes(objects.read_range(other, one, 2**23, 2**23 + 3)) == b"end"
    finally:
        server.stop()
        store_of.cache_clear()
