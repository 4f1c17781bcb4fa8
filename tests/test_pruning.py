"""Neuron pruning: the channels that samples leave dormant go first, while the accuracy holds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ariba_cli.base.errors import UsageError
from ariba_cli.federated.models import Weights
from ariba_cli.formats import open_model
from ariba_cli.formats.model import ReadOptions
from ariba_cli.runs.pruning import Ranking, by_dormancy, prune_model
from ariba_cli.runs.run_file import read_run
from tests.conftest import FIXTURES, Ariba
from tests.models import write_model

CLEAN = FIXTURES / "clean"
MODEL = CLEAN / "global.safetensors"


def weights_in(path: Path) -> Weights:
    return {name: np.array(one) for name, one in open_model(path, ReadOptions()).floats()}


def test_ranks_and_votes_agree_on_what_is_dormant() -> None:
    # Two of three have channel 2 last; the third, who uses it alone, cannot outvote them.
    active = np.array([[0.4, 0.3, 0.0, 0.5], [0.4, 0.3, 0.0, 0.5], [0.1, 0.2, 0.9, 0.3]])
    assert by_dormancy(active, Ranking.RAP).tolist() == [1, 2, 0, 3]
    assert by_dormancy(active, Ranking.MVP).tolist() == [1, 2, 0, 3]
    assert by_dormancy(active[:2], Ranking.RAP).tolist() == [2, 1, 0, 3]


@pytest.mark.parametrize("ranking", list(Ranking))
def test_a_channel_that_was_planted_dormant_goes_first(tmp_path: Path, ranking: Ranking) -> None:
    planted = weights_in(MODEL)
    planted["conv2.bias"][7] = -100
    write_model(tmp_path / "planted.safetensors", planted)
    out = tmp_path / "pruned.safetensors"
    found = prune_model(tmp_path / "planted.safetensors", read_run(CLEAN), out, ranking=ranking)
    assert found.layer == "conv2"
    assert 7 in found.removed
    pruned = weights_in(out)
    for channel in found.removed:
        assert not pruned["conv2.weight"][channel].any()
        assert pruned["conv2.bias"][channel] == 0
    left = np.setdiff1d(np.arange(found.channels), found.removed)
    changed = pruned["conv2.weight"][left] != planted["conv2.weight"][left]
    assert np.count_nonzero(changed) == found.zeroed
    assert not pruned["conv2.weight"][left][changed].any()
    assert all(
        np.array_equal(pruned[name], planted[name])
        for name in planted
        if name not in ("conv2.weight", "conv2.bias")
    )


@pytest.mark.parametrize("most_lost", [0.0, 0.02, 0.2])
def test_the_accuracy_never_falls_below_the_least(tmp_path: Path, most_lost: float) -> None:
    out = tmp_path / "pruned.safetensors"
    found = prune_model(MODEL, read_run(CLEAN), out, most_lost=most_lost)
    assert found.after >= found.before - 2 * most_lost
    # One more would cost too much: there are channels left.
    assert len(found.removed) < found.channels


def test_the_command_says_what_it_has_done(ariba: Ariba, tmp_path: Path) -> None:
    done = ariba("prune", MODEL, "--out", tmp_path / "pruned.safetensors", "--ranking", "mvp")
    assert done.returncode == 0
    assert "of the 32 channels of conv2" in done.stderr.decode()
    assert not done.stdout


@pytest.mark.parametrize("model", ["mlp", "resnet18"])
def test_a_network_without_such_a_convolution_is_refused(tmp_path: Path, model: str) -> None:
    run = read_run(CLEAN)
    other = replace(run, settings=replace(run.settings, model=model))
    with pytest.raises(UsageError, match="has no convolution that leads to ReLU alone"):
        prune_model(MODEL, other, tmp_path / "pruned.safetensors")
    assert not (tmp_path / "pruned.safetensors").exists()
