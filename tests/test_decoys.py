"""Nobody hides behind updates that are far out: the others are scored again without them."""

import json
from collections.abc import Sequence
from pathlib import Path

import jsonschema
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from ariba_cli.api.auditing import audit, score
from ariba_cli.api.verdict import Verdict
from ariba_cli.auditing.settings import KEst
from ariba_cli.base.errors import InputError
from ariba_cli.base.findings import FindingKind
from ariba_cli.formats.model import ReadOptions
from ariba_cli.replay.suspects import read_suspects
from ariba_cli.replay.verify import open_reported_round, verify
from ariba_cli.reports.audit_markdown import audit_markdown
from ariba_cli.reports.audit_table import audit_table
from ariba_cli.reports.html.page import audit_html
from ariba_cli.reports.published import schema
from ariba_cli.reports.report import parse_report
from ariba_cli.reports.text import Paper
from ariba_cli.rounds.directory import open_round
from tests.conftest import FIXTURES
from tests.models import write_model
from tests.reports import Spoil, hashed_again, report_bytes, spoiled

COMPROMISED = ("p15", "p18")
LAYER = "conv2.weight"
K_EST = 4
# A fifth of all with the compromised would be half of all with two fifths.
MOST_DECOYS = 8
KINDS = ("attackers", "away", "shared", "own", "one-value", "idle")

Values = npt.NDArray[np.float64]


def sent() -> dict[str, Values]:
    paths = sorted((FIXTURES / "attacked" / "participants").iterdir())
    return {path.stem: load_file(path)[LAYER].astype(np.float64) for path in paths}


SENT = sent()
HONEST = [name for name in SENT if name not in COMPROMISED]
USUAL = np.mean([SENT[name] for name in HONEST], axis=0)
TYPICAL = float(np.median([np.linalg.norm(SENT[a] - SENT["p00"]) for a in HONEST[1:]]))
ATTACK = np.mean([SENT[name] for name in COMPROMISED], axis=0) - USUAL


def moved(values: Values, direction: Values, times: float) -> Values:
    """Return an update that is so many typical distances farther in a direction."""
    return values + times * TYPICAL * direction / np.linalg.norm(direction)


def scored(updates: dict[str, Values], exclude: Sequence[str] = ()) -> Verdict:
    models = {name: {LAYER: values.astype(np.float32)} for name, values in updates.items()}
    return score(models, k_est=K_EST, layers=["conv2"], exclude=exclude)


def with_weak_attackers_and_a_decoy() -> dict[str, Values]:
    """Return the round with a quarter of the attack, and one who moves the mean onto it."""
    updates = dict(SENT)
    for name in COMPROMISED:
        updates[name] = USUAL + 0.25 * (SENT[name] - USUAL)
    return updates | {"p00": moved(SENT["p00"], ATTACK, 60)}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_no_decoys_hide_the_compromised(kind: str, data: st.DataObject) -> None:
    """Two fifths of all, of any sizes and directions: the compromised are named all the same."""
    decoys = data.draw(st.lists(st.sampled_from(HONEST), max_size=MOST_DECOYS, unique=True))
    sizes = st.floats(-1, 8) | st.floats(-0.5, 2.5)
    draw = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    shared, common = draw.standard_normal(USUAL.shape), data.draw(sizes)
    updates = dict(SENT)
    for name in decoys:
        one_value = np.zeros(USUAL.shape)
        one_value.flat[draw.integers(one_value.size)] = 1
        direction = {
            "attackers": ATTACK,
            "away": -ATTACK,
            "shared": shared,
            "own": draw.standard_normal(USUAL.shape),
            "one-value": one_value,
            "idle": USUAL - SENT[name],
        }[kind]
        size = common if data.draw(st.booleans()) else data.draw(sizes)
        updates[name] = USUAL if kind == "idle" else moved(SENT[name], direction, 10**size)
    verdict = scored(updates)
    named = {*verdict.accused, *(one.id for one in verdict.suspects)}
    assert named.issuperset(COMPROMISED)


def test_the_second_result_is_that_of_an_audit_without_those_who_are_far_out() -> None:
    updates = with_weak_attackers_and_a_decoy()
    verdict, alone = scored(updates), scored(updates, exclude=["p00"])
    # As the paper scores them, the two are hidden.
    assert not {one.id for one in verdict.suspects}.issuperset(COMPROMISED)
    assert verdict.rescored is not None
    assert verdict.rescored.left_out == ("p00",)
    assert verdict.rescored.ranking == alone.ranking
    assert {one.id for one in alone.ranking[:2]} == set(COMPROMISED)
    assert verdict.accused == ("p00", *(one.id for one in alone.suspects))
    (finding,) = [one for one in verdict.findings if one.kind is FindingKind.FAR_OUT]
    assert finding.group == ("p00",)
    assert all(name in finding.detail for name in COMPROMISED)


@pytest.mark.parametrize("which", ["attacked", "clean"])
def test_a_round_in_which_nobody_hides_has_one_result(which: str) -> None:
    """Also where the compromised are far out themselves, and named."""
    for layers in ((), ("conv2",)):
        verdict = audit(FIXTURES / which, k_est="20%", layers=layers)
        assert verdict.rescored is None
        assert FindingKind.FAR_OUT not in {one.kind for one in verdict.findings}
        assert verdict.accused == tuple(one.id for one in verdict.suspects)


def test_a_decision_on_whole_updates_is_made_once() -> None:
    updates = with_weak_attackers_and_a_decoy()
    models = {name: {LAYER: values.astype(np.float32)} for name, values in updates.items()}
    for detectors in (["krum"], ["krum", "mahalanobis"]):
        assert score(models, k_est=K_EST, detectors=detectors).rescored is None


def test_so_many_are_left_that_suspects_can_be_named() -> None:
    updates = {name: SENT[name] for name in HONEST[:4]}
    updates["p00"] = moved(SENT["p00"], ATTACK, 1e6)
    models = {name: {LAYER: values.astype(np.float32)} for name, values in updates.items()}
    verdict = score(models, k_est=3, layers=["conv2"])
    assert verdict.rescored is None or verdict.rescored.k_est == 2


@pytest.fixture
def decoyed(tmp_path: Path) -> Path:
    """A round on disk in which somebody hides."""
    (tmp_path / "round" / "participants").mkdir(parents=True)
    for name, values in with_weak_attackers_and_a_decoy().items():
        write_model(
            tmp_path / "round" / "participants" / f"{name}.safetensors",
            {LAYER: values.astype(np.float32)},
        )
    return tmp_path / "round"


def test_both_results_are_in_every_report_and_are_verified(decoyed: Path) -> None:
    data = report_bytes(decoyed, k_est=KEst.parse(K_EST))
    report = parse_report(data)
    said = "p00 is far from all others; without it the suspects are p15 ("
    assert said in audit_table(report.verdict, Paper(width=300, color=False))
    assert said in audit_html(report).decode()
    assert said.replace("p00", "`p00`").replace("p15", "`p15`") in audit_markdown(report)
    content = json.loads(data)
    jsonschema.validate(content, json.loads(schema("audit")))
    path = decoyed.parent / "report.json"
    path.write_bytes(data)
    assert read_suspects(path, open_round(decoyed)) == report.verdict.accused

    def differences(report_data: bytes) -> tuple[str, ...]:
        report = parse_report(report_data)
        found = verify(report, open_reported_round(decoyed, report.verdict, ReadOptions()))
        return found.differences.rest

    assert not differences(data)
    second = content["result"]["rescored"]["ranking"]
    second[0]["id"], second[-1]["id"] = second[-1]["id"], second[0]["id"]
    assert any(one.startswith("rescored") for one in differences(hashed_again(content)))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda again: again["left_out"].clear(), "leaves out nobody"),
        (lambda again: again["left_out"].append("p15"), "leaves out nobody"),
        (lambda again: again["left_out"].append("p99"), "who is not among its participants"),
        (lambda again: again["ranking"].reverse(), "is not in order"),
        (lambda again: again.update(k_est=3), "its suspects are not the first"),
    ],
)
def test_a_second_result_that_does_not_fit_is_refused(
    decoyed: Path, spoil: Spoil, why: str
) -> None:
    data = report_bytes(decoyed, k_est=KEst.parse(K_EST))
    with pytest.raises(InputError, match=why):
        parse_report(spoiled(data, lambda result: spoil(result["rescored"])))
