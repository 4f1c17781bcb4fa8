"""The quality of a model: on the data of its run, by class, and with backdoors."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import numpy.typing as npt
import pytest

from ariba_cli.attacks.backdoor import backdoor_images
from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.attacks.triggers import TRIGGERS, Aim
from ariba_cli.base.errors import AribaError, InputError, UsageError
from ariba_cli.cli.output import Stopwatch
from ariba_cli.federated.federation import FederationSettings, Place
from ariba_cli.federated.quality import Quality
from ariba_cli.formats import open_model
from ariba_cli.formats.model import ReadOptions
from ariba_cli.reports import published
from ariba_cli.reports.evaluate_json import evaluate_json
from ariba_cli.reports.evaluate_table import evaluate_table
from ariba_cli.reports.text import Paper
from ariba_cli.runs.evaluating import (
    BackdoorQuality,
    ClassQuality,
    EvaluationSettings,
    ModelEvaluation,
    evaluate_model,
)
from ariba_cli.runs.plan import Keep, Plan
from ariba_cli.runs.run_file import Run, nearest_path, read_run
from ariba_cli.runs.simulation import simulate
from tests.conftest import Ariba, digits
from tests.models import write_model

Model = dict[str, npt.NDArray[np.floating]]

GLOBAL = "round_0002/global.safetensors"


@pytest.fixture(scope="session")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rounds of four participants, one of whom attacks class 3 in the second."""
    root = tmp_path_factory.mktemp("evaluate") / "run"
    simulate(
        Plan(
            settings=FederationSettings(participants=4, rounds=2),
            attack=AttackSettings(
                k=1,
                begins=2,
                target_class=3,
                backdoor_images=30,
                seed=5,
                training=replace(AttackSettings().training, epochs=5),
            ),
            keep=Keep(),
            format_name="safetensors",
        ),
        root,
    )
    return root


@pytest.fixture(scope="session")
def run(run_path: Path) -> Run:
    return read_run(run_path / "round_0002")


def read(path: Path) -> Model:
    return dict(open_model(path, ReadOptions()).floats())


def report(ariba: Ariba, *arguments: object) -> dict[str, Any]:
    done = ariba("evaluate", *arguments, "-f", "json")
    assert done.returncode == 0, done.stderr
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def test_it_finds_what_the_run_has_noted(tmp_path: Path, run_path: Path, ariba: Ariba) -> None:
    """The next global model, as `ariba aggregate` makes it, is the last point of the curve."""
    done = ariba("aggregate", run_path / "round_0002", "--out", "next.safetensors")
    assert done.returncode == 0
    curve = json.loads((run_path / "run.json").read_text())["curve"]
    found = report(ariba, tmp_path / "next.safetensors", "--run", run_path / "run.json")["result"]
    assert found["accuracy"] == pytest.approx(curve["accuracy"][1], abs=1e-6)
    assert found["loss"] == pytest.approx(curve["loss"][1], rel=1e-4)
    backdoor = found["backdoor"]
    assert (backdoor["target_class"], backdoor["seed"], backdoor["most_images"]) == (3, 5, 30)
    by_trigger = {one["trigger"]: one for one in backdoor["triggers"]}
    expected = pytest.approx(curve["backdoor_accuracy"][1], abs=1e-6)
    assert by_trigger["pattern"]["backdoor_accuracy"] == expected
    assert by_trigger["pattern"]["images"] == 30


def test_classes_add_up(run_path: Path, run: Run) -> None:
    found = evaluate_model(run_path / GLOBAL, run)
    assert sum(one.samples for one in found.classes) == found.samples == 359
    right = sum(one.samples - one.wrong for one in found.classes)
    assert found.quality.accuracy == pytest.approx(right / 359)
    for one in found.classes:
        assert one.accuracy == pytest.approx(1 - one.wrong / one.samples)
        assert one.mistaken <= one.wrong
        assert one.mistaken_for != one.label
        assert (one.mistaken_for is None) == (one.mistaken == 0)


def test_what_a_class_is_mistaken_for(tmp_path: Path, run_path: Path, run: Run) -> None:
    """A model that says 7 of everything."""
    model = {name: np.zeros_like(values) for name, values in read(run_path / GLOBAL).items()}
    model["fc2.bias"][7] = 1
    write_model(tmp_path / "sevens.safetensors", model)
    settings = EvaluationSettings(target_class=7)
    found = evaluate_model(tmp_path / "sevens.safetensors", run, settings)
    for one in found.classes:
        if one.label == 7:
            assert (one.accuracy, one.mistaken_for, one.mistaken) == (1.0, None, 0)
        else:
            assert (one.accuracy, one.mistaken_for, one.mistaken) == (0.0, 7, one.samples)
    assert [one.trigger for one in found.backdoors] == list(TRIGGERS)
    assert {one.accuracy for one in found.backdoors} == {1.0}


def test_a_model_that_is_not_finite_gets_nothing_right(
    tmp_path: Path, run_path: Path, run: Run
) -> None:
    model = read(run_path / GLOBAL)
    model["fc2.bias"] = np.full(10, np.nan, np.float32)
    write_model(tmp_path / "nan.safetensors", model)
    found = evaluate_model(tmp_path / "nan.safetensors", run)
    assert found.quality == Quality(0.0, np.inf)
    assert {(one.wrong, one.mistaken_for) for one in found.classes} == {
        (one.samples, None) for one in found.classes
    }
    assert "loss not finite" in evaluate_table(found, Paper(100, color=False))


@pytest.mark.parametrize("form", ["hdf5", "float64", "prefixed", "folder"])
def test_any_readable_model_will_do(tmp_path: Path, run_path: Path, run: Run, form: str) -> None:
    model, path = read(run_path / GLOBAL), tmp_path / "model"
    if form == "float64":
        model = {name: values.astype(np.float64) for name, values in model.items()}
    if form == "prefixed":
        model = {f"module.{name}": values for name, values in reversed(model.items())}
    if form == "folder":
        write_model(path / "a.safetensors", model)
        index = {"weight_map": dict.fromkeys(model, "a.safetensors")}
        (path / "model.safetensors.index.json").write_text(json.dumps(index))
    else:
        write_model(path, model, "hdf5" if form == "hdf5" else "safetensors")
    expected = evaluate_model(run_path / GLOBAL, run)
    found = evaluate_model(path, run)
    assert (found.quality, found.classes) == (expected.quality, expected.classes)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"fc1.bias": None}, "lacks fc1.bias, which the cnn of the run has"),
        (
            {"fc1.bias": np.zeros(3)},
            r"has fc1.bias of shape \(3,\), but the cnn of the run has \(32,\)",
        ),
        ({"fc1.bias": np.zeros(32, np.int32)}, "has fc1.bias of type I32"),
        ({"fc3.bias": np.zeros(3)}, "has fc3.bias, which the cnn of the run does not have"),
    ],
)
def test_a_model_of_another_network_is_refused(
    tmp_path: Path, run_path: Path, run: Run, changes: dict[str, Any], why: str
) -> None:
    model = read(run_path / GLOBAL) | changes
    write_model(tmp_path / "m", {name: one for name, one in model.items() if one is not None})
    with pytest.raises(InputError, match=why):
        evaluate_model(tmp_path / "m", run)


@pytest.mark.parametrize(
    ("settings", "error", "why"),
    [
        ({"triggers": ("patern",)}, UsageError, "unknown trigger 'patern'"),
        ({"target_class": 10}, UsageError, "digits has no class 10"),
    ],
)
def test_what_cannot_be_tested(
    run_path: Path, run: Run, settings: dict[str, Any], error: type[AribaError], why: str
) -> None:
    with pytest.raises(error, match=why):
        evaluate_model(run_path / GLOBAL, run, EvaluationSettings(**settings))


def test_a_round_is_no_model(run_path: Path, run: Run) -> None:
    with pytest.raises(InputError, match="name one model"):
        evaluate_model(run_path / "round_0002", run)


@pytest.fixture(scope="session")
def colour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on colour images of one's own, in which nobody knows a natural feature."""
    root = tmp_path_factory.mktemp("colour")
    rng = np.random.default_rng(0)
    (root / "data" / "arrays").mkdir(parents=True)
    np.savez(
        root / "data" / "arrays" / "images.npz",
        x_train=rng.integers(0, 256, (40, 8, 8, 3), np.uint8),
        y_train=np.arange(40) % 2,
        x_test=rng.integers(0, 256, (10, 8, 8, 3), np.uint8),
        y_test=np.arange(10) % 2,
    )
    return root


@pytest.fixture(scope="session")
def colour_model(colour: Path) -> Path:
    settings = FederationSettings(dataset="arrays", participants=3, rounds=1)
    plan = Plan(settings=settings, keep=Keep(), format_name="safetensors")
    simulate(plan, colour / "run", place=Place(data_dir=colour / "data"))
    return colour / "run" / "round_0001" / "global.safetensors"


def test_a_trigger_that_does_not_apply(colour: Path, colour_model: Path, ariba: Ariba) -> None:
    run, place = read_run(colour_model.parent), Place(data_dir=colour / "data")
    found = evaluate_model(colour_model, run, place=place)
    assert [one.trigger for one in found.backdoors] == [
        "pattern",
        "targeted",
        "class",
        "dba",
        "single-input",
        "trojan",
    ]
    assert list(found.not_applicable) == ["semantic", "edge-case"]
    named = ("--trigger", "pattern", "--trigger", "semantic")
    done = ariba("evaluate", colour_model, "--data-dir", colour / "data", *named)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(
        b"error: ariba does not know a natural feature in the colour images"
    )
    assert done.stderr.count(b"\n") == 1


def test_other_data_are_refused(tmp_path: Path, colour: Path, colour_model: Path) -> None:
    with np.load(colour / "data" / "arrays" / "images.npz") as arrays:
        np.savez(tmp_path / "images.npz", **{**arrays, "x_test": arrays["x_test"][::-1]})
    with pytest.raises(InputError, match="differ from those of the run"):
        evaluate_model(colour_model, read_run(colour_model.parent), place=Place(data_dir=tmp_path))


def test_the_run_is_looked_for_in_the_folders_above(
    tmp_path: Path, run_path: Path, ariba: Ariba
) -> None:
    model = tmp_path / "a" / "b" / "model.safetensors"
    model.parent.mkdir(parents=True)
    shutil.copy(run_path / GLOBAL, model)
    done = ariba("evaluate", model)
    assert done.returncode == 2
    assert b"hold no run.json; name that of its run with --run" in done.stderr
    assert b"--run" in done.stderr
    shutil.copy(run_path / "run.json", tmp_path)
    assert nearest_path(model) == tmp_path / "run.json"
    shutil.copy(run_path / "run.json", model.parent)
    assert nearest_path(model) == model.parent / "run.json"


def test_options_come_before_the_attack_of_the_run(run_path: Path, ariba: Ariba) -> None:
    options = ("--target-class", "1", "--backdoor-images", "7", "--seed", "2")
    found = report(ariba, run_path / GLOBAL, *options, "--trigger", "targeted")["result"]
    assert found["backdoor"]["target_class"] == 1
    assert found["backdoor"]["seed"] == 2
    (targeted,) = found["backdoor"]["triggers"]
    assert (targeted["trigger"], targeted["images"]) == ("targeted", 7)


def test_the_report_is_as_its_schema_says(run_path: Path, ariba: Ariba) -> None:
    found = report(ariba, run_path / GLOBAL, "--reproducible")
    described = json.loads(published.schema("evaluate"))
    jsonschema.Draft202012Validator.check_schema(described)
    jsonschema.validate(found, described)
    assert found["run"]["seconds"] == 0
    found["result"]["more"] = 1
    with pytest.raises(jsonschema.ValidationError, match="'more' was unexpected"):
        jsonschema.validate(found, described)


MADE_UP = ModelEvaluation(
    path="next\x1b.safetensors",
    format="safetensors",
    files=(),
    dataset="digits",
    fingerprint="0" * 64,
    architecture="cnn",
    settings=EvaluationSettings(target_class=3),
    samples=1234,
    quality=Quality(0.98765, 0.0456),
    classes=(
        ClassQuality(0, 1200, 0.9975, 3, 8, 2),
        ClassQuality(1, 34, 1.0, 0, None, 0),
        ClassQuality(2, 0, None, 0, None, 0),
    ),
    backdoors=(BackdoorQuality("pattern", 30, 0.9667),),
    not_applicable={"semantic": "no feature is known"},
    device="cpu",
)
TABLE = """\
next\\x1b.safetensors: cnn on 1,234 test images of digits;
accuracy 0.988, loss 0.046

class  samples  accuracy  wrong  mostly mistaken for
    0    1,200     0.998      3  8 (2)
    1       34     1.000      0  –
    2        0         –      0  –

trigger  images  taken for class 3 (X'%)
pattern      30                    0.967
semantic does not apply: no feature is known
"""


def test_the_table() -> None:
    assert evaluate_table(MADE_UP, Paper(60, color=False)) == TABLE
    wide = evaluate_table(MADE_UP, Paper(80, color=False))
    assert wide.replace("\n", " ") == TABLE.replace("\n", " ")


def test_a_loss_that_is_not_finite_is_null_in_json() -> None:
    record = Stopwatch().record(reproducible=True)
    data = evaluate_json(replace(MADE_UP, quality=Quality(0.0, np.inf)), record)
    assert json.loads(data)["result"]["loss"] is None


def test_backdoor_images_are_drawn_by_the_seed() -> None:
    dataset = digits()
    one, again, other = (
        backdoor_images(dataset, "pattern", Aim(0, seed), 20) for seed in (1, 1, 2)
    )
    assert len(one) == 20
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert len(backdoor_images(dataset, "pattern", Aim(0, 1))) == 322


def test_a_data_set_of_one_class_has_nothing_to_test_a_backdoor_on() -> None:
    whole = digits()
    dataset = replace(whole, name="mine", test_labels=np.zeros_like(whole.test_labels))
    for trigger in TRIGGERS:
        with pytest.raises(UsageError, match="use another --target-class"):
            backdoor_images(dataset, trigger, Aim(0, 0))
