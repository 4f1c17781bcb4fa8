"""The plug-ins of NVFlare, where it is installed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ariba_cli.base.errors import InputError
from ariba_cli.rounds.directory import open_round
from tests.conftest import REPOSITORY, environment
from tests.models import random_model

pytest.importorskip("nvflare")

import torch
from nvflare.apis.fl_constant import ReservedKey
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable
from nvflare.app_common.abstract.fl_model import FLModel
from nvflare.app_common.app_constant import AppConstants
from nvflare.app_common.app_event_type import AppEventType
from nvflare.app_common.utils.fl_model_utils import FLModelUtils
from nvflare.app_opt.pt.lazy_tensor_dict import LazyTensorDict
from safetensors.torch import save_file

from ariba_cli.hosts.nvflare import AribaAggregator, AribaSaver

Tensors = dict[str, npt.NDArray[Any]]

SITES = [f"site-{index:02d}" for index in range(12)]
ATTACKER = "site-07"

pytestmark = pytest.mark.filterwarnings("ignore")


def learnt(site: str) -> Tensors:
    scale = np.float32(5.0 if site == ATTACKER else 0.1)
    start = random_model(99)
    moved = random_model(SITES.index(site))
    return {name: start[name] + scale * moved[name] for name in start}


def answer(site: str, params: Any, **fields: Any) -> Any:
    """Return an answer whose statements about the round must not be believed."""
    said = {"client_name": site, "NUM_STEPS_CURRENT_ROUND": 10 + SITES.index(site)}
    options = {"current_round": 10**9, "metrics": {"loss": 0.5}, **fields}
    return FLModel(params=params, meta=said, **options)


def context(**props: Any) -> Any:
    found = FLContext()
    for name, value in props.items():
        found.set_prop(name, value, private=True, sticky=False)
    return found


def told_of_the_model(component: Any, number: int = 1) -> Any:
    model = FLModel(params=dict(random_model(99)), current_round=number)
    task = FLModelUtils.to_shareable(model)
    component.handle_event(
        AppEventType.BEFORE_TRAIN_TASK, context(**{AppConstants.TRAIN_SHAREABLE: task})
    )
    return component


def record(root: Path, number: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / f"round_{number:04d}" / "host.json").read_text())
    return found


def mean(sites: list[str]) -> Tensors:
    weights = {site: 10.0 + SITES.index(site) for site in sites}
    total = sum(weights.values())
    return {
        name: np.sum([weights[site] / total * learnt(site)[name] for site in sites], axis=0)
        for name in random_model(0)
    }


def test_suspects_are_kept_from_the_average(tmp_path: Path) -> None:
    aggregator = told_of_the_model(AribaAggregator(str(tmp_path), policy="flagged"))
    for site in SITES:
        aggregator.accept_model(answer(site, learnt(site)))
    found = aggregator.aggregate_model()
    aggregator.handle_event("_end_run", context())
    for name, values in mean([site for site in SITES if site != ATTACKER]).items():
        np.testing.assert_allclose(found.params[name], values, rtol=1e-5, atol=1e-6)
    assert found.metrics == {"loss": pytest.approx(0.5)}
    told = record(tmp_path)
    assert [name for name, one in told["participants"].items() if "left_out" in one] == [ATTACKER]
    assert told["participants"]["site-03"]["samples"] == 13
    round_ = open_round(tmp_path / "round_0001")
    assert round_.findings == round_.verify_seal().findings == ()
    assert round_.global_model is not None


def test_three_sites_are_too_few_to_flag_any(tmp_path: Path) -> None:
    aggregator = told_of_the_model(AribaAggregator(str(tmp_path), policy="flagged"))
    sites = [*SITES[:2], ATTACKER]
    for site in sites:
        aggregator.accept_model(answer(site, learnt(site)))
    found = aggregator.aggregate_model()
    for name, values in mean(sites).items():
        np.testing.assert_allclose(found.params[name], values, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"other": np.zeros(3)}, "has no tensor"),
        ({"w": "text"}, "holds 'w' as str"),
        ({3: np.zeros(3)}, "has a name that is of int"),
        ([np.zeros(3)], "is of list"),
        ({"w": np.array(["a"])}, "'w' is an array of <U1"),
        ({"w": torch.zeros(2, dtype=torch.complex64)}, "holds 'w' as Tensor"),
    ],
)
def test_a_client_that_sends_something_else(params: Any, why: str, tmp_path: Path) -> None:
    aggregator = told_of_the_model(AribaAggregator(str(tmp_path)))
    for site in SITES[1:4]:
        aggregator.accept_model(answer(site, learnt(site)))
    aggregator.accept_model(answer(SITES[0], params))
    found = aggregator.aggregate_model()
    aggregator.handle_event("_end_run", context())
    for name, values in mean(SITES[1:4]).items():
        np.testing.assert_allclose(found.params[name], values, rtol=1e-5, atol=1e-6)
    assert record(tmp_path)["participants"][SITES[0]]["why"].startswith(why)


def test_tensors_of_pytorch_and_files_are_read_where_they_are(tmp_path: Path) -> None:
    aggregator = told_of_the_model(AribaAggregator(str(tmp_path / "out")))
    for site in SITES[:3]:
        tensors = {name: torch.from_numpy(one) for name, one in learnt(site).items()}
        tensors["brain"] = torch.ones(3, dtype=torch.bfloat16)
        if site != SITES[0]:
            folder = tmp_path / site
            folder.mkdir()
            files = {}
            for index, (name, tensor) in enumerate(tensors.items()):
                path = folder / f"chunk_{index}.safetensors"
                save_file({name: tensor}, path)
                files[name] = (str(path), name)
            kept = LazyTensorDict(files, str(folder))
            tensors = {name: kept.make_lazy_ref(name) for name in tensors}
            del kept
        aggregator.accept_model(answer(site, tensors))
    aggregator.aggregate_model()
    aggregator.reset_stats()
    round_ = open_round(tmp_path / "out" / "round_0001")
    assert round_.findings == ()
    for member in round_.participants:
        model = round_.open(member)
        assert model.tensors["brain"].spec.dtype == "BF16"
        sent = dict(model.floats())
        for name, values in learnt(member.id).items():
            np.testing.assert_array_equal(sent[name], values)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chunk_0.safetensors"
    path.write_bytes(b"cos\nsystem\n")
    reference = LazyTensorDict({"w": (str(path), "w")}, str(tmp_path)).make_lazy_ref("w")
    aggregator = told_of_the_model(AribaAggregator(str(tmp_path / "out")))
    for site in SITES[1:4]:
        aggregator.accept_model(answer(site, learnt(site)))
    aggregator.accept_model(answer(SITES[0], {"w": reference}))
    aggregator.aggregate_model()
    told = record(tmp_path / "out")["participants"]
    assert told[SITES[0]]["left_out"] == "refused"


def test_differences_are_not_averaged_with_weights_nor_metrics_with_arrays(tmp_path: Path) -> None:
    aggregator = told_of_the_model(AribaAggregator(str(tmp_path)))
    for site in SITES[1:4]:
        aggregator.accept_model(answer(site, learnt(site)))
    aggregator.accept_model(answer(SITES[0], learnt(SITES[0]), params_type="DIFF"))
    odd = {"loss": np.zeros(3), "other": "text", "nan": np.nan}
    aggregator.accept_model(answer(SITES[4], learnt(SITES[4]), metrics=odd))
    found = aggregator.aggregate_model()
    aggregator.handle_event("_end_run", context())
    for name, values in mean(SITES[1:5]).items():
        np.testing.assert_allclose(found.params[name], values, rtol=1e-5, atol=1e-6)
    assert found.metrics == {"loss": pytest.approx(0.5)}
    told = record(tmp_path)["participants"][SITES[0]]
    assert told["why"] == "sends DIFF, most send FULL"


def test_rounds_are_counted_where_the_server_does_not_say(tmp_path: Path) -> None:
    aggregator = AribaAggregator(str(tmp_path))
    for _ in range(2):
        aggregator.accept_model(answer(SITES[0], learnt(SITES[0])))
        aggregator.aggregate_model()
        aggregator.reset_stats()
    aggregator.handle_event("_end_run", context())
    assert sorted(one.name for one in tmp_path.iterdir()) == ["round_0000", "round_0001"]


def test_differences(tmp_path: Path) -> None:
    closed = AribaAggregator(str(tmp_path), policy="flagged", fail="closed")
    aggregator = told_of_the_model(closed, 2)
    for site in SITES[:2]:
        aggregator.accept_model(FLModel("DIFF", learnt(site), meta={"client_name": site}))
    assert aggregator.aggregate_model().params == {}
    aggregator.handle_event("_end_run", context())
    manifest = open_round(tmp_path / "round_0002").manifest
    assert manifest is not None
    assert manifest.kind == "difference"


def test_whoever_fails_closed_keeps_the_model(tmp_path: Path) -> None:
    closed = AribaAggregator(str(tmp_path), policy="flagged", fail="closed")
    closed.accept_model(answer(SITES[0], learnt(SITES[0])))
    with pytest.raises(InputError, match="the model sent out is unknown"):
        closed.aggregate_model()
    closed.handle_event("_end_run", context())
    told_of_the_model(closed, 2)
    closed.reset_stats()
    closed.accept_model(answer(SITES[0], learnt(SITES[0])))
    found = closed.aggregate_model().params
    for name, values in random_model(99).items():
        np.testing.assert_array_equal(found[name], values)
    closed.reset_stats()
    with pytest.raises(InputError, match="no client has sent a model"):
        closed.aggregate_model()


def test_a_saver_beside_another_aggregator(tmp_path: Path) -> None:
    saver = told_of_the_model(AribaSaver(str(tmp_path)), 4)
    for site in SITES:
        came = context(
            **{AppConstants.TRAINING_RESULT: FLModelUtils.to_shareable(answer(site, learnt(site)))}
        )
        came.set_peer_context(context(**{ReservedKey.IDENTITY_NAME: site}))
        saver.handle_event(AppEventType.BEFORE_CONTRIBUTION_ACCEPT, came)
    failed = Shareable()
    failed.set_return_code("EXECUTION_EXCEPTION")
    saver.handle_event(
        AppEventType.BEFORE_CONTRIBUTION_ACCEPT, context(**{AppConstants.TRAINING_RESULT: failed})
    )
    saver.handle_event(AppEventType.BEFORE_AGGREGATION, context())
    saver.handle_event("_end_run", context())
    round_ = open_round(tmp_path / "round_0004")
    assert [one.id for one in round_.participants] == SITES
    assert round_.global_model is not None


@pytest.mark.slow
def test_a_real_simulation_of_three_sites(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "examples.nvflare.run", str(tmp_path / "run"), "--rounds", "3"]
    subprocess.run(command, cwd=REPOSITORY, env=environment(), capture_output=True, check=True)
    for number in range(3):
        round_ = open_round(tmp_path / "run" / f"round_{number:04d}")
        assert [one.id for one in round_.participants] == ["site-1", "site-2", "site-3"]
        assert round_.global_model is not None
        assert round_.findings == round_.verify_seal().findings == ()
