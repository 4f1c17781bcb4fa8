"""Audits by the workers of a cluster: the same results, also when workers are lost."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ariba_cli as ariba
from ariba_cli.base import cluster as module
from ariba_cli.base.cluster import connected
from ariba_cli.base.errors import AribaError, InputError, ResourceError, UsageError
from ariba_cli.files.stores import store_of
from ariba_cli.reports.audit_json import result_digest
from ariba_cli.scoring import engine, gathering, near_cuts
from ariba_cli.updates import reading
from tests.object_store import serving

distributed = pytest.importorskip("distributed", reason="the extra cluster is not installed")

# What Dask does when it ends, and tornado when a worker is killed, is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")

PEOPLE = 12
LAYER = (4096, 16)


@pytest.fixture(scope="module")
def round_(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a round with a layer of a few megabytes."""
    path, draw = tmp_path_factory.mktemp("spread") / "round", np.random.default_rng(0)
    start = draw.standard_normal(LAYER, np.float32)
    updates = {
        f"p{one:02}": {
            "dense": start + (3 if one == 4 else 1) * draw.standard_normal(start.shape, np.float32)
        }
        for one in range(PEOPLE)
    }
    ariba.save_round(path, updates, global_model={"dense": start})
    return path


@pytest.fixture(scope="module")
def running() -> Iterator[Any]:
    """Return a cluster of two processes."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as found:
        yield found


@pytest.fixture
def spread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers do what is small enough for this process, in small pieces."""
    monkeypatch.setattr(reading, "_MOST_HELD", 0)
    monkeypatch.setattr(reading, "_CHUNK_BYTES", 2**16)
    monkeypatch.setattr(reading, "_OWN_CHUNK_BYTES", 1)


def digest(place: str | Path, **asked: Any) -> str:
    return result_digest(ariba.audit(place, **{"k_est": 2, **asked}))


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the number of pieces of work that a cluster is asked for, by pass."""
    found: list[int] = []
    own = module.Cluster.map

    def noted(self: Any, function: Any, shared: Any, items: Any) -> Iterator[Any]:
        found.append(len(items))
        return own(self, function, shared, items)

    monkeypatch.setattr(module.Cluster, "map", noted)
    return found


@pytest.mark.usefixtures("spread")
@pytest.mark.parametrize("chunk", [2**16, 2**18, 2**20])
def test_the_result_is_that_of_one_machine_at_any_size_of_chunks(
    round_: Path, running: Any, passes: list[int], chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = digest(round_)
    assert not passes
    monkeypatch.setattr(reading, "_CHUNK_BYTES", chunk)
    assert digest(round_, cluster=running.scheduler_address) == expected
    assert len(passes) >= 3
    assert 0 <= max(passes) - PEOPLE * 2**18 // chunk <= 1


@pytest.mark.usefixtures("spread")
def test_exact_sums_are_found_by_workers_too(
    round_: Path, running: Any, passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = digest(round_)
    monkeypatch.setattr(engine, "settles_nothing", lambda *_: True)
    monkeypatch.setattr(near_cuts, "_HELD_BYTES", 0)
    assert digest(round_) == expected
    assert digest(round_, cluster=running.scheduler_address) == expected
    assert len(passes) == 6


@pytest.mark.usefixtures("spread")
@pytest.mark.parametrize("detectors", ["panel", ("krum", "sign", "median-distance", "mahalanobis")])
def test_whole_updates_are_compared_by_workers_too(
    round_: Path, running: Any, passes: list[int], detectors: Any
) -> None:
    asked = {"detectors": detectors, "k_est": None if detectors == "panel" else 2}
    assert digest(round_, cluster=running.scheduler_address, **asked) == digest(round_, **asked)
    # The values of a tile for each of them are the least that a worker is asked for.
    assert passes[0] == 1
    assert passes[-1] == -(-LAYER[0] * LAYER[1] // gathering._TILE_COLUMNS)


@pytest.mark.usefixtures("spread")
def test_a_global_model_of_no_use_is_a_finding_there_too(running: Any, tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    values = {f"p{one}": {"dense": draw.standard_normal(LAYER, np.float32)} for one in range(10)}
    start = draw.standard_normal(LAYER, np.float32)
    start[7] = np.inf
    ariba.save_round(tmp_path / "round", values, global_model={"dense": start})
    path, address = tmp_path / "round", running.scheduler_address
    verdict = ariba.audit(path, detectors="krum", cluster=address)
    assert "unusable-global" in {one.kind for one in verdict.findings}
    assert result_digest(verdict) == result_digest(ariba.audit(path, detectors="krum"))


@pytest.mark.usefixtures("spread")
def test_a_worker_that_is_lost_half_way_changes_nothing(
    round_: Path, running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []
    own = module.Cluster.map

    def losing(self: Any, function: Any, shared: Any, items: Any) -> Iterator[Any]:
        for place, found in enumerate(own(self, function, shared, items)):
            if place == len(items) // 2 and len(items) > 10 and not killed:
                killed.extend(list(self._client.run(os.getpid).values())[:1])
                os.kill(killed[0], signal.SIGKILL)
            yield found

    monkeypatch.setattr(module.Cluster, "map", losing)
    assert digest(round_, cluster=running.scheduler_address) == digest(round_)
    assert len(killed) == 1


@pytest.mark.usefixtures("spread")
def test_who_sent_unusable_values_is_left_out_as_on_one_machine(
    round_: Path, running: Any, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    for file in round_.rglob("*.safetensors"):
        values = load_file(file)
        if file.stem == "p07":
            values["dense"][4000, 3] = np.nan
        save_file(values, tmp_path / file.name)
    verdict = ariba.audit(tmp_path, k_est=2, cluster=running.scheduler_address)
    assert [one.participant for one in verdict.findings if one.kind == "nonfinite"] == ["p07"]
    assert result_digest(verdict) == digest(tmp_path)


@pytest.mark.usefixtures("spread")
def test_a_file_that_changes_half_way_is_refused(
    round_: Path, running: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    path = tmp_path / "round"
    shutil.copytree(round_, path)
    own = module.Cluster.map
    asked: list[int] = []

    def changing(self: Any, function: Any, shared: Any, items: Any) -> Iterator[Any]:
        asked.append(len(items))
        if len(asked) == 3:
            os.utime(path / "participants" / "p03.safetensors")
        return own(self, function, shared, items)

    monkeypatch.setattr(module.Cluster, "map", changing)
    verdict = ariba.audit(path, k_est=2, cluster=running.scheduler_address)
    (found,) = (one for one in verdict.findings if one.kind == "refused")
    assert (found.participant, found.detail) == ("p03", "changed while it was read")
    assert verdict.layers[0].participants == PEOPLE - 1


@pytest.mark.usefixtures("spread")
def test_workers_read_from_stores(round_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("obstore", reason="the extra remote is not installed")
    with serving() as store:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{store.port}",
            "AWS_ACCESS_KEY_ID": "someone",
            "AWS_SECRET_ACCESS_KEY": "knows-a-secret",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        store_of.cache_clear()
        where = store.take(round_, "run/round")
        assert digest(where, cluster="local") == digest(round_)
    store_of.cache_clear()


@pytest.mark.usefixtures("spread")
def test_a_scheduler_that_vanishes_is_one_line(
    round_: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = module.Cluster.map
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as vanishing:

        def closing(self: Any, function: Any, shared: Any, items: Any) -> Iterator[Any]:
            for place, found in enumerate(own(self, function, shared, items)):
                if place == 1:
                    vanishing.close()
                yield found

        monkeypatch.setattr(module.Cluster, "map", closing)
        with pytest.raises(ResourceError, match="does not answer any more; start it again") as said:
            digest(round_, cluster=vanishing.scheduler_address)
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    ("where", "kind", "said"),
    [
        ("10.0.0.7", UsageError, "write local, the address of a scheduler"),
        ("none.json", InputError, "start dask scheduler --scheduler-file none.json"),
        ("tcp://127.0.0.1:1", InputError, "no scheduler answers at 'tcp://127.0.0.1:1'"),
    ],
)
def test_what_is_no_cluster_is_one_line(
    where: str, kind: type[AribaError], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CONNECT_SECONDS", 1)
    with pytest.raises(kind, match=said), connected(where):
        pass


def test_workers_of_another_version_are_refused(
    running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "VERSION", "9.9.9")
    with (
        pytest.raises(InputError, match=r"and this is ariba 9\.9\.9 on Python"),
        connected(running.scheduler_address),
    ):
        pass
