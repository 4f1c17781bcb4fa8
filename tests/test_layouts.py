"""Kernels of frameworks that hold their channels last are read as those that hold them first."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import safetensors.numpy
from msgspec import structs

from ariba_cli.api.auditing import audit as audit_by_api
from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings, KEst
from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.base.findings import FindingKind
from ariba_cli.cli.options.shared import Layout
from ariba_cli.formats.layouts import KERAS, LAYOUTS, Permuted, laid_out, layout_by_name
from ariba_cli.formats.model import Extent
from ariba_cli.formats.tensors import TensorSpec
from ariba_cli.reports.published import schema
from ariba_cli.rounds.conversion import convert
from ariba_cli.rounds.directory import open_round
from ariba_cli.verdicts.verdict import ExaminedLayer, MarkedLayer, Verdict
from tests.conftest import Ariba
from tests.models import write_model

Array = npt.NDArray[np.float32]
Model = dict[str, Array]

ONE = AuditSettings(k_est=KEst.parse(1))


def network(index: int) -> Model:
    """Two convolutions and a linear layer; p3 is boosted."""
    rng = np.random.default_rng(index)
    shapes = {"conv1": (8, 3, 3, 3), "conv2": (16, 8, 3, 3), "dense": (5, 32)}
    return {
        name: rng.standard_normal(shape, np.float32) * np.float32(9 if index == 3 else 1)
        for name, shape in shapes.items()
    }


def channels_last(values: Array) -> Array:
    return np.ascontiguousarray(np.moveaxis(values, (0, 1), (-1, -2)))


def as_keras_file(model: Model) -> Model:
    return {f"layers/{name}/vars/0": channels_last(one) for name, one in model.items()}


def as_keras_names(model: Model) -> Model:
    return {f"{name}/{name}/kernel:0": channels_last(one) for name, one in model.items()}


def as_flax(model: Model) -> Model:
    return {f"params.{name}.kernel": channels_last(one) for name, one in model.items()}


def as_torch(model: Model) -> Model:
    return {f"{name}.weight": one for name, one in model.items()}


def as_mlx(model: Model) -> Model:
    return {
        f"{name}.weight": np.ascontiguousarray(np.moveaxis(one, 1, -1))
        for name, one in model.items()
    }


def write(
    root: Path, kind: Callable[[Model], Model], metadata: dict[str, str] | None = None
) -> Path:
    root.mkdir()
    for index in range(8):
        path = root / f"p{index}.safetensors"
        safetensors.numpy.save_file(kind(network(index)), path, metadata)
    return root


def write_npz(path: Path, arrays: dict[str, Any]) -> None:
    np.savez(path, **arrays)


def seen(verdict: Verdict) -> list[tuple[ExaminedLayer, MarkedLayer]]:
    """Return what is seen of each layer, whatever it is called and however it lies."""
    return [
        (structs.replace(one, layer="", tensor_sha256={}), structs.replace(marked, layer=""))
        for one, marked in zip(verdict.layers, verdict.marked_layers, strict=True)
    ]


@pytest.fixture
def expected(tmp_path: Path) -> list[tuple[ExaminedLayer, MarkedLayer]]:
    return seen(audit(open_round(write(tmp_path / "torch", as_torch)), ONE))


@pytest.mark.parametrize("kind", [as_keras_file, as_keras_names, as_flax])
def test_kernels_of_keras_and_flax_are_known_by_their_names(
    tmp_path: Path, kind: Callable[[Model], Model], expected: list[Any]
) -> None:
    verdict = audit(open_round(write(tmp_path / "in", kind)), ONE)
    assert seen(verdict) == expected
    assert [one.id for one in verdict.suspects] == ["p3"]


def test_weights_as_keras_saves_them_have_neither_statistics_nor_names(
    tmp_path: Path, expected: list[Any]
) -> None:
    for index in range(8):
        model = as_keras_file(network(index))
        for number in range(4):
            scale = 1000 if number > 1 else 1
            drawn = np.random.default_rng(index + number).standard_normal(7)
            model[f"layers/batch_normalization/vars/{number}"] = (scale * drawn).astype("f4")
        write_model(tmp_path / "in" / f"p{index}.weights.h5", model, "hdf5")
    verdict = audit(open_round(tmp_path / "in"), ONE)
    renamed = [
        (
            one,
            structs.replace(
                marked, scores={f"{who}.weights": n for who, n in marked.scores.items()}
            ),
        )
        for one, marked in expected
    ]
    assert seen(verdict) == renamed
    assert verdict.coverage.layers_total == 3 + 2


def test_files_of_mlx_are_known_by_their_metadata(tmp_path: Path, expected: list[Any]) -> None:
    root = write(tmp_path / "in", as_mlx, {"format": "mlx"})
    assert seen(audit(open_round(root), ONE)) == expected
    convert(open_round(root), tmp_path / "converted")
    assert seen(audit(open_round(tmp_path / "converted"), ONE)) == expected


def test_a_conversion_keeps_the_bytes_as_they_lie(tmp_path: Path) -> None:
    root = write(tmp_path / "in", as_flax)
    convert(open_round(root), tmp_path / "out")
    stored = safetensors.numpy.load_file(tmp_path / "out" / "participants" / "p1.safetensors")
    for name, values in as_flax(network(1)).items():
        np.testing.assert_array_equal(stored[name], values)


@pytest.mark.parametrize(
    ("kind", "layout"), [(channels_last, "keras"), (lambda one: np.moveaxis(one, 1, -1), "mlx")]
)
def test_what_neither_names_nor_files_say_is_said_by_an_option(
    tmp_path: Path, kind: Callable[[Array], Array], layout: str, expected: list[Any]
) -> None:
    (tmp_path / "in").mkdir()
    for index in range(8):
        arrays = {f"arr_{i}": kind(one) for i, one in enumerate(network(index).values())}
        write_npz(tmp_path / "in" / f"p{index}.npz", arrays)
    verdict = audit(open_round(tmp_path / "in"), replace(ONE, layout=layout))
    assert seen(verdict) == expected
    assert verdict.method.requested.layout == layout
    unsaid = audit(open_round(tmp_path / "in"), ONE)
    assert seen(unsaid) != expected


def test_fewer_kernels_than_values_in_each_are_a_finding(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for index in range(8):
        values = channels_last(network(index)["conv2"])
        np.savez(tmp_path / "in" / f"p{index}.npz", values)
    for settings in (ONE, AuditSettings(layers=("arr_0",), fragment="kernel")):
        found = audit(open_round(tmp_path / "in"), settings).findings
        (few,) = (one for one in found if one.kind == FindingKind.FEW_FRAGMENTS)
        assert (few.layer, few.facts) == ("arr_0", {"fragments": 9, "dimension": 128})
        assert "--layout" in few.detail
    said = audit(open_round(tmp_path / "in"), replace(ONE, layout="keras")).findings
    assert FindingKind.FEW_FRAGMENTS not in {one.kind for one in said}


def test_torch_can_be_said_against_names(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    for index in range(8):
        model = {f"{name}.kernel": one for name, one in network(index).items()}
        safetensors.numpy.save_file(model, root / f"p{index}.safetensors")
    shapes = [one.shape for one in audit(open_round(root), replace(ONE, layout="torch")).layers]
    assert shapes == [one.shape for one in network(0).values()]


def test_an_embedding_has_a_row_for_each_token(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    for index in range(4):
        values = np.random.default_rng(index).standard_normal((50, 4))
        model = {"layers/embedding/vars/0": values, "params.Embed_0.embedding": values}
        safetensors.numpy.save_file(model, root / f"p{index}.safetensors")
    assert {one.shape for one in audit(open_round(root), ONE).layers} == {(50, 4)}


@pytest.mark.parametrize("name", ["_embed_wrapped_module.fc.kernel", "fc.kernel.module"])
def test_what_a_wrapper_is_called_turns_no_kernel(name: str) -> None:
    """A square kernel would else be compared with its inputs for its outputs."""
    tensor = TensorSpec("F32", (4, 4))
    assert layout_by_name(name) == KERAS
    assert laid_out(name, Extent(tensor, 0), KERAS) == Permuted(Extent(tensor, 0), (1, 0))


def test_one_file_does_not_decide_how_it_is_read(tmp_path: Path) -> None:
    """An attacker could otherwise have its values looked at in another order than a server has."""
    root = write(tmp_path / "in", as_torch)
    usual = audit(open_round(root), ONE)
    model = as_torch(network(3))
    safetensors.numpy.save_file(model, root / "p3.safetensors", {"format": "mlx"})
    found = audit(open_round(root), ONE)
    assert found.detectors == usual.detectors
    (wrong,) = (one for one in found.findings if one.kind == FindingKind.WRONG_LAYOUT)
    assert (wrong.participant, wrong.facts) == ("p3", {"layout": "mlx", "usual": "torch"})


def test_the_output_layer_is_found_in_other_layouts(tmp_path: Path) -> None:
    for name, kind in (("torch", as_torch), ("flax", as_flax)):
        root = tmp_path / name
        root.mkdir()
        for index in range(8):
            bias = np.random.default_rng(index).standard_normal(5, np.float32)
            model = kind(network(index)) | {
                "params.dense.bias" if kind is as_flax else "dense.bias": bias
            }
            safetensors.numpy.save_file(model, root / f"p{index}.safetensors")
    scores = [
        [
            (one.id, one.score, one.details)
            for one in audit_by_api(tmp_path / name, detectors="last-bias").detectors[0].scores
        ]
        for name in ("torch", "flax")
    ]
    assert scores[0] == scores[1]


def test_what_must_be_held_says_so(tmp_path: Path) -> None:
    root = write(tmp_path / "in", as_flax)
    with pytest.raises(InputError, match="channels-last, so it is held as a whole"):
        audit(open_round(root), replace(ONE, max_memory=1))


def test_the_command_takes_it_and_verify_knows(tmp_path: Path, ariba: Ariba) -> None:
    (tmp_path / "in").mkdir()
    for index in range(8):
        model = {f"{name}_{index}": channels_last(one) for name, one in network(index).items()}
        write_npz(tmp_path / "in" / f"p{index}.npz", model)
    command = ("audit", "in", "--layout", "keras", "--by-order", "--k-est", 1)
    done = ariba(*command, "-f", "json", "-o", "report.json")
    assert done.returncode == 0
    requested = json.loads((tmp_path / "report.json").read_bytes())["result"]["method"]["requested"]
    assert (requested["layout"], requested["by_order"]) == ("keras", True)
    assert ariba("verify", "report.json", "in").returncode == 0
    assert ariba("report", "report.json", "-f", "html", "-o", "page.html").returncode == 0
    page = (tmp_path / "page.html").read_text()
    assert "by order and shape" in page
    with pytest.raises(UsageError, match="unknown layout 'nhwc'; use one of torch, keras, mlx"):
        audit_by_api(tmp_path / "in", layout="nhwc")


def test_the_option_and_the_schema_know_every_layout() -> None:
    assert {one.value for one in Layout} == set(LAYOUTS)
    requested = json.loads(schema("audit"))["$defs"]["requested_options"]["properties"]
    assert set(requested["layout"]["enum"]) == {*LAYOUTS, None}
