"""The names of layers, and the tensors of a model that are not layers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ariba_cli.aggregation.aggregate import aggregate_round
from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings, KEst
from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.base.findings import FindingKind
from ariba_cli.detectors import make_detector
from ariba_cli.files.limits import Limits
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.inspection import inspect_file, inspect_round
from ariba_cli.rounds.names import plain_name, plain_names, read_names, statistics_among
from tests.models import Tensors, random_model, write_model


def with_statistics(seed: int) -> Tensors:
    rng = np.random.default_rng(seed)
    return {
        **random_model(seed),
        "bn1.weight": rng.standard_normal(4),
        "bn1.running_mean": 1000 * rng.standard_normal(4),
        "bn1.running_var": rng.standard_normal(4),
        "bn1.num_batches_tracked": np.array(7),
    }


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("conv1.weight", "conv1.weight"),
        ("module.conv1.weight", "conv1.weight"),
        ("model.layers.0.q.weight", "layers.0.q.weight"),
        ("base_model.model.model.layers.0.q.weight", "layers.0.q.weight"),
        ("_orig_mod.module.conv1.weight", "conv1.weight"),
        ("_module.conv1.weight", "conv1.weight"),
        ("encoder._orig_mod.layers.0._checkpoint_wrapped_module.q", "encoder.layers.0.q"),
        ("_fsdp_wrapped_module.a._fsdp_wrapped_module.b", "a.b"),
        ("_forward_module.model.module.conv1.weight", "conv1.weight"),
        ("a.module.b.module", "a.b"),
        ("module", "module"),
        ("modules.conv1.weight", "modules.conv1.weight"),
        ("conv.original_module.weight", "conv.original_module.weight"),
        ("model.", "model."),
        ("models.conv1.weight", "models.conv1.weight"),
    ],
)
def test_prefixes_of_frameworks_do_not_matter(name: str, plain: str) -> None:
    assert plain_name(name) == plain


def test_names_that_only_a_prefix_tells_apart_stay_whole() -> None:
    assert plain_names(["a", "model.a", "module.b"]) == {
        "a": "a",
        "model.a": "model.a",
        "b": "module.b",
    }


@pytest.mark.parametrize("asked", ["conv2", "conv2.weight", "module.conv2", "model.conv2.weight"])
def test_a_layer_goes_by_any_of_its_names(tmp_path: Path, asked: str) -> None:
    for index in range(5):
        prefix = "module." if index < 3 else ""
        model = {prefix + name: values for name, values in random_model(index).items()}
        write_model(tmp_path / f"p{index}.safetensors", model)
    found = audit(open_round(tmp_path), AuditSettings(layers=(asked,)))
    assert found.layers[0].layer == "conv2.weight"
    assert len(found.marked_layers[0].scores) == 5


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model."])
def test_nobody_hides_behind_a_second_name(tmp_path: Path, prefix: str) -> None:
    """A server may load either; the honest one must not be looked at in its place."""
    for index in range(6):
        model = random_model(index)
        if index == 0:
            honest = {f"{prefix}{name}": one for name, one in model.items()}
            model = honest | {name: 50 * one for name, one in model.items()}
        write_model(tmp_path / "in" / f"p{index}.safetensors", model)
    found = audit(open_round(tmp_path / "in"), AuditSettings(layers=("conv2",)))
    inspected = inspect_round(open_round(tmp_path / "in"))
    for findings in (found.findings, inspected.findings):
        refused = [one for one in findings if one.kind == FindingKind.REFUSED]
        assert [one.participant for one in refused] == ["p0"]
        first, second = sorted(["conv1.weight", f"{prefix}conv1.weight"])
        assert f"names '{first}' and '{second}', which mean the same" in refused[0].detail
    assert "p0" not in {one.id for one in found.ranking}
    done = aggregate_round(open_round(tmp_path / "in"), tmp_path / "out.safetensors")
    assert "p0" not in done.used


def test_two_layers_that_most_have_are_two(tmp_path: Path) -> None:
    for index in range(5):
        model = dict(random_model(index))
        if index < 3:
            model["model.conv2.weight"] = 2 * model["conv2.weight"]
        write_model(tmp_path / f"p{index}.safetensors", model)
    found = audit(open_round(tmp_path), AuditSettings())
    assert {"conv2.weight", "model.conv2.weight"} <= set(found.method.layers)
    assert FindingKind.REFUSED not in {one.kind for one in found.findings}


def test_who_differs_from_most_is_named(tmp_path: Path) -> None:
    for index in range(5):
        model = dict(random_model(index))
        if index == 3:
            model["trigger.weight"], model["other"] = np.ones((2, 2), "f4"), np.ones(2, "f4")
            del model["fc.weight"]
        if index == 4:
            model["conv1.weight"] = np.ones((2, 2), "f4")
        write_model(tmp_path / f"p{index}.safetensors", model)
    inspected = inspect_round(open_round(tmp_path)).findings
    said = {(one.kind, one.participant): one.detail for one in inspected if one.participant}
    assert said == {
        (FindingKind.MISSING_LAYER, "p3"): "lacks a layer that most have: fc.weight",
        (FindingKind.EXTRA_LAYER, "p3"): (
            "has 2 tensors that most do not have: other, trigger.weight"
        ),
        (FindingKind.WRONG_SHAPE, "p4"): (
            "conv1.weight has shape (2, 2), the others have (4, 1, 3, 3)"
        ),
    }
    audited = audit(open_round(tmp_path), AuditSettings()).findings
    extra = [one for one in audited if one.kind == FindingKind.EXTRA_LAYER]
    assert [(one.participant, one.facts) for one in extra] == [("p3", {"count": 2})]


def counted_up(index: int, scale: float = 1.0) -> dict[str, Any]:
    """A model as Keras names it: names count up from one participant to the next."""
    first, second, last = random_model(index, scale).values()
    return {
        f"conv2d_{2 * index + 9}/kernel:0": first.transpose(2, 3, 1, 0),
        f"conv2d_{2 * index + 10}/kernel:0": second.transpose(2, 3, 1, 0),
        f"dense_{index + 9}/kernel:0": last.T,
    }


def test_where_names_agree_nowhere_tensors_are_matched_by_order_on_request(tmp_path: Path) -> None:
    for index in range(6):
        model = counted_up(index, 20.0 if index == 4 else 1.0)
        write_model(tmp_path / "keras" / f"p{index}.safetensors", model)
        plain = random_model(index, 20.0 if index == 4 else 1.0)
        write_model(tmp_path / "plain" / f"p{index}.safetensors", plain)
    round_ = open_round(tmp_path / "keras")
    said = "p0 has conv2d_9/kernel:0, p1 has conv2d_11/kernel:0.*--by-order"
    with pytest.raises(InputError, match=said):
        audit(round_, AuditSettings())
    (common,) = (
        one for one in inspect_round(round_).findings if one.kind == FindingKind.NO_COMMON_NAME
    )
    assert "p0 has conv2d_9/kernel:0" in common.detail
    found = audit(round_, AuditSettings(by_order=True, k_est=KEst.parse(1)))
    assert found.method.requested.by_order
    assert [one.id for one in found.suspects] == ["p4"]
    expected = audit(open_round(tmp_path / "plain"), AuditSettings(k_est=KEst.parse(1)))
    assert found.method.layers[1] == "conv2d_10/kernel:0"
    assert [one.scores for one in found.marked_layers] == [
        one.scores for one in expected.marked_layers
    ]


def test_nobody_hides_a_layer_by_what_it_is_called(tmp_path: Path) -> None:
    for index in range(5):
        model = counted_up(index)
        if index == 0:
            first, second, last = model.values()
            model = {"a": first, "b.running_mean": second, "c": last}
        write_model(tmp_path / f"p{index}.safetensors", model)
    found = audit(open_round(tmp_path), AuditSettings(by_order=True))
    assert found.method.layers[1] == "conv2d_12/kernel:0"
    assert found.coverage.layers_total == 3
    assert len(found.ranking) == 5


def test_where_names_are_alike_nowhere_tensors_are_numbered(tmp_path: Path) -> None:
    for index in range(5):
        model = {f"{name}{'abcde'[index]}": one for name, one in random_model(index).items()}
        write_model(tmp_path / f"p{index}.safetensors", model)
    found = audit(open_round(tmp_path), AuditSettings(by_order=True))
    assert found.method.layers == ("tensor_0", "tensor_1", "tensor_2")


def test_whose_tensors_have_another_order_is_matched_by_nothing(tmp_path: Path) -> None:
    for index in range(5):
        model = counted_up(index)
        if index == 2:
            model = dict(zip(model, reversed(model.values()), strict=True))
        write_model(tmp_path / f"p{index}.safetensors", model)
    found = audit(open_round(tmp_path), AuditSettings(by_order=True))
    missing = {one.participant for one in found.findings if one.kind == FindingKind.MISSING_LAYER}
    assert missing == {"p2"}


def test_statistics_of_batch_normalisation_are_no_weights(tmp_path: Path) -> None:
    for index in range(3):
        write_model(tmp_path / f"p{index}.safetensors", with_statistics(index))
    found = inspect_round(open_round(tmp_path))
    assert {layer.name for layer in found.layers} == {*random_model(0), "bn1.weight"}
    assert [layer.name for layer in found.statistics] == ["bn1.running_mean", "bn1.running_var"]
    norms = [one.norm for one in found.participants]
    assert all(norm is not None and norm < 100 for norm in norms)
    one = inspect_file(tmp_path / "p0.safetensors")
    assert [layer.name for layer in one.statistics] == ["bn1.running_mean", "bn1.running_var"]
    verdict = audit(open_round(tmp_path), AuditSettings(layers=("conv2",)))
    assert verdict.coverage.layers_total == 4
    assert verdict.coverage.parameters_total == 4 * 9 + 8 * 4 * 9 + 5 * 32 + 4
    with pytest.raises(UsageError, match="statistic of batch normalisation"):
        audit(open_round(tmp_path), AuditSettings(layers=("bn1.running_mean",)))


@pytest.mark.parametrize(
    ("shapes", "statistics"),
    [
        ({"bn/moving_mean:0": 4, "bn/moving_variance:0": 4, "bn/gamma:0": 4}, (0, 1)),
        ({"bn.running_var": 4, "model.bn.running_mean": 4, "running_means.weight": 4}, (0, 1)),
        ({"batch_stats/BatchNorm_0/mean": 4, "batch_stats.BatchNorm_0.var": 4}, (0, 1)),
        ({"params/bn/scale": 4, "bn/mean": 4, "bn/var": 4, "vae/mean": 4}, (1, 2)),
        ({"bn/~/mean_ema/average": 4, "bn/~/var_ema/hidden": 4, "bn/scale": 4}, (0, 1)),
        # Keras's own files number the variables of a layer.
        ({f"layers/batch_normalization_1/vars/{i}": 4 for i in range(4)}, (2, 3)),
        ({f"layers/batch_normalization/vars/{i}": 4 for i in range(3)}, (1, 2)),
        ({f"bn1/vars/{i}": 4 for i in range(4)}, (2, 3)),
        ({f"layers/layer_normalization/vars/{i}": 4 for i in range(2)}, ()),
        ({"layers/dense/vars/0": (4, 4), "layers/dense/vars/1": 4, "mean": 4}, ()),
    ],
)
def test_statistics_go_by_many_names(
    shapes: dict[str, int | tuple[int, ...]], statistics: tuple[int, ...]
) -> None:
    names = list(shapes)
    as_tuples = {name: one if isinstance(one, tuple) else (one,) for name, one in shapes.items()}
    assert statistics_among(as_tuples) == {names[index] for index in statistics}


@pytest.mark.parametrize(
    ("detector", "layers"),
    [
        ("mahalanobis", ["conv1.weight", "conv2.weight", "fc.weight"]),
        ("krum", ["bn1.weight", "conv1.weight", "conv2.weight", "fc.weight"]),
    ],
)
def test_without_a_choice_all_weights_are_examined_and_no_statistics(
    tmp_path: Path, detector: str, layers: list[str]
) -> None:
    for index in range(5):
        write_model(tmp_path / f"p{index}.safetensors", with_statistics(index))
    detectors = (make_detector(detector),)
    verdict = audit(open_round(tmp_path), AuditSettings(detectors=detectors))
    assert sorted(verdict.method.layers) == layers
    assert verdict.method.layer_choice == "all"
    assert verdict.method.requested.layers == ()
    assert (verdict.coverage.layers_examined, verdict.coverage.layers_total) == (len(layers), 4)
    assert [layer.shape for layer in verdict.layers if layer.layer == "conv2.weight"] == [
        (8, 4, 3, 3)
    ]


@pytest.mark.parametrize(
    ("content", "found"),
    [("a\nb\n", ("a", "b")), ('["a", "b c"]', ("a", "b c")), ("a b\n c ", ("a b", "c"))],
)
def test_names_come_one_a_line_or_as_json(
    tmp_path: Path, content: str, found: tuple[str, ...]
) -> None:
    (tmp_path / "names").write_text(content)
    assert read_names(tmp_path / "names", Limits()) == found


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not hold a name"),
        (b"[]", "does not hold a name"),
        (b"[1]", "does not hold a name"),
        (b"[" * 9999, "not a list of names"),
        (b"\xff", "not a list of names"),
        (b"a\na\n", "names 'a' twice"),
    ],
)
def test_a_file_without_names_says_so(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "names").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_names(tmp_path / "names", Limits())
    with pytest.raises(InputError, match="cannot be opened"):
        read_names(tmp_path / "nowhere", Limits())


@pytest.mark.parametrize(("holders", "agreed"), [(3, False), (4, True)])
def test_a_layer_is_agreed_on_by_more_than_half(tmp_path: Path, holders: int, agreed: bool) -> None:
    """Half of all are no majority: attackers may be as many."""
    for index in range(6):
        model = random_model(index)
        if index < holders:
            model["extra.weight"] = (
                np.random.default_rng(index).standard_normal((4, 4)).astype(np.float32)
            )
        write_model(tmp_path / f"p{index}.safetensors", model)
    verdict = audit(open_round(tmp_path), AuditSettings())
    assert ("extra.weight" in verdict.method.layers) == agreed
