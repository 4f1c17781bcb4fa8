"""From a round to a verdict: who is scored, who is left out and why."""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings, KEst
from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.base.findings import FindingKind
from ariba_cli.detectors import make_detectors
from ariba_cli.reports.audit_json import audit_result
from ariba_cli.rounds.directory import open_round
from ariba_cli.verdicts.verdict import Verdict
from tests.conftest import FIXTURES
from tests.models import random_model, safetensors_bytes, write_flat_round, write_model
from tests.oracle import oracle

CONV2 = AuditSettings(layers=("conv2",))


def run(root: Path, settings: AuditSettings = CONV2) -> Verdict:
    return audit(open_round(root), settings)


def kinds(verdict: Verdict) -> list[tuple[str, str | None]]:
    return [(finding.kind, finding.participant) for finding in verdict.findings]


def edit(path: Path, change: Callable[[np.ndarray], None], layer: str = "conv2.weight") -> None:
    """Write a fixture's file again with one layer changed."""
    from safetensors.numpy import load_file

    model = load_file(path)
    change(model[layer])
    write_model(path, model)


def test_scores_are_those_of_the_oracle_on_real_updates() -> None:
    from safetensors.numpy import load_file

    tensors = [
        load_file(path)["conv2.weight"]
        for path in sorted((FIXTURES / "attacked" / "participants").iterdir())
    ]
    for fragment, m, d in (("kernel", 512, 9), ("filter", 32, 144), ("block:11", 418, 11)):
        for k_est in (1, 4, 10, 19):
            settings = AuditSettings(layers=("conv2",), fragment=fragment, k_est=KEst.parse(k_est))
            layer = run(FIXTURES / "attacked", settings).marked_layers[0]
            expected = oracle(tensors, m, d, k_est)
            assert list(layer.scores.values()) == expected.scores
            assert layer.covariance_rank == expected.rank
            assert layer.cutoff_distance == pytest.approx(expected.cut_distance, rel=5e-6)


def test_the_truth_changes_nothing(attacked: Path) -> None:
    before = run(attacked)
    (attacked / "truth.json").write_text('{"compromised": ["p00"]}')
    after = run(attacked)
    assert (after.ranking, after.detectors) == (before.ranking, before.detectors)


def test_the_order_in_which_files_are_listed_does_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = audit_result(run(FIXTURES / "attacked"))
    listdir = os.listdir
    for seed in range(5):

        def shuffled(path: Path, seed: int = seed) -> list[str]:
            return random.Random(seed).sample(names := listdir(path), len(names))

        monkeypatch.setattr(os, "listdir", shuffled)
        assert audit_result(run(FIXTURES / "attacked")) == expected


def test_neither_the_global_model_nor_the_format_changes_a_score(
    attacked: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file

    expected = run(attacked)
    (attacked / "global.safetensors").unlink()
    for path in (attacked / "participants").iterdir():
        write_model(tmp_path / "h5" / f"{path.stem}.h5", load_file(path), "hdf5")
    for root in (attacked, tmp_path / "h5"):
        found = run(root)
        assert (found.ranking, found.layers) == (expected.ranking, expected.layers)
        digests = [i.tensor_sha256 for i in found.inputs if i.role == "participant"]
        assert digests == [i.tensor_sha256 for i in expected.inputs if i.role == "participant"]


def test_differences_give_the_same_scores_as_weights(tmp_path: Path) -> None:
    """In float64 nothing is lost by the subtraction, so they must be equal."""
    reference = {name: value.astype(np.float64) for name, value in random_model(99).items()}
    for index in range(8):
        model = random_model(index)
        write_model(
            tmp_path / "weights" / f"p{index}.safetensors",
            {name: reference[name] + value for name, value in model.items()},
        )
        write_model(tmp_path / "differences" / f"p{index}.safetensors", model)
    weights, differences = run(tmp_path / "weights"), run(tmp_path / "differences")
    assert weights.ranking == differences.ranking


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (np.nan, "1 NaN in conv2.weight"),
        (np.inf, "1 Inf in conv2.weight"),
        (-np.inf, "1 Inf in conv2.weight"),
    ],
)
@pytest.mark.parametrize("who", ["p00", "p15"])
def test_one_bad_value_leaves_one_participant_out(
    attacked: Path, value: float, detail: str, who: str
) -> None:
    def spoil(layer: np.ndarray) -> None:
        layer[3, 2, 1, 0] = value

    edit(attacked / "participants" / f"{who}.safetensors", spoil)
    verdict = run(attacked)
    (finding,) = [f for f in verdict.findings if f.kind is FindingKind.NONFINITE]
    assert (finding.participant, finding.detail) == (who, detail)
    assert who not in [ranked.id for ranked in verdict.ranking]
    compromised = {"p15", "p18"} - {who}
    assert compromised <= {ranked.id for ranked in verdict.suspects}


@pytest.mark.parametrize("value", [3e38, 1e-45, -0.0])
def test_extreme_values_that_are_numbers_are_scored(attacked: Path, value: float) -> None:
    def spoil(layer: np.ndarray) -> None:
        layer[3, 2, 1, 0] = value

    edit(attacked / "participants" / "p07.safetensors", spoil)
    verdict = run(attacked)
    assert len(verdict.ranking) == 20
    if value < 1:
        assert {"p15", "p18"} <= {ranked.id for ranked in verdict.suspects}


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32", "F64"])
def test_infinity_is_found_in_every_type(tmp_path: Path, dtype: str) -> None:
    write_flat_round(tmp_path)
    values = np.full(288, np.inf, np.float32)
    raw = values.view(np.uint16)[1::2].tobytes() if dtype == "BF16" else b""
    raw = raw or values.astype(f"<f{int(dtype[1:]) // 8}").tobytes()
    entry = {"dtype": dtype, "shape": [8, 4, 3, 3], "data_offsets": [0, len(raw)]}
    (tmp_path / "p9").write_bytes(safetensors_bytes({"conv2.weight": entry}, raw))
    (finding,) = [f for f in run(tmp_path).findings if f.participant == "p9"]
    assert (finding.kind, finding.detail) == ("nonfinite", "288 Inf in conv2.weight")


def test_values_that_only_float64_holds_are_left_out(tmp_path: Path) -> None:
    write_flat_round(tmp_path)
    model = {name: value.astype(np.float64) * 1e300 for name, value in random_model(9).items()}
    write_model(tmp_path / "p9.safetensors", model)
    verdict = run(tmp_path)
    (finding,) = [f for f in verdict.findings if f.kind is FindingKind.NONFINITE]
    assert finding.detail == "288 beyond ±3.4e+38 in conv2.weight"


def boost(path: Path, factor: float) -> None:
    def multiply(layer: np.ndarray) -> None:
        layer *= np.float32(factor)

    edit(path, multiply)


@pytest.mark.parametrize("factor", [1e4, 1e30])
@pytest.mark.parametrize("decoys", [1, 3])
def test_decoys_that_hide_the_others_are_findings(
    attacked: Path, factor: float, decoys: int
) -> None:
    """They pull the mean so far that the others hardly differ; without them all is well."""
    names = ["p07", "p08", "p09"][:decoys]
    for name in names:
        boost(attacked / "participants" / f"{name}.safetensors", factor)
    dominant = [f.participant for f in run(attacked).findings if f.kind is FindingKind.DOMINANT]
    assert dominant == names
    for name in names:
        (attacked / "participants" / f"{name}.safetensors").unlink()
    verdict = run(attacked)
    assert FindingKind.DOMINANT not in [finding.kind for finding in verdict.findings]
    assert {ranked.id for ranked in verdict.ranking[:2]} == {"p15", "p18"}


@pytest.mark.parametrize("decoys", [6, 8])
def test_decoys_cannot_hide_by_the_names_they_choose(attacked: Path, decoys: int) -> None:
    """Every second participant: with the two compromised up to half of all."""
    names = [f"p{2 * index:02}" for index in range(decoys)]
    for name in names:
        boost(attacked / "participants" / f"{name}.safetensors", 100)
    found = [f.participant for f in run(attacked).findings if f.kind is FindingKind.DOMINANT]
    assert found == names


def test_the_usual_attack_is_no_dominant_update() -> None:
    assert kinds(run(FIXTURES / "attacked")) == []
    assert kinds(run(FIXTURES / "clean")) == []


def test_everything_that_is_wrong_is_a_finding_and_the_rest_is_audited(tmp_path: Path) -> None:
    write_flat_round(tmp_path, 6)
    without = {name: v for name, v in random_model(7).items() if name != "conv2.weight"}
    write_model(tmp_path / "q0.safetensors", without)
    other = {**random_model(7), "conv2.weight": np.zeros((8, 4, 5, 5), np.float32)}
    write_model(tmp_path / "q1.safetensors", other)
    header = {"conv2.weight": {"dtype": "I32", "shape": [8, 4, 3, 3], "data_offsets": [0, 1152]}}
    (tmp_path / "q2").write_bytes(safetensors_bytes(header, bytes(1152)))
    (tmp_path / "q3.pt").write_bytes(b"PK\x03\x04" + bytes(100))
    (tmp_path / "q4.safetensors").write_bytes((tmp_path / "p0.safetensors").read_bytes()[:-1])
    (tmp_path / "q5.safetensors").symlink_to(tmp_path / "p0.safetensors")
    (tmp_path / "q6").mkdir()
    shutil.copy(tmp_path / "p4.safetensors", tmp_path / "q7.safetensors")
    verdict = run(tmp_path)
    assert kinds(verdict) == [
        ("unsealed", None),
        ("no-updates", None),
        ("missing-layer", "q0"),
        ("wrong-shape", "q1"),
        ("wrong-type", "q2"),
        ("refused", "q3"),
        ("refused", "q4"),
        ("refused", "q5"),
        ("duplicate", None),
    ]
    assert [i.status for i in verdict.inputs] == [
        *["ok"] * 6,
        "missing-layer",
        "wrong-shape",
        "wrong-type",
        *["refused"] * 3,
        "ok",
    ]
    (same,) = [f for f in verdict.findings if f.kind is FindingKind.DUPLICATE]
    assert same.group == ("p4", "q7")
    assert verdict.ranking[0].id == "p0"


def test_fewer_than_three_participants_cannot_be_audited(tmp_path: Path) -> None:
    write_flat_round(tmp_path, 3)
    (tmp_path / "p2.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match=r"2 of 3 updates .* at least 3; p2: is empty"):
        run(tmp_path)
    for name in ("p0", "p1"):
        (tmp_path / f"{name}.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="0 of 3 updates"):
        run(tmp_path)


def test_equal_updates_are_a_finding_and_no_ranking(tmp_path: Path) -> None:
    for index in range(4):
        write_model(tmp_path / f"p{index}.safetensors", random_model(1))
    verdict = run(tmp_path)
    assert verdict.ranking == ()
    assert kinds(verdict) == [("unsealed", None), ("degenerate", None)]


def test_fragments_too_wide_are_a_finding_and_no_ranking(tmp_path: Path) -> None:
    write_flat_round(tmp_path, 4)
    verdict = run(tmp_path, AuditSettings(layers=("conv2",), fragment="block:288"))
    assert verdict.ranking == ()
    (finding,) = [f for f in verdict.findings if f.kind is FindingKind.DEGENERATE]
    assert "too wide for 4 updates" in finding.detail


@pytest.mark.parametrize(
    ("k_est", "expected"),
    [
        (KEst.parse("20%"), 2),
        (KEst.parse(1), 1),
        (KEst.parse(5), 5),
        (KEst.parse("0.1%"), 1),
        (KEst.parse("17%"), 2),
        (KEst.parse(0), None),
        (KEst.parse(6), None),
        (KEst.parse("90%"), None),
    ],
)
def test_how_many_suspects_are_named(tmp_path: Path, k_est: KEst, expected: int | None) -> None:
    write_flat_round(tmp_path, 6)
    settings = AuditSettings(layers=("conv2",), k_est=k_est)
    if expected is None:
        with pytest.raises(UsageError, match="between 1 and 5"):
            run(tmp_path, settings)
    else:
        verdict = run(tmp_path, settings)
        assert len(verdict.suspects) == expected
        assert ((FindingKind.LARGE_K_EST, None) in kinds(verdict)) == (expected >= 3)


def test_a_tie_at_the_cut_is_said(tmp_path: Path) -> None:
    """Two send the same, so the four marks that they share fall two to each."""
    for index in range(5):
        scale = 100.0 if index in (1, 3) else 1.0
        values = np.random.default_rng(0 if index in (1, 3) else index).standard_normal((4, 2))
        write_model(tmp_path / f"p{index}.safetensors", {"w": scale * values})
    verdict = run(tmp_path, AuditSettings(layers=("w",), k_est=KEst.parse(1)))
    assert verdict.decision.tie_at_cutoff
    assert [ranked.id for ranked in verdict.suspects] == ["p1"]


def test_all_layers_that_hold_weights_are_the_default() -> None:
    verdict = run(FIXTURES / "clean", AuditSettings())
    assert verdict.method.layers == ("conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight")
    assert verdict.method.layer_choice == "all"


def test_a_model_without_convolutions_needs_no_options(tmp_path: Path) -> None:
    for index in range(4):
        rng = np.random.default_rng(index)
        write_model(tmp_path / f"p{index}.h5", {"fc": rng.standard_normal((6, 3))}, "hdf5")
    (layer,) = run(tmp_path, AuditSettings()).marked_layers
    assert (layer.layer, layer.fragment, layer.fragments) == ("fc", "row", 6)


def test_wide_rows_are_cut_into_blocks(tmp_path: Path) -> None:
    for index in range(4):
        rng = np.random.default_rng(index)
        models = {"wide": rng.standard_normal((4, 2501)), "fits": rng.standard_normal((4, 2500))}
        write_model(tmp_path / f"p{index}.safetensors", models)
    layers = {one.layer: one for one in run(tmp_path, AuditSettings()).marked_layers}
    assert (layers["wide"].fragment, layers["wide"].dimension) == ("block:64", 64)
    assert (layers["fits"].fragment, layers["fits"].dimension) == ("row", 2500)


def test_a_layer_in_which_nobody_differs_is_one_finding(tmp_path: Path) -> None:
    for index in range(4):
        rng = np.random.default_rng(index)
        model = {"frozen": np.eye(6), "moved": rng.standard_normal((6, 6))}
        write_model(tmp_path / f"p{index}.safetensors", model)
    verdict = run(tmp_path, AuditSettings(detectors=make_detectors(["mahalanobis", "krum"])))
    (finding,) = [f for f in verdict.findings if f.kind is FindingKind.DEGENERATE]
    assert (finding.layer, finding.participant) == ("frozen", None)
    assert [one.layer for one in verdict.marked_layers] == ["moved"]
    assert all(list(one.by_layer) == ["moved"] for one in verdict.detectors[1].scores)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("conv3", "did you mean 'conv2'"), ("fc1.wieght", "did you mean 'fc1'"), ("", "inspect")],
)
def test_an_unknown_layer_has_a_suggestion(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        run(FIXTURES / "clean", AuditSettings(layers=(name,)))


def test_shapes_are_voted_on_whatever_the_type(tmp_path: Path) -> None:
    """Thirteen store one shape in three types; seven store another in one."""
    types: list[type[np.floating]] = [np.float16] * 5 + [np.float64] * 5 + [np.float32] * 3
    for index, dtype in enumerate(types):
        tensor: npt.NDArray[np.floating] = random_model(index)["conv2.weight"].astype(dtype)
        write_model(tmp_path / f"honest{index}.h5", {"w": tensor}, "hdf5")
    for index in range(7):
        tensor = random_model(index)["conv2.weight"][..., :2]
        write_model(tmp_path / f"attacker{index}.h5", {"w": tensor}, "hdf5")
    verdict = run(tmp_path, AuditSettings(layers=("w",)))
    assert {ranked.id[:6] for ranked in verdict.ranking} == {"honest"}
    assert [kind for kind, _ in kinds(verdict)].count("wrong-shape") == 7


def test_layers_that_few_participants_have_do_not_count(tmp_path: Path) -> None:
    write_flat_round(tmp_path, 5)
    extra = {f"extra{i}.weight": np.zeros((2, 2, 3, 3), np.float32) for i in range(50)}
    write_model(tmp_path / "p4.safetensors", {**random_model(4), **extra})
    coverage = run(tmp_path).coverage
    assert (coverage.layers_examined, coverage.layers_total) == (1, 3)
    assert (coverage.parameters_examined, coverage.parameters_total) == (288, 36 + 288 + 160)
