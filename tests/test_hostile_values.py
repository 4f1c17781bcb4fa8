"""Values that are to hide who was compromised: they do not, or a finding names their sender."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.rounds.directory import open_round
from ariba_cli.verdicts.verdict import Verdict
from tests.models import write_model

COMPROMISED = {"p15", "p18"}
HONEST = ["p00", "p03", "p07", "p11", "p19"]

Layer = npt.NDArray[np.float32]


def run(root: Path) -> Verdict:
    return audit(open_round(root), AuditSettings(layers=("conv2",)))


def change(root: Path, who: str, *, value: float | None = None, factor: float = 1.0) -> None:
    """Set one value of a participant's layer, or multiply all."""
    path = root / "participants" / f"{who}.safetensors"
    model = load_file(path)
    layer = model["conv2.weight"]
    layer *= np.float32(factor)
    if value is not None:
        layer[3, 2, 1, 0] = value
    write_model(path, model)


def caught(verdict: Verdict) -> set[str]:
    """Those of the compromised who are suspects, or of whom a finding says something."""
    suspects = {ranked.id for ranked in verdict.suspects}
    return COMPROMISED & (suspects | {one.participant or "" for one in verdict.findings})


def named(verdict: Verdict) -> dict[str, str]:
    """The kind of finding about each participant."""
    return {one.participant: one.kind for one in verdict.findings if one.participant is not None}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e38, -1e38, 1e30, 1e-45, -0.0])
@pytest.mark.parametrize("who", ["p00", "p07", "p15", "p18", "p19"])
def test_no_single_value_hides_the_compromised(attacked: Path, value: float, who: str) -> None:
    change(attacked, who, value=value)
    verdict = run(attacked)
    if not np.isfinite(value):
        assert named(verdict)[who] == "nonfinite"
    elif abs(value) > 1:
        assert named(verdict)[who] == "dominant"
    assert caught(verdict) == COMPROMISED or named(verdict)[who] == "dominant"
    (attacked / "participants" / f"{who}.safetensors").unlink()
    assert caught(run(attacked)) == COMPROMISED - {who}


@pytest.mark.parametrize("decoys", [1, 5])
@pytest.mark.parametrize("factor", [100, 1e10, 1e30, 1e38, np.inf, np.nan])
@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_decoys_are_named_whatever_they_send(attacked: Path, factor: float, decoys: int) -> None:
    for who in HONEST[:decoys]:
        change(attacked, who, factor=factor)
    expected = "dominant" if np.isfinite(factor) else "nonfinite"
    found = named(run(attacked))
    assert {who: found.get(who) for who in HONEST[:decoys]} == dict.fromkeys(
        HONEST[:decoys], expected
    )
    for who in HONEST[:decoys]:
        (attacked / "participants" / f"{who}.safetensors").unlink()
    assert caught(run(attacked)) == COMPROMISED


@pytest.mark.parametrize("copies", [1, 5])
@pytest.mark.parametrize("of", ["p15", "p01"])
def test_copies_are_named(attacked: Path, of: str, copies: int) -> None:
    """Of a compromised update, to be many; of an honest one, to move the mean."""
    source = (attacked / "participants" / f"{of}.safetensors").read_bytes()
    for who in HONEST[:copies]:
        (attacked / "participants" / f"{who}.safetensors").write_bytes(source)
    (found,) = [one for one in run(attacked).findings if one.kind == "duplicate"]
    assert found.group == tuple(sorted([of, *HONEST[:copies]]))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_layer_that_is_the_same_in_all_is_no_ranking(attacked: Path, value: float) -> None:
    for path in (attacked / "participants").iterdir():
        model = load_file(path)
        model["conv2.weight"][:] = value
        write_model(path, model)
    verdict = run(attacked)
    assert verdict.ranking == ()
    assert "degenerate" in {one.kind for one in verdict.findings}


def test_a_layer_of_zeros_from_one_participant_hides_nobody(attacked: Path) -> None:
    change(attacked, "p07", factor=0.0)
    assert caught(run(attacked)) == COMPROMISED


def test_fragments_that_differ_in_one_direction_alone_are_ranked(attacked: Path) -> None:
    """A covariance without an inverse: all but one value of each kernel is the same."""
    for path in (attacked / "participants").iterdir():
        model = load_file(path)
        model["conv2.weight"].reshape(-1, 9)[:, 1:] = 0.25
        write_model(path, model)
    verdict = run(attacked)
    assert verdict.marked_layers[0].covariance_rank == 1
    assert len(verdict.ranking) == 20
