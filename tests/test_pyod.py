"""PyOD's detectors: what they find, how they are chosen, and that a run can be repeated."""

import builtins
import importlib
import json
import os
import random
import re
import sys
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.evaluation import truth_metrics
from ariba_cli.auditing.settings import AuditSettings, KEst
from ariba_cli.base.errors import UsageError
from ariba_cli.base.findings import FindingKind
from ariba_cli.base.parameters import Parameter
from ariba_cli.base.progress import no_progress
from ariba_cli.cli.options.arguments import parse_arguments
from ariba_cli.detectors import DETECTORS, make_detector, make_detectors
from ariba_cli.detectors.declaration import LayerDetector
from ariba_cli.detectors.pyod import DECLARATION
from ariba_cli.reports.audit_json import audit_result
from ariba_cli.reports.audit_table import audit_table
from ariba_cli.reports.text import Paper
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.truth import read_truth
from ariba_cli.scoring.pyod import Estimator, Plan, score
from ariba_cli.scoring.pyod_catalogue import (
    CATALOGUE,
    EXHAUSTIVE,
    NETWORK,
    OF_NO_USE,
    PAIRWISE,
    SWIFT,
    Rows,
)
from ariba_cli.updates.fragments import FragmentLayout, Fragments
from ariba_cli.verdicts.verdict import Verdict
from tests.conftest import FIXTURES, Ariba
from tests.models import random_model, write_flat_round, write_model

Rows64 = npt.NDArray[np.float64]
ATTACKED = FIXTURES / "attacked"


def run(name: str, root: Path = ATTACKED, /, **chosen: Any) -> Verdict:
    """Audit conv2 by a detector; of what is chosen, `fit_sample` is no argument of it."""
    fit_sample = chosen.pop("fit_sample", None)
    detector = make_detector(name, chosen, fit_sample)
    return audit(open_round(root), AuditSettings(layers=("conv2",), detectors=(detector,)))


@dataclass(frozen=True)
class Target:
    """A detector, how it is run, and how well it must do on the attacked fixture."""

    name: str
    least_auc: float
    fit_sample: int | None = None
    arguments: dict[str, Parameter] = field(default_factory=dict)


# LODA and HDBSCAN do not find the compromised: their rows say that they run, and no more.
TARGETS = [
    Target("CBLOF", 1.0, 2_000),
    Target("CD", 1.0),
    Target("COF", 1.0, 100),
    Target("COPOD", 1.0),
    Target("ECOD", 1.0),
    Target("GMM", 1.0, arguments={"n_components": 2}),
    Target("HBOS", 1.0),
    Target("HDBSCAN", 0.0, 500),
    Target("IForest", 1.0, 5_000, {"n_estimators": 50}),
    Target("INNE", 1.0, 2_000, {"n_estimators": 50}),
    Target("KDE", 1.0, 200),
    Target("KNN", 1.0, 2_000),
    Target("LODA", 0.0),
    Target("LOF", 1.0, 1_000),
    Target("MCD", 1.0, 2_000),
    Target("OCSVM", 1.0, 1_000),
    Target("PCA", 1.0),
    Target("QMCD", 1.0, 500),
    Target("Sampling", 1.0),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_every_detector_does_as_well_as_it_is_known_to(target: Target) -> None:
    found = run(f"pyod:{target.name}", fit_sample=target.fit_sample, **target.arguments)
    truth = truth_metrics(found, read_truth(ATTACKED).compromised)
    measured = truth.detectors[f"pyod:{target.name}"]
    assert measured.auc is not None
    assert measured.auc >= target.least_auc
    (layer,) = found.marked_layers
    assert (
        layer.marked == sum(layer.scores.values()) == (found.decision.k_est or 0) * layer.fragments
    )
    assert layer.covariance_rank is None
    parameters = found.deciding.parameters
    default = min(20 * 512, CATALOGUE[target.name].fit_sample)
    assert parameters["fit_sample"] == (target.fit_sample or default)
    assert parameters["contamination"] == 0.2
    assert {key: parameters[key] for key in target.arguments} == target.arguments


# Two that draw from a state of their own, one from torch's, and three that compare what they
# score with each other.
@pytest.mark.parametrize(
    ("name", "arguments", "fit_sample"),
    [
        ("LODA", {}, None),
        ("IForest", {"n_estimators": 20}, 1_000),
        ("SO_GAAL", {"stop_epochs": 1}, 60),
        ("ECOD", {}, 1_000),
        ("COF", {}, 100),
        ("CD", {}, 300),
    ],
)
def test_a_second_run_under_another_order_of_files_gives_the_same(
    name: str,
    arguments: dict[str, Parameter],
    fit_sample: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = run(f"pyod:{name}", fit_sample=fit_sample, **arguments)
    random.seed(5)
    np.random.seed(5)
    listdir = os.listdir

    def shuffled(path: Path) -> list[str]:
        return random.Random(3).sample(names := listdir(path), len(names))

    monkeypatch.setattr(os, "listdir", shuffled)
    found = run(f"pyod:{name}", fit_sample=fit_sample, **arguments)
    assert audit_result(found) == audit_result(expected)


def test_what_is_drawn_from_global_randomness_is_seeded() -> None:
    import torch

    class Drawing(Distance):
        def decision_function(self, rows: Rows64, /) -> npt.NDArray[np.floating]:
            drawn = np.random.rand(len(rows)) * float(torch.rand(1)) * random.random()
            return np.asarray(drawn)

    found = []
    for seed in (1, 2):
        for start in (random.seed, np.random.seed, torch.manual_seed):
            start(seed)
        found.append(score(layer(), 2, plan(Drawing()), no_progress))
    assert found[0].cut_distance == found[1].cut_distance
    assert found[0].scores.tolist() == found[1].scores.tolist()


def global_randomness() -> list[object]:
    import torch

    numpy_state = np.random.get_state(legacy=False)
    return [random.getstate(), str(numpy_state), torch.get_rng_state().tolist()]


def test_global_randomness_is_left_as_it_was() -> None:
    before = global_randomness()
    run("pyod:SO_GAAL", fit_sample=60, stop_epochs=1)
    assert global_randomness() == before


def test_another_seed_draws_another_sample() -> None:
    cuts = [
        run("pyod:PCA", fit_sample=200, random_state=seed).marked_layers[0].cutoff_distance
        for seed in (0, 0, 1)
    ]
    assert cuts[0] == cuts[1] != cuts[2]


@dataclass
class Distance:
    """Scores rows by themselves: their distance to the middle of what it was fitted on."""

    exponent: int = 0

    def fit(self, rows: Rows64, /) -> object:
        self.fitted = rows.copy()
        self.middle = rows.mean(axis=0)
        self.scored: list[int] = []
        return self

    def decision_function(self, rows: Rows64, /) -> npt.NDArray[np.floating]:
        self.scored.append(len(rows))
        print("what a library prints")
        warnings.warn("what a library warns of", stacklevel=1)
        return np.asarray(np.abs(rows - self.middle).sum(axis=1))


def plan(
    estimator: Estimator, fit_sample: int = 50, chunk: int = 10**6, *, spread: bool = False
) -> Plan:
    return Plan("pyod:Test", lambda: estimator, fit_sample, chunk, spread, seed=0)


def layer(scale: float = 1.0) -> Fragments:
    values = scale * np.random.default_rng(1).standard_normal((7, 3 * 101))
    return Fragments(list(values), FragmentLayout(101, 3))


@pytest.mark.parametrize("spread", [False, True])
@pytest.mark.parametrize("chunk", [1, 30, 100, 7 * 101])
def test_scoring_in_chunks_is_scoring_at_once(chunk: int, spread: bool) -> None:
    whole, parts = Distance(), Distance()
    expected = score(layer(), 2, plan(whole), no_progress)
    found = score(layer(), 2, plan(parts, chunk=chunk, spread=spread), no_progress)
    assert found.scores.tolist() == expected.scores.tolist()
    assert (found.cut_distance, found.marked) == (expected.cut_distance, 2 * 101)
    assert whole.scored == [7 * 101]
    assert sum(parts.scored) == 7 * 101
    assert max(parts.scored) <= max(chunk, 7)
    # No run is much shorter than the others.
    assert max(parts.scored) - min(parts.scored) <= 7


def test_the_sample_is_drawn_from_all_fragments_without_replacement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ariba_cli.scoring.pyod._BLOCK_VALUES", 7 * 3 * 10)
    estimator = Distance()
    score(layer(), 2, plan(estimator, fit_sample=300), no_progress)
    rows = layer().centred(0, 101).reshape(-1, 3)
    scale = np.unique(np.log2(np.abs(estimator.fitted).max() / np.abs(rows).max()).round())
    known = {tuple(row) for row in (rows * 2 ** scale[0])}
    fitted = {tuple(row) for row in estimator.fitted}
    assert len(fitted) == 300
    assert fitted <= known


@pytest.mark.parametrize("scale", [2.0**-900, 2.0**-10, 2.0**60])
def test_the_scale_of_the_weights_does_not_matter(scale: float) -> None:
    """Kernels of some width see the same, and float32 is wide enough."""
    expected, found = (
        score(layer(factor), 2, plan(Distance()), no_progress) for factor in (1.0, scale)
    )
    assert (found.scores.tolist(), found.cut_distance) == (
        expected.scores.tolist(),
        expected.cut_distance,
    )
    estimator = Distance()
    score(layer(scale), 2, plan(estimator, fit_sample=700), no_progress)
    assert 0.5 <= np.sqrt(np.square(estimator.fitted).mean()) < 1


def test_what_is_done_is_told_with_how_much_is_left() -> None:
    told: list[tuple[str, int, int]] = []
    score(layer(), 2, plan(Distance(), chunk=400), lambda *step: told.append(step))
    assert told == [
        ("fitting pyod:Test on 50 fragments", 0, 1),
        ("scoring by pyod:Test", 0, 707),
        ("scoring by pyod:Test", 350, 707),
        ("scoring by pyod:Test", 707, 707),
    ]


def test_what_a_library_says_is_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    score(layer(), 2, plan(Distance()), no_progress)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", [ValueError, MemoryError, ZeroDivisionError])
def test_what_a_detector_cannot_do_is_one_line(kind: type[Exception]) -> None:
    @dataclass
    class Broken(Distance):
        fails: str = "fit"

        def fit(self, rows: Rows64, /) -> object:
            if self.fails == "fit":
                raise kind("not\nlike this.")
            return super().fit(rows)

        def decision_function(self, _: Rows64, /) -> npt.NDArray[np.floating]:
            raise kind("nor this")

    for fails, words in (("fit", "be fitted on 50"), ("score", "score 707")):
        with pytest.raises(UsageError) as raised:
            score(layer(), 2, plan(Broken(fails=fails)), no_progress)
        message = str(raised.value)
        assert message.startswith(f"pyod:Test cannot {words} fragments: {kind.__name__}: no")
        assert "another detector (ariba audit --list-detectors)" in message
        assert "\n" not in message


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_no_numbers_are_refused(value: float) -> None:
    class Overflowing(Distance):
        def decision_function(self, rows: Rows64, /) -> npt.NDArray[np.floating]:
            scores = super().decision_function(rows).copy()
            scores[3] = value
            return scores

    with pytest.raises(UsageError, match="gives 1 of 707 fragments a score that is not finite"):
        score(layer(), 2, plan(Overflowing()), no_progress)


def test_values_that_never_differ_are_the_hint_where_they_are_the_reason() -> None:
    class Dividing(Distance):
        def decision_function(self, rows: Rows64, /) -> npt.NDArray[np.floating]:
            with np.errstate(invalid="ignore", divide="ignore"):
                found: npt.NDArray[np.floating] = (rows / rows.std(axis=0)).sum(axis=1)
            return found

    values = np.random.default_rng(1).standard_normal((7, 3 * 101))
    values[:, 1::3] = 2.0
    fragments = Fragments(list(values), FragmentLayout(101, 3))
    with pytest.raises(UsageError, match=r"1 of the 3 values .* --detector-arg n_components=2 i"):
        score(fragments, 2, plan(Dividing()), no_progress)


def test_equal_updates_and_equal_scores_are_a_finding_and_no_ranking(tmp_path: Path) -> None:
    class Indifferent(Distance):
        def decision_function(self, rows: Rows64, /) -> npt.NDArray[np.floating]:
            return np.ones(len(rows))

    assert score(layer(), 2, plan(Indifferent()), no_progress).marked == 0
    for index in range(4):
        write_model(tmp_path / f"p{index}.safetensors", random_model(1))
    equal = run("pyod:ECOD", tmp_path)
    detector = LayerDetector(
        replace(DECLARATION, name="pyod:Test"),
        lambda fragments, k_est, progress, /, *, keep_distances: score(
            fragments, k_est, plan(Indifferent()), progress, keep_distances=keep_distances
        ),
        {},
    )
    settings = AuditSettings(layers=("conv2",), detectors=(detector,))
    alike = audit(open_round(ATTACKED), settings)
    for verdict, detail in (
        (equal, "all 4 updates are equal in conv2.weight"),
        (alike, "pyod:Test scores all fragments of conv2.weight alike"),
    ):
        assert verdict.ranking == ()
        (finding,) = [f for f in verdict.findings if f.kind is FindingKind.DEGENERATE]
        assert detail in finding.detail
        assert "nobody is ranked" in " ".join(
            audit_table(verdict, Paper(100, color=False)).lower().split()
        )


def test_margins_of_scores_below_zero_are_shares() -> None:
    class Negative(Distance):
        def decision_function(self, rows: Rows64, /) -> npt.NDArray[np.floating]:
            return super().decision_function(rows) - 1000

    assert 0 < score(layer(), 2, plan(Negative()), no_progress).cut_margin < 0.01


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("pyod:ecodd", "did you mean 'pyod:ECOD'"),
        ("pyod:IsolationForest", "'pyod:IForest'"),
        ("pyod:auto-encoder", "'pyod:AutoEncoder'"),
        ("pyod:zzzz", "unknown detector of PyOD 'zzzz' \\(ariba audit"),
        ("pyod:", "name a detector of PyOD, such as pyod:ECOD"),
        ("ecod", "unknown detector 'ecod'"),
        ("mahalanobis:x", "unknown detector 'mahalanobis:x'"),
        ("pyod:xgbod", "pyod:XGBOD cannot be used: it learns from labels"),
        ("pyod:DevNet", "learns from labels"),
        ("pyod:LSCP", "combines other detectors"),
        ("pyod:DOMINANT", "is for graphs"),
    ],
)
def test_a_detector_that_is_not_there_has_a_suggestion(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        make_detector(name)


def test_names_are_known_in_any_case() -> None:
    for name in ("pyod:iforest", "pyod:IFOREST"):
        assert make_detector(name).declaration.name == "pyod:IForest"


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("numba", "pyod:HBOS needs the package 'numba', which is not installed"),
        ("pyod", "pyod:HBOS needs the package 'pyod', which is not installed"),
        ("pyod.models.hbos", "the installed version of PyOD has no HBOS; install a newer one"),
    ],
)
def test_a_missing_package_is_named(
    missing: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(name: str, *rest: object) -> object:
        if name == missing or name.startswith(f"{missing}."):
            raise ModuleNotFoundError(f"No module named '{missing}'", name=missing)
        return imported(name, *rest)  # type: ignore[arg-type]

    def module_without(name: str) -> object:
        without(name)
        return sys.modules[name]

    imported = builtins.__import__
    for name in [name for name in sys.modules if name.split(".")[:3] == ["pyod", "models", "hbos"]]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    if missing.startswith("pyod"):
        monkeypatch.setattr(importlib, "import_module", module_without)
    with pytest.raises(UsageError, match=message):
        make_detector("pyod:HBOS")


def test_arguments_that_a_detector_does_not_take_are_refused() -> None:
    with pytest.raises(
        UsageError, match=r"takes no argument 'n_neighbours'; it takes contam.*, n_neighbors"
    ):
        make_detector("pyod:KNN", {"n_neighbours": 3})
    with pytest.raises(UsageError, match="mahalanobis takes no argument 'k'; it takes none"):
        make_detector("mahalanobis", {"k": 3})
    with pytest.raises(UsageError, match="mahalanobis does not take --fit-sample"):
        make_detector("mahalanobis", fit_sample=100)
    with pytest.raises(
        UsageError, match="cannot be fitted on 100 fragments: InvalidParameterError"
    ):
        run("pyod:GMM", fit_sample=100, n_components=0)
    with pytest.raises(UsageError, match="random_state must be an integer from 0"):
        run("pyod:PCA", random_state="x")


def test_arguments_are_read_as_what_they_look_like() -> None:
    texts = ["a=3", "b=-0.5", "c=1e-3", "d=true", "e=None", "f=auto", "g=", "h=a=b", "i=nan"]
    assert parse_arguments(texts, "--detector-arg", "k=1") == {
        "a": 3,
        "b": -0.5,
        "c": 0.001,
        "d": True,
        "e": None,
        "f": "auto",
        "g": "",
        "h": "a=b",
        "i": "nan",
    }
    for text in ("a", "=3", "a b=3", "a=1e999"):
        with pytest.raises(UsageError):
            parse_arguments([text], "--detector-arg", "k=1")
    with pytest.raises(UsageError, match="'a' twice"):
        parse_arguments(["a=1", "a=2"], "--detector-arg", "k=1")


def test_contamination_is_the_share_of_suspects_and_at_most_a_half() -> None:
    for k_est, contamination in ((2, 0.1), (10, 0.5), (15, 0.5)):
        settings = AuditSettings(
            layers=("conv2",), k_est=KEst.parse(k_est), detectors=(make_detector("pyod:PCA"),)
        )
        found = audit(open_round(ATTACKED), settings)
        assert found.deciding.parameters["contamination"] == contamination
        assert found.marked_layers[0].marked == k_est * 512


def test_a_detector_of_one_value_wants_such_fragments() -> None:
    with pytest.raises(
        UsageError, match="takes fragments of one value, and these have 9; try --fr"
    ):
        run("pyod:MAD")
    settings = AuditSettings(
        layers=("fc1",), fragment="block:1", detectors=(make_detector("pyod:MAD"),)
    )
    assert audit(open_round(ATTACKED), settings).marked_layers[0].dimension == 1


def test_fit_samples_by_default_are_smaller_where_each_fragment_costs_more() -> None:
    for label, known in CATALOGUE.items():
        assert known.fit_sample in (SWIFT, PAIRWISE, NETWORK, EXHAUSTIVE), label
        if known.rows is Rows.TOGETHER:
            assert known.fit_sample <= PAIRWISE, label
        if "torch" in known.needs:
            assert known.fit_sample <= NETWORK, label
    assert SWIFT > PAIRWISE > NETWORK > EXHAUSTIVE


@pytest.mark.parametrize(
    ("name", "fit_sample", "fitted"),
    [
        ("PCA", None, 20 * 512),
        ("KNN", None, PAIRWISE),
        ("COF", 100, 100),
        ("PCA", 10**6, 20 * 512),
    ],
)
def test_the_fit_sample_is_what_is_asked_for_as_far_as_there_are_fragments(
    name: str, fit_sample: int | None, fitted: int
) -> None:
    found = run(f"pyod:{name}", fit_sample=fit_sample)
    assert found.deciding.parameters["fit_sample"] == fitted
    assert found.method.requested.detectors[0].fit_sample == fit_sample


def test_detectors_that_compare_what_they_score_get_as_much_as_was_fitted() -> None:
    assert [CATALOGUE[name].chunk(700) for name in ("COF", "PCA", "ECOD")] == [
        700,
        Rows.APART.value,
        Rows.WITH_SAMPLE.value,
    ]


def test_the_list_has_every_detector_by_name_with_its_cost(ariba: Ariba) -> None:
    done = ariba("audit", "--list-detectors")
    assert (done.returncode, done.stderr) == (0, b"")
    starts = re.findall(r"^\S+", done.stdout.decode(), flags=re.MULTILINE)
    assert [name for name in starts if name in DETECTORS or name.startswith("pyod:")] == [
        *(name for name in DETECTORS if name != "pyod"),
        *(f"pyod:{name}" for name in sorted(CATALOGUE, key=str.lower)),
    ]
    said = " ".join(done.stdout.decode().split())
    assert "pyod:FeatureBagging" in said
    assert all(name in said for name in OF_NO_USE)


def test_every_detector_of_pyod_is_known() -> None:
    """A new version that has more of them must be looked at."""
    import pyod.models

    (folder,) = map(Path, pyod.models.__path__)
    classes = set()
    for path in folder.glob("[!_]*.py"):
        text = path.read_text(encoding="utf-8")
        classes.update(re.findall(r"^class (\w+)\(\w*Detector\b", text, flags=re.MULTILINE))
    classes -= {"BaseDeepLearningDetector"}
    assert CATALOGUE.keys() <= classes <= {*CATALOGUE, *OF_NO_USE}
    for label, known in CATALOGUE.items():
        assert f"class {label}(" in (folder / f"{known.module}.py").read_text(encoding="utf-8")


def test_the_reports_say_what_was_done_and_that_machines_may_differ(ariba: Ariba) -> None:
    command = ["audit", ATTACKED, "--layer", "conv2", "--detector", "pyod:ecod"]
    command += ["--fit-sample", "2000"]
    found = json.loads(ariba(*command, "--detector-arg", "n_jobs=1", "-f", "json").stdout)
    assert found["result"]["decision"]["detector"] == "pyod:ECOD"
    (detector,) = found["result"]["detectors"]
    assert detector["name"] == "pyod:ECOD"
    assert detector["same_on_every_machine"] is False
    assert detector["parameters"] == {
        "contamination": 0.2,
        "fit_sample": 2000,
        "n_jobs": 1,
        "random_state": 0,
    }
    assert detector["layers"][0]["covariance_rank"] is None
    assert {"pyod", "sklearn", "scipy"} <= set(found["run"]["libraries"])
    shown = ariba(*command, "-v")
    said = " ".join(shown.stdout.decode().split())
    assert "pyod:ECOD fitted on 2,000 fragments" in said
    assert "rank" not in said.partition("rank participant")[0]
    assert "another machine may mark other fragments" in said
    assert b"marked from decision score " in shown.stderr


def test_a_round_of_few_fragments_can_be_scored(tmp_path: Path) -> None:
    write_flat_round(tmp_path, 6)
    found = run("pyod:COPOD", tmp_path)
    assert found.ranking[0].id == "p0"
    assert found.deciding.parameters["fit_sample"] == 6 * 32


def test_all_layers_are_scored_each_by_itself() -> None:
    detectors = (make_detector("pyod:COPOD"),)
    found = audit(open_round(ATTACKED), AuditSettings(detectors=detectors))
    assert [layer.layer for layer in found.marked_layers] == list(found.method.layers)
    assert len(found.marked_layers) == 4
    alone = run("pyod:COPOD").marked_layers[0]
    assert alone in found.marked_layers


def test_a_detector_of_pyod_stands_beside_others() -> None:
    detectors = make_detectors(
        ["mahalanobis", "norm", "pyod:KNN"], {"n_neighbors": 3}, fit_sample=500
    )
    settings = AuditSettings(layers=("conv2",), detectors=detectors)
    found = audit(open_round(ATTACKED), settings)
    assert found.decision.detector == "mahalanobis"
    own = {one.name: one for one in found.detectors}["pyod:KNN"]
    assert own.parameters["fit_sample"] == 500
    assert own.parameters["n_neighbors"] == 3
    alone = run("pyod:KNN", fit_sample=500, n_neighbors=3)
    assert own == alone.deciding


@pytest.mark.parametrize(
    ("names", "arguments", "fit_sample", "message"),
    [
        (["norm", "pyod:KNN"], {"neighbors": 3}, None, "none of norm, pyod:KNN takes .*'neigh"),
        (["norm", "krum"], {}, 100, "--fit-sample needs a detector of PyOD"),
        (["pyod:KNN", "pyod:KNN"], {}, None, "a detector is given twice"),
        (["pyod:KNN", "pyod:knn"], {}, None, "a detector is given twice"),
        ([], {}, None, "name at least one detector"),
    ],
)
def test_what_fits_none_of_several_detectors_is_refused(
    names: list[str], arguments: dict[str, Parameter], fit_sample: int | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make_detectors(names, arguments, fit_sample)
