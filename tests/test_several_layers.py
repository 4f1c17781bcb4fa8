"""Several layers: which are meant, each scored by itself, and one ranking of all."""

import gc
import hashlib
import weakref
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.decisions import top_k
from ariba_cli.auditing.evaluation import truth_metrics
from ariba_cli.auditing.ranking import scores_of_marks
from ariba_cli.auditing.settings import AuditSettings, KEst
from ariba_cli.auditing.stability import LayerCounts, stability_of
from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.base.findings import FindingKind
from ariba_cli.base.progress import Progress
from ariba_cli.detectors import make_detector, make_detectors
from ariba_cli.detectors.declaration import LayerDetector
from ariba_cli.reports.audit_table import audit_table
from ariba_cli.reports.text import Paper
from ariba_cli.rounds.directory import open_round
from ariba_cli.scoring.marks import Marks
from ariba_cli.updates.fragments import Fragments
from ariba_cli.verdicts.verdict import MarkedLayer, Verdict
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


ALL = ["conv1.weight", "conv2.weight", "conv10.weight", "head.weight", "wide.weight"]


@pytest.mark.parametrize(
    ("asked", "found", "how"),
    [
        ([], ALL, "all"),
        (["conv2"], ["conv2.weight"], "named"),
        (["conv10", "module.conv1"], ["conv1.weight", "conv10.weight"], "named"),
        (["conv2", "conv2.weight", "model.conv2"], ["conv2.weight"], "named"),
        (["conv*"], ALL[:3], "pattern"),
        (["conv?"], ALL[:2], "pattern"),
        (["*.weight"], ALL, "pattern"),
        (["wide"], ALL[4:], "named"),
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
    assert [layer.layer for layer in verdict.marked_layers] == found
    assert verdict.method.layer_choice == how


@pytest.mark.parametrize(
    ("asked", "fragment", "message"),
    [
        ("CONV*", None, r"matches 'CONV\*' \(ariba inspect "),
        ("bn1.*", None, r"matches 'bn1\.\*'; layer 'bn1.weight' of shape 4 has no row"),
        ("wide*", "row", "2,501 values.*try --fragment block:64"),
        ("bn1.running*", None, "matches 'bn1.running"),
        ("head*", "kernel", "no kernel fragments; use --fragment row"),
        ("all", "nothing", "unknown fragment 'nothing'"),
        ("all", "block:x", "lacks a block size"),
        ("head.bias", None, "use --fragment block:D"),
        ("wide", "row", "try --fragment block:64"),
        ("conv[", None, r"have no layer 'conv\['"),
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
    ("fragment", "found"),
    [
        (None, ALL),
        ("kernel", ALL[:3]),
        ("row", ALL[3:4]),
        ("block:3", [*ALL[:2], "bn1.weight", *ALL[2:], "head.bias"]),
    ],
)
@pytest.mark.parametrize("asked", [["all"], []])
def test_all_takes_what_the_fragment_fits(
    root: Path, asked: list[str], fragment: str | None, found: list[str]
) -> None:
    verdict = run(root, *asked, fragment=fragment)
    assert sorted(verdict.method.layers) == sorted(found)
    assert verdict.method.requested.fragment == fragment
    assert verdict.coverage.layers_examined == len(found)
    sizes = {name: int(np.prod(shape)) for name, shape in SHAPES.items()}
    assert verdict.coverage.parameters_examined == sum(sizes[name] for name in found)
    wide = [finding.detail for finding in verdict.findings if finding.kind == "layer-left-out"]
    assert len(wide) == (fragment == "row")
    assert all("wide.weight" in detail and "block:64" in detail for detail in wide)


def test_by_default_each_layer_is_cut_as_its_shape_is(root: Path) -> None:
    verdict = run(root)
    assert [layer.fragment for layer in verdict.marked_layers] == [
        "kernel",
        "kernel",
        "kernel",
        "row",
        "block:64",
    ]
    wide = verdict.marked_layers[-1]
    assert (wide.fragments, wide.dimension, wide.left_out) == (78, 64, 10)
    assert [layer.fragment for layer in run(root, "conv*", fragment="filter").marked_layers] == [
        "filter"
    ] * 3


def test_whole_updates_are_compared_in_layers_that_no_fragment_fits(root: Path) -> None:
    detectors = make_detectors(["krum", "mahalanobis"])
    verdict = run(root, detectors=detectors)
    names = {name for name in SHAPES if name != "bn1.running_mean"}
    assert set(verdict.method.layers) == names
    assert verdict.coverage.parameters_examined == verdict.coverage.parameters_total
    krum, marks = verdict.detectors
    assert set(krum.scores[0].by_layer) == names
    assert [layer.layer for layer in marks.layers] == ALL
    assert marks.scores == run(root).deciding.scores
    assert set(run(root, detectors=detectors[1:]).method.layers) == set(ALL)
    # A layer that is named has to fit what looks at fragments.
    with pytest.raises(UsageError, match="use --fragment block:D"):
        run(root, "head.bias", detectors=detectors)
    assert run(root, "head.bias", detectors=detectors[:1]).method.layers == ("head.bias",)


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
    verdict = run(FIXTURES / "attacked", k_est=KEst.parse(4))
    cuts = {"conv1.weight": (16, 9), "conv2.weight": (512, 9), "fc2.weight": (10, 32)}
    assert len(verdict.layers) == len(verdict.marked_layers) == 4
    for examined, layer in zip(verdict.layers, verdict.marked_layers, strict=True):
        alone = run(FIXTURES / "attacked", layer.layer, k_est=KEst.parse(4))
        assert alone.layers == (examined,)
        assert alone.marked_layers == (layer,)
        if layer.layer in cuts:
            tensors = [tensors[layer.layer] for tensors in models]
            expected = oracle(tensors, *cuts[layer.layer], 4)
            assert list(layer.scores.values()) == expected.scores


def test_the_ranking_is_by_the_exact_mean_share() -> None:
    verdict = run(FIXTURES / "attacked")
    layers = verdict.marked_layers
    exact = {
        one.id: sum(Fraction(layer.scores[one.id], layer.fragments) for layer in layers) / 4
        for one in verdict.ranking
    }
    order = sorted(exact, key=lambda name: (-exact[name], name))
    assert [one.id for one in verdict.ranking] == order
    for one, score in zip(verdict.ranking, verdict.deciding.scores, strict=True):
        assert (one.id, one.score, one.share) == (score.id, score.score, score.share)
        assert one.share == float(exact[one.id])
        assert one.score == sum(layer.scores[one.id] for layer in layers)
        assert score.by_layer == {
            layer.layer: layer.scores[one.id] / layer.fragments for layer in layers
        }
    assert {one.id for one in verdict.ranking[:2]} == {"p15", "p18"}
    found = truth_metrics(verdict, ["p15", "p18"]).detectors["mahalanobis"]
    assert found.confidence == pytest.approx(float(exact["p15"] + exact["p18"]) / 2)


def result(layer: str, fragments: int, scores: dict[str, int], *, marked: int = 1) -> MarkedLayer:
    n = len(scores)
    return MarkedLayer(layer, "row", n, fragments, 1, 0, marked, 1, 1.0, 0.0, scores)


def counts(layer: str, fragments: int, scores: dict[str, list[int]]) -> LayerCounts:
    by_k_est = np.array(list(scores.values())).T
    k_ests = np.arange(1, 1 + len(by_k_est))
    return LayerCounts(layer, fragments, tuple(scores), k_ests, by_k_est)


def test_shares_that_are_equal_tie_though_their_floats_differ() -> None:
    """1/10 + 2/10 is 3/10 + 0, and not so in floats."""
    one = result("a", 10, {"x": 1, "y": 3, "z": 6})
    other = result("b", 10, {"x": 2, "y": 0, "z": 8})
    scores = scores_of_marks([one, other])
    assert [score.id for score in scores] == ["z", "x", "y"]
    assert scores[1].share == scores[2].share == 0.15
    counted = [
        counts("a", 10, {"x": [1, 1], "y": [3, 3], "z": [6, 6]}),
        counts("b", 10, {"x": [2, 2], "y": [0, 0], "z": [8, 8]}),
    ]
    for k_est, suspects, tie in ((2, ["z", "x"], True), (1, ["z"], False)):
        _, margin = stability_of(counted, suspects, k_est)
        decision, ranking = top_k("mahalanobis", scores, k_est, margin)
        assert decision.tie_at_cutoff == tie
        assert [ranked.id for ranked in ranking if ranked.suspect] == suspects


def test_a_share_is_the_mean_of_the_layers_in_which_one_is_scored() -> None:
    layers = [
        result("a", 4, {"x": 3, "y": 1, "z": 0}),
        result("b", 2, {"x": 1, "z": 1}),
        result("equal", 2, {"x": 0, "y": 0, "z": 0, "w": 0}, marked=0),
    ]
    scores = scores_of_marks(layers)
    assert [(one.id, one.share) for one in scores] == [("x", 0.625), ("y", 0.25), ("z", 0.25)]
    assert scores[1].by_layer == {"a": 0.25}
    counted = [
        counts("a", 4, {"x": [3, 3], "y": [1, 1], "z": [0, 0]}),
        counts("b", 2, {"x": [1, 1], "z": [1, 1]}),
    ]
    margins = [stability_of(counted, [], k_est)[1] for k_est in (1, 2)]
    assert margins == [0.375, 0]
    assert scores_of_marks(layers[2:]) == ()
    decision, ranking = top_k("mahalanobis", (), 1, 0.0)
    assert (ranking, decision.tie_at_cutoff) == ((), False)


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
        ("few-fragments", None),
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
    scores = verdict.deciding.scores
    assert {one.id: sorted(one.by_layer) for one in scores if len(one.by_layer) < 3} == {
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


def spoiled_round(root: Path, count: int, bad: Sequence[tuple[int, str]]) -> Path:
    """Random models, in which some layers of some participants are not finite."""
    models = [random_model(seed, 20.0 if not seed else 1.0) for seed in range(count)]
    for index, layer in bad:
        models[index][layer][0] = np.nan
    return write_round(root, models)


def test_a_whole_update_is_compared_where_every_layer_of_it_is_there(tmp_path: Path) -> None:
    root = spoiled_round(tmp_path, 7, [(2, "conv1.weight"), (3, "fc.weight")])
    verdict = run(
        root, detectors=make_detectors(["median-distance", "mahalanobis"]), k_est=KEst.parse("20%")
    )
    whole, marks = verdict.detectors
    assert sorted(whole.ids) == ["p0", "p1", "p4", "p5", "p6"]
    assert sorted(marks.ids) == ["p0", "p1", "p2", "p3", "p4", "p5", "p6"]
    assert verdict.decision.k_est == len(verdict.suspects) == 2
    assert verdict.ranking[0].id == "p0"
    assert [layer.participants for layer in verdict.layers] == [6, 7, 6]
    detectors = make_detectors(["median-distance"])
    message = "k_est is 5; with 5 participants scored in all layers it must be between 1 and 4"
    with pytest.raises(UsageError, match=message):
        run(root, detectors=detectors, k_est=KEst.parse(5))
    conv2 = run(root, "conv2", detectors=detectors, k_est=KEst.parse(5))
    assert len(conv2.ranking) == 7


def test_whole_updates_need_three_who_are_in_all_layers(tmp_path: Path) -> None:
    bad = [(0, "conv1.weight"), (1, "conv1.weight"), (2, "fc.weight"), (3, "fc.weight")]
    root = spoiled_round(tmp_path, 6, bad)
    with pytest.raises(InputError, match="2 participants can be scored in all 3 layers"):
        run(root, detectors=make_detectors(["mahalanobis", "krum"]))
    assert len(run(root).ranking) == 6


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
        "all 5 updates are equal in conv1.weight, so it ranks nobody"
    ]
    assert verdict.ranking == run(tmp_path, "conv2").ranking
    assert [layer.layer for layer in verdict.layers] == ["conv1.weight", "conv2.weight"]
    assert [(layer.layer, layer.marked) for layer in verdict.marked_layers] == [
        ("conv2.weight", 32)
    ]
    for one in models:
        one["conv2.weight"] = models[0]["conv2.weight"]
    verdict = run(write_round(tmp_path, models), "conv?")
    assert (verdict.ranking, verdict.decision.tie_at_cutoff) == ((), False)
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


@pytest.mark.parametrize(("percent", "k_est"), [("20%", 3), ("10%", 2), ("0.1%", 1)])
@pytest.mark.parametrize("asked", [["all"], []])
def test_a_percentage_is_of_those_who_are_scored_anywhere(
    tmp_path: Path, asked: list[str], percent: str, k_est: int
) -> None:
    """Eleven, of whom ten are scored in the first layer."""
    models = [random_model(seed) for seed in range(11)]
    models[0]["conv1.weight"][0] = np.nan
    root = write_round(tmp_path, models)
    verdict = run(root, *asked, k_est=KEst.parse(percent))
    assert verdict.decision.k_est == len(verdict.suspects) == k_est
    assert verdict.method.requested.k_est == percent
    assert [layer.marked for layer in verdict.marked_layers] == [
        k_est * layer.fragments for layer in verdict.marked_layers
    ]
    alone = run(root, "conv1", k_est=KEst.parse(percent))
    assert alone.decision.k_est == -(-Fraction(percent.removesuffix("%")) * 10 // 100)


def test_a_layer_in_which_k_est_leaves_nobody_is_left_out(tmp_path: Path) -> None:
    models = [random_model(seed) for seed in range(6)]
    models[0]["conv2.weight"][0] = np.nan
    root = write_round(tmp_path, models)
    assert run(root, "conv?", k_est=KEst.parse(4)).method.layers == (
        "conv1.weight",
        "conv2.weight",
    )
    verdict = run(root, "conv?", k_est=KEst.parse(5))
    assert verdict.method.layers == ("conv1.weight",)
    assert verdict.decision.k_est == 5
    (finding,) = (one for one in verdict.findings if one.kind is FindingKind.LAYER_LEFT_OUT)
    message = "5 participants scored in conv2.weight it must be between 1 and 4"
    assert message in finding.detail
    with pytest.raises(InputError, match=message):
        run(root, "conv2", k_est=KEst.parse(5))
    with pytest.raises(UsageError, match="k_est is 6; with 6 participants"):
        run(root, "conv?", k_est=KEst.parse(6))


def test_a_large_k_est_is_said_once(root: Path) -> None:
    verdict = run(root, "conv*", k_est=KEst.parse(3))
    assert said(verdict).count(("large-k-est", None)) == 1


def test_the_values_of_one_layer_are_held_at_a_time(root: Path) -> None:
    held: list[weakref.ref[Any]] = []
    alive = []

    usual = make_detector("mahalanobis")
    assert isinstance(usual, LayerDetector)

    def watching(
        fragments: Fragments, k_est: int, progress: Progress, /, *, keep_distances: bool
    ) -> Marks:
        gc.collect()
        alive.append(sum(one() is not None for one in held))
        values = fragments.load(0, 1)
        held.append(weakref.ref(values if values.base is None else values.base))
        return usual.mark(fragments, k_est, progress, keep_distances=keep_distances)

    verdict = run(root, detectors=(replace(usual, mark=watching), make_detector("krum")))
    assert len(verdict.marked_layers) == 5
    # One is far out, and the others are scored again without it.
    assert len(alive) == len(held) == 2 * 5
    assert not any(alive)


def test_a_copy_of_a_whole_model_is_said_in_few_lines(tmp_path: Path) -> None:
    names = [f"layer{index}.conv.weight" for index in range(9)]
    models: list[Tensors] = []
    for seed in (0, 1, 2, 3, 3):
        rng = np.random.default_rng(seed)
        models.append({name: rng.standard_normal((3, 3, 3, 3)) for name in names})
    verdict = run(write_round(tmp_path, models), "all")
    assert said(verdict) == [("duplicate", None)] * 9
    copies = [one for one in verdict.findings if one.kind is FindingKind.DUPLICATE]
    assert [one.layer for one in copies] == names
    assert {one.group for one in copies} == {("p3", "p4")}
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
    verdict = run(FIXTURES / "attacked")
    table = audit_table(verdict, Paper(width=width, color=False))
    assert max(map(len, table.splitlines())) <= width
    together = " ".join(table.split())
    first = verdict.deciding.scores[0]
    if columns:
        (row,) = [line for line in table.splitlines() if line.startswith(f"   1  {first.id}")]
        shown = [f"{first.by_layer[layer]:.2f}" for layer in verdict.method.layers]
        assert row.split()[-5:] == [*shown, "suspect"]
        assert "highest in" not in together
    elif width > 40:
        layer = max(first.by_layer, key=lambda name: first.by_layer[name])
        assert f"{first.by_layer[layer]:.3f} {layer.removesuffix('.weight')} suspect" in together
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


def test_the_coverage_is_that_of_the_detector_that_decides() -> None:
    """Whole updates have biases, too; fragments are not cut from them."""
    for names, examined in ((["mahalanobis", "krum"], 4), (["krum", "mahalanobis"], 8)):
        settings = AuditSettings(detectors=make_detectors(names))
        verdict = audit(open_round(FIXTURES / "attacked"), settings)
        assert len(verdict.layers) == 8
        assert verdict.coverage.layers_examined == examined
