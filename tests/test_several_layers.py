"""Several layers: which are meant, each scored by itself, and one ranking of all."""

import gc
import hashlib
import weakref
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.evaluation import truth_metrics
from ariba_cli.auditing.settings import AuditSettings, KEst
from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.base.findings import FindingKind
from ariba_cli.base.progress import Progress
from ariba_cli.detectors.mahalanobis import Mahalanobis
from ariba_cli.reports.audit_table import audit_table
from ariba_cli.reports.text import Paper
from ariba_cli.rounds.directory import open_round
from ariba_cli.scoring.marks import Marks
from ariba_cli.updates.fragments import Fragments
from ariba_cli.verdicts.verdict import Verdict
from tests.conftest import FIXTURES
from tests.models import Tensors, random_model, write_model
from tests.oracle import oracle

SHAPES = {
    "conv1.weight": (4, 1, 3, 3),
    "conv2.weight": (8, 4, 3, 3),
    "bn1.weight": (4,),
    "bn1.running_mean": (4,),
    "conv10.weight": (4, 8, 3, 3),
    "head.weight": (5, 32),
    "head.bias": (5,),
    "wide.weight": (2, 2501),
}


def model(seed: int, scale: float = 1.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        name: (scale * rng.standard_normal(shape)).astype(np.float32)
        for name, shape in SHAPES.items()
    }


def write_round(root: Path, models: Sequence[Tensors]) -> Path:
    for index, tensors in enumerate(models):
        write_model(root / f"p{index}.safetensors", tensors)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_round(
        tmp_path / "round", [model(seed, 20.0 if not seed else 1.0) for seed in range(6)]
    )


def run(root: Path, *layers: str, **settings: Any) -> Verdict:
    return audit(open_round(root), AuditSettings(layers=layers, **settings))


def said(verdict: Verdict) -> list[tuple[str, str | None]]:
    return [(one.kind, one.participant) for one in verdict.findings if one.kind != "unsealed"]


ALL = ["conv1.weight", "conv2.weight", "conv10.weight", "head.weight"]


@pytest.mark.parametrize(
    ("asked", "found", "how"),
    [
        ([], ["conv2.weight"], "middle"),
        (["conv2"], ["conv2.weight"], "named"),
        (["conv10", "module.conv1"], ["conv1.weight", "conv10.weight"], "named"),
        (["conv2", "conv2.weight", "model.conv2"], ["conv2.weight"], "named"),
        (["conv*"], ALL[:3], "pattern"),
        (["conv?"], ALL[:2], "pattern"),
        (["*.weight"], ALL, "pattern"),
        (["module.conv?.weight"], ALL[:2], "pattern"),
        (["conv[12]", "head"], [*ALL[:2], ALL[3]], "pattern"),
        (["conv[!1]"], ["conv2.weight"], "pattern"),
        (["all"], ALL, "all"),
        (["head", "all", "conv?"], ALL, "all"),
    ],
)
def test_which_layers_are_meant(root: Path, asked: list[str], found: list[str], how: str) -> None:
    verdict = run(root, *asked)
    assert verdict.method.layers == tuple(found)
    assert [layer.layer for layer in verdict.layers] == found
    assert verdict.method.layer_choice == how


@pytest.mark.parametrize(
    ("asked", "fragment", "message"),
    [
        ("CONV*", None, r"matches 'CONV\*' \(ariba inspect "),
        ("bn1.*", None, r"matches 'bn1\.\*'; layer 'bn1.weight' of shape 4 has no row"),
        ("wide*", None, "2,501 values.*try --fragment block:64"),
        ("bn1.running*", None, "matches 'bn1.running"),
        ("head*", "kernel", "no kernel fragments; use --fragment row"),
        ("all", "nothing", "there is no fragment 'nothing'"),
        ("all", "block:x", "names no block size"),
        ("head.bias", None, "use --fragment block:D"),
        ("wide", None, "try --fragment block:64"),
        ("conv[", None, r"no layer 'conv\[' is in most"),
    ],
)
def test_what_means_nothing_that_can_be_scored(
    root: Path, asked: str, fragment: str | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        run(root, asked, fragment=fragment)
    if fragment is None:
        with pytest.raises(UsageError, match=message):
            run(root, "conv2", asked)


@pytest.mark.parametrize(
    ("fragment", "found", "common"),
    [
        (None, ALL, "default"),
        ("kernel", ALL[:3], "kernel"),
        ("row", ALL[3:], "row"),
        (
            "block:3",
            [*ALL[:2], "bn1.weight", ALL[2], "head.weight", "head.bias", "wide.weight"],
            "block:3",
        ),
    ],
)
def test_all_takes_what_the_fragment_fits(
    root: Path, fragment: str | None, found: list[str], common: str
) -> None:
    verdict = run(root, "all", fragment=fragment)
    assert sorted(verdict.method.layers) == sorted(found)
    assert verdict.method.fragment == common
    assert verdict.coverage.layers_examined == len(found)
    sizes = {name: int(np.prod(shape)) for name, shape in SHAPES.items()}
    assert verdict.coverage.parameters_examined == sum(sizes[name] for name in found)
    wide = [finding.detail for finding in verdict.findings if finding.kind == "layer-left-out"]
    assert len(wide) == (fragment in (None, "row"))
    assert all("wide.weight" in detail and "block:64" in detail for detail in wide)


def test_one_kind_of_fragment_is_named(root: Path) -> None:
    assert run(root, "conv*").method.fragment == "kernel"


def test_a_name_goes_before_what_it_means_as_a_pattern(tmp_path: Path) -> None:
    names = ["all", "conv[12]", "conv1.weight", "conv*.weight"]
    rng = np.random.default_rng(0)
    models = [{name: rng.standard_normal((3, 2, 3, 3)) for name in names} for _ in range(4)]
    root = write_round(tmp_path, models)
    for asked, found in (
        ("all", "all"),
        ("conv[12]", "conv[12]"),
        ("conv*", "conv*.weight"),
    ):
        verdict = run(root, asked)
        assert (verdict.method.layers, verdict.method.layer_choice) == ((found,), "named")


def test_the_order_is_that_of_the_manifest() -> None:
    verdict = run(FIXTURES / "attacked", "fc2", "all")
    assert verdict.method.layers == ("conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight")


def test_every_layer_has_the_scores_that_it_has_alone() -> None:
    from safetensors.numpy import load_file

    models = [load_file(path) for path in sorted((FIXTURES / "attacked/participants").iterdir())]
    verdict = run(FIXTURES / "attacked", "all", k_est=KEst(number=4))
    cuts = {"conv1.weight": (16, 9), "conv2.weight": (512, 9), "fc2.weight": (10, 32)}
    assert len(verdict.layers) == 4
    for layer in verdict.layers:
        (alone,) = run(FIXTURES / "attacked", layer.layer, k_est=KEst(number=4)).layers
        assert layer == alone
        if layer.layer in cuts:
            tensors = [tensors[layer.layer] for tensors in models]
            expected = oracle(tensors, *cuts[layer.layer], 4)
            assert list(layer.scores.values()) == expected.scores


def test_the_ranking_is_by_the_exact_mean_share() -> None:
    verdict = run(FIXTURES / "attacked", "all")
    exact = {
        one.id: sum(Fraction(layer.scores[one.id], layer.fragments) for layer in verdict.layers) / 4
        for one in verdict.ranking
    }
    order = sorted(exact, key=lambda name: (-exact[name], name))
    assert [one.id for one in verdict.ranking] == order
    for one in verdict.ranking:
        assert one.share == float(exact[one.id])
        assert one.score == sum(layer.scores[one.id] for layer in verdict.layers)
        assert one.shares == {
            layer.layer: layer.scores[one.id] / layer.fragments for layer in verdict.layers
        }
    assert {one.id for one in verdict.ranking[:2]} == {"p15", "p18"}
    found = truth_metrics(verdict, ["p15", "p18"])
    assert found.confidence == pytest.approx(float(exact["p15"] + exact["p18"]) / 2)


def result(layer: str, fragments: int, scores: dict[str, int], *, marked: int = 1) -> Any:
    from ariba_cli.verdicts.verdict import LayerResult

    n = len(scores)
    return LayerResult(layer, "row", n, fragments, 1, 0, marked, 1, 1.0, 0.0, scores, {})


def test_shares_that_are_equal_tie_though_their_floats_differ() -> None:
    """1/10 + 2/10 is 3/10 + 0, and not so in floats."""
    from ariba_cli.auditing.ranking import rank

    one = result("a", 10, {"x": 1, "y": 3, "z": 6})
    other = result("b", 10, {"x": 2, "y": 0, "z": 8})
    ranking, tie = rank([one, other], 2)
    assert [(ranked.id, ranked.suspect) for ranked in ranking] == [
        ("z", True),
        ("x", True),
        ("y", False),
    ]
    assert tie
    assert ranking[1].share == ranking[2].share == 0.15
    assert not rank([one, other], 1)[1]


def test_a_share_is_the_mean_of_the_layers_in_which_one_is_scored() -> None:
    from ariba_cli.auditing.ranking import rank

    layers = [
        result("a", 4, {"x": 3, "y": 1, "z": 0}),
        result("b", 2, {"x": 1, "z": 1}),
        result("equal", 2, {"x": 0, "y": 0, "z": 0, "w": 0}, marked=0),
    ]
    ranking, tie = rank(layers, 1)
    assert [(one.id, one.share) for one in ranking] == [("x", 0.625), ("y", 0.25), ("z", 0.25)]
    assert ranking[1].shares == {"a": 0.25}
    assert not tie
    assert rank(layers, 2)[1]
    assert rank(layers[2:], 1) == ((), False)


def test_who_is_left_out_of_one_layer_stays_in_the_others(tmp_path: Path) -> None:
    models = [random_model(seed) for seed in range(8)]
    for one in models:
        one["fc.weight"] = one["fc.weight"][:, :8]
    models[2]["conv1.weight"][0, 0, 1, 1] = np.nan
    models[3]["fc.weight"] = models[3]["fc.weight"][:4]
    del models[4]["conv2.weight"]
    root = write_round(tmp_path, models)
    (root / "p7.safetensors").write_bytes(b"")
    verdict = run(root, "all")
    assert said(verdict) == [
        ("nonfinite", "p2"),
        ("refused", "p7"),
        ("missing-layer", "p4"),
        ("wrong-shape", "p3"),
    ]
    assert [one.status for one in verdict.inputs] == [
        "ok",
        "ok",
        "nonfinite",
        "wrong-shape",
        "missing-layer",
        "ok",
        "ok",
        "refused",
    ]
    assert {one.id: sorted(one.shares) for one in verdict.ranking if len(one.shares) < 3} == {
        "p2": ["conv2.weight", "fc.weight"],
        "p3": ["conv1.weight", "conv2.weight"],
        "p4": ["conv1.weight", "fc.weight"],
    }
    assert [layer.participants for layer in verdict.layers] == [6, 6, 6]
    # What was read is hashed, also where it is not finite.
    assert [sorted(layer.tensor_sha256) for layer in verdict.layers] == [
        ["p0", "p1", "p2", "p3", "p4", "p5", "p6"],
        ["p0", "p1", "p2", "p3", "p5", "p6"],
        ["p0", "p1", "p2", "p4", "p5", "p6"],
    ]
    with pytest.raises(InputError, match=r"p2: 1 NaN in conv1.weight"):
        run(root, "all", strict=True)


def test_the_hash_of_several_layers_is_that_of_their_hashes(root: Path) -> None:
    verdict = run(root, "head", "conv1")
    for one in verdict.inputs:
        own = [hashlib.sha256(model_bytes(root, one.id, name)).hexdigest() for name in ALL[::3]]
        assert [layer.tensor_sha256[one.id] for layer in verdict.layers] == own
        lines = "".join(f"{digest}\n" for digest in own)
        assert one.tensor_sha256 == hashlib.sha256(lines.encode()).hexdigest()
    (layer,) = run(root, "conv1").layers
    digests = {one.id: one.tensor_sha256 for one in run(root, "conv1").inputs}
    assert digests == layer.tensor_sha256


def model_bytes(root: Path, name: str, layer: str) -> bytes:
    from safetensors.numpy import load_file

    return bytes(load_file(root / f"{name}.safetensors")[layer].tobytes())


def test_a_layer_that_is_equal_for_all_counts_for_nobody(tmp_path: Path) -> None:
    models = [random_model(seed, 20.0 if not seed else 1.0) for seed in range(5)]
    for one in models:
        one["conv1.weight"] = models[0]["conv1.weight"]
    verdict = run(write_round(tmp_path, models), "conv?")
    assert [one.detail for one in verdict.findings if one.kind == "degenerate"] == [
        "all 5 updates are equal in conv1.weight: it ranks nobody"
    ]
    assert verdict.ranking == tuple(run(tmp_path, "conv2").ranking)
    assert [layer.marked for layer in verdict.layers] == [0, 32]
    for one in models:
        one["conv2.weight"] = models[0]["conv2.weight"]
    verdict = run(write_round(tmp_path, models), "conv?")
    assert (verdict.ranking, verdict.tie_at_cut) == ((), False)
    assert "cannot be told apart in any of these layers" in audit_table(
        verdict, Paper(width=100, color=False)
    )


def test_a_layer_that_too_few_can_be_scored_in_is_left_out(tmp_path: Path) -> None:
    models = [random_model(seed) for seed in range(4)]
    for one in models[:2]:
        one["conv1.weight"][0] = np.inf
    root = write_round(tmp_path, models)
    verdict = run(root, "conv?")
    assert verdict.method.layers == ("conv2.weight",)
    assert verdict.coverage.layers_examined == 1
    (finding,) = [one for one in verdict.findings if one.kind == "layer-left-out"]
    assert finding.detail.startswith("2 of 4 updates can be scored in conv1.weight")
    assert [one.status for one in verdict.inputs] == ["nonfinite", "nonfinite", "ok", "ok"]
    with pytest.raises(InputError, match=r"2 of 4 updates can be scored in conv1.weight"):
        run(root, "conv1")


@pytest.mark.parametrize(
    ("percent", "k_est"), [(Fraction(20), 3), (Fraction(10), 2), (Fraction("0.1"), 1)]
)
def test_a_percentage_is_of_those_who_are_scored_anywhere(
    tmp_path: Path, percent: Fraction, k_est: int
) -> None:
    """Eleven, of whom ten are scored in the first layer."""
    models = [random_model(seed) for seed in range(11)]
    models[0]["conv1.weight"][0] = np.nan
    root = write_round(tmp_path, models)
    verdict = run(root, "all", k_est=KEst(percent=percent))
    assert verdict.method.k_est == k_est
    assert [layer.marked for layer in verdict.layers] == [
        k_est * layer.fragments for layer in verdict.layers
    ]
    alone = run(root, "conv1", k_est=KEst(percent=percent))
    assert alone.method.k_est == -(-percent * 10 // 100)


def test_a_layer_in_which_k_est_leaves_nobody_is_left_out(tmp_path: Path) -> None:
    models = [random_model(seed) for seed in range(6)]
    models[0]["conv2.weight"][0] = np.nan
    root = write_round(tmp_path, models)
    assert run(root, "conv?", k_est=KEst(number=4)).method.layers == (
        "conv1.weight",
        "conv2.weight",
    )
    verdict = run(root, "conv?", k_est=KEst(number=5))
    assert verdict.method.layers == ("conv1.weight",)
    assert verdict.method.k_est == 5
    (finding,) = (one for one in verdict.findings if one.kind is FindingKind.LAYER_LEFT_OUT)
    message = "5 participants scored in conv2.weight it must be between 1 and 4"
    assert message in finding.detail
    with pytest.raises(InputError, match=message):
        run(root, "conv2", k_est=KEst(number=5))
    with pytest.raises(UsageError, match="k_est is 6; with 6 participants"):
        run(root, "conv?", k_est=KEst(number=6))


def test_a_large_k_est_is_said_once(root: Path) -> None:
    verdict = run(root, "conv*", k_est=KEst(number=3))
    assert said(verdict).count(("large-k-est", None)) == 1


def test_the_values_of_one_layer_are_held_at_a_time(root: Path) -> None:
    held: list[weakref.ref[Any]] = []
    alive = []

    class Watching(Mahalanobis):
        def __call__(
            self,
            fragments: Fragments,
            k_est: int,
            progress: Progress,
            /,
            *,
            keep_distances: bool = False,
        ) -> Marks:
            gc.collect()
            alive.append(sum(one() is not None for one in held))
            values = fragments.load(0, 1)
            held.append(weakref.ref(values if values.base is None else values.base))
            return super().__call__(fragments, k_est, progress, keep_distances=keep_distances)

    verdict = run(root, "all", detector=Watching())
    assert len(verdict.layers) == len(alive) == len(held) == 4
    assert alive == [0] * 4


def test_a_copy_of_a_whole_model_is_said_in_few_lines(tmp_path: Path) -> None:
    names = [f"layer{index}.conv.weight" for index in range(9)]
    models: list[Tensors] = []
    for seed in (0, 1, 2, 3, 3):
        rng = np.random.default_rng(seed)
        models.append({name: rng.standard_normal((2, 2, 3, 3)) for name in names})
    verdict = run(write_round(tmp_path, models), "all")
    assert said(verdict) == [("duplicate", "p4")] * 9
    lines = [
        line
        for line in audit_table(verdict, Paper(width=200, color=False)).splitlines()
        if line.startswith("duplicate")
    ]
    assert len(lines) == 3
    assert "layer0.conv.weight" in lines[0]
    assert lines[2].endswith("byte for byte (and 6 more like it; -f json lists them)")


@pytest.mark.parametrize(
    ("width", "columns"), [(40, False), (65, False), (80, True), (100, True), (200, True)]
)
def test_shares_stand_side_by_side_where_they_fit(width: int, columns: bool) -> None:
    verdict = run(FIXTURES / "attacked", "all")
    table = audit_table(verdict, Paper(width=width, color=False))
    assert max(map(len, table.splitlines())) <= width
    together = " ".join(table.split())
    first = verdict.ranking[0]
    if columns:
        (row,) = [line for line in table.splitlines() if line.startswith(f"   1  {first.id}")]
        shown = [f"{first.shares[layer]:.2f}" for layer in verdict.method.layers]
        assert row.split()[-5:] == [*shown, "suspect"]
        assert "highest in" not in together
    elif width > 40:
        layer = max(first.shares, key=lambda name: first.shares[name])
        assert f"{first.shares[layer]:.3f} {layer.removesuffix('.weight')} suspect" in together
    assert "Coverage: 4 of 8 layers examined" in together
    ascii_table = audit_table(verdict, Paper(width=width, color=False, encoding="ascii"))
    assert ascii_table.isascii()


def test_progress_is_that_of_all_layers(root: Path) -> None:
    told = []
    audit(
        open_round(root),
        AuditSettings(layers=("conv*",)),
        lambda what, done, total: told.append((what, done, total)),
    )
    reading = [one for one in told if one[0].startswith("reading")]
    assert [done for _, done, _ in reading] == list(range(1, 19))
    assert {total for _, _, total in reading} == {18}
