"""PEFT adapters: participants are compared by ΔW = s·B·A, which is never formed as a whole."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings, KEst
from ariba_cli.base.errors import RefusedFileError
from ariba_cli.base.findings import FindingKind
from ariba_cli.formats import open_model
from ariba_cli.formats.lowrank import LowRank
from ariba_cli.formats.model import ReadOptions
from ariba_cli.reports.audit_json import audit_result
from ariba_cli.rounds.conversion import convert
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.inspection import inspect_file, inspect_round
from ariba_cli.updates.intake import Submission
from ariba_cli.updates.lazy import LazyTensor
from ariba_cli.updates.stored import StoredTensor
from ariba_cli.verdicts.verdict import ExaminedLayer, Verdict

Factors = dict[str, npt.NDArray[Any]]

PREFIX = "base_model.model.layers.0.q_proj"
CONFIG = {"peft_type": "LORA", "r": 4, "lora_alpha": 16}
A, B = np.ones((4, 6), "f4"), np.ones((8, 4), "f4")


def write_adapter(path: Path, factors: Factors, **config: Any) -> None:
    path.mkdir(parents=True)
    safetensors.numpy.save_file(factors, path / "adapter_model.safetensors")
    (path / "adapter_config.json").write_text(json.dumps({**CONFIG, **config}))


def factors(left: npt.NDArray[Any], right: npt.NDArray[Any], module: str = PREFIX) -> Factors:
    return {f"{module}.lora_A.weight": right, f"{module}.lora_B.weight": left}


def test_adapters_are_scored_as_their_products_are(tmp_path: Path) -> None:
    for index in range(8):
        rng = np.random.default_rng(index)
        left = (rng.standard_normal((32, 4)) * (9 if index < 2 else 1)).astype("f4")
        right = rng.standard_normal((4, 24)).astype("f4")
        write_adapter(tmp_path / "adapters" / f"p{index}", factors(left, right))
        # The same order of the same roundings as the definition in `LowRank`.
        product = np.zeros((32, 24))
        for rank in range(4):
            product += left[:, rank : rank + 1].astype("f8") * right[rank].astype("f8")
        (tmp_path / "products").mkdir(exist_ok=True)
        product *= 16 / 4
        path = tmp_path / "products" / f"p{index}.safetensors"
        safetensors.numpy.save_file({"layers.0.q_proj.weight": product}, path)
    convert(open_round(tmp_path / "adapters"), tmp_path / "converted")
    settings = AuditSettings(layers=("layers.0.q_proj",), k_est=KEst.parse(2), fragment="block:8")
    adapters, products, converted = (
        audit(open_round(tmp_path / name), settings)
        for name in ("adapters", "products", "converted")
    )
    assert (adapters.layers, adapters.detectors) == (converted.layers, converted.detectors)
    # The factors are other bytes than the products.
    assert _without_hashes(adapters) == _without_hashes(products)
    assert adapters.detectors == products.detectors
    assert [one.id for one in adapters.suspects] == ["p0", "p1"]
    assert [one.tensor_sha256 for one in adapters.inputs] == [
        one.tensor_sha256 for one in converted.inputs
    ]


def write_mixed_round(root: Path, participants: int = 8) -> None:
    """Write a round in which p3 sends an adapter, and everybody else the whole layer."""
    for index in range(participants):
        rng = np.random.default_rng(index)
        if index == 3:
            left, right = rng.standard_normal((32, 4)), rng.standard_normal((4, 24))
            write_adapter(root / "p3", factors(left.astype("f4"), right.astype("f4")))
        else:
            values = rng.standard_normal((32, 24)) * (9 if index < 2 else 1)
            path = root / f"p{index}.safetensors"
            tensors = {"layers.0.q_proj.weight": values.astype("f4")}
            root.mkdir(exist_ok=True)
            safetensors.numpy.save_file(tensors, path)


@pytest.fixture
def left_in_files(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the participants whose values stay in their files."""
    found: set[str] = set()
    made = LazyTensor.__init__

    def noted(self: LazyTensor, stored: StoredTensor, own: Submission, layer: str) -> None:
        found.add(own.member.id)
        made(self, stored, own, layer)

    monkeypatch.setattr(LazyTensor, "__init__", noted)
    return found


def test_one_adapter_does_not_bring_everybody_elses_values_into_memory(
    tmp_path: Path, left_in_files: set[str]
) -> None:
    write_mixed_round(tmp_path / "in")
    settings = AuditSettings(layers=("layers.0.q_proj",), k_est=KEst.parse(2), fragment="block:8")
    round_ = open_round(tmp_path / "in")
    expected = audit(round_, settings)
    assert left_in_files == set()
    assert [one.id for one in expected.suspects] == ["p0", "p1"]
    found = audit(round_, replace(settings, max_memory=1))
    assert left_in_files == {f"p{index}" for index in range(8)} - {"p3"}
    assert audit_result(found) == audit_result(expected)


@pytest.mark.parametrize(("spare", "stay"), [(0, False), (-1, True)])
def test_what_fits_is_held_with_the_factors(
    tmp_path: Path, left_in_files: set[str], *, spare: int, stay: bool
) -> None:
    write_mixed_round(tmp_path / "in")
    needed = 7 * 32 * 24 * 4 + (32 * 4 + 4 * 24) * 8
    settings = AuditSettings(layers=("layers.0.q_proj",), fragment="block:8")
    audit(open_round(tmp_path / "in"), replace(settings, max_memory=needed + spare))
    assert bool(left_in_files) is stay


def test_a_layer_of_adapters_alone_is_held(tmp_path: Path, left_in_files: set[str]) -> None:
    for index in range(4):
        rng = np.random.default_rng(index)
        left, right = rng.standard_normal((8, 4)), rng.standard_normal((4, 6))
        write_adapter(tmp_path / f"p{index}", factors(left, right))
    settings = AuditSettings(layers=("layers.0.q_proj",), max_memory=1)
    assert len(audit(open_round(tmp_path), settings).ranking) == 4
    assert left_in_files == set()


def test_of_values_in_files_and_factors_whoever_is_no_use_is_left_out(
    tmp_path: Path, left_in_files: set[str]
) -> None:
    write_mixed_round(tmp_path / "in")
    for index, value in ((2, np.nan), (5, np.inf)):
        values = np.full((32, 24), value, "f4")
        path = tmp_path / "in" / f"p{index}.safetensors"
        safetensors.numpy.save_file({"layers.0.q_proj.weight": values}, path)
    large = np.full((32, 4), 3e38, "f4"), np.full((4, 24), 3e38, "f4")
    write_adapter(tmp_path / "in" / "p9", factors(*large))
    settings = AuditSettings(layers=("layers.0.q_proj",), fragment="block:8")
    expected = audit(open_round(tmp_path / "in"), settings)
    assert left_in_files == set()
    assert {one.id for one in expected.inputs if one.status == "nonfinite"} == {"p2", "p5", "p9"}
    found = audit(open_round(tmp_path / "in"), replace(settings, max_memory=1))
    assert left_in_files
    assert audit_result(found) == audit_result(expected)


def _without_hashes(verdict: Verdict) -> list[ExaminedLayer]:
    return [structs.replace(layer, tensor_sha256={}) for layer in verdict.layers]


@given(st.data())
def test_any_part_of_a_product_is_that_part_of_the_whole(data: st.DataObject) -> None:
    rows, columns, rank = (data.draw(st.integers(1, 7)) for _ in range(3))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    left, right = rng.standard_normal((rows, rank)), rng.standard_normal((rank, columns))
    product = LowRank(left, right, 0.5)
    whole = product[:]
    np.testing.assert_allclose(whole, 0.5 * (left @ right).reshape(-1), rtol=1e-12, atol=1e-12)
    start = data.draw(st.integers(0, product.size))
    stop = data.draw(st.integers(start, product.size))
    np.testing.assert_array_equal(product[start:stop], whole[start:stop])
    which = rng.integers(product.size, size=5)
    np.testing.assert_array_equal(product[which], whole[which])
    np.testing.assert_allclose(product.squares(), np.square(whole).sum(), rtol=1e-9)


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({}, 4.0),
        ({"lora_alpha": 8}, 2.0),
        ({"use_rslora": True}, 8.0),
        ({"alpha_pattern": {"q_proj": 1}}, 0.25),
        ({"alpha_pattern": {"proj": 1}}, 4.0),
        # To PEFT they are regular expressions, in which a dot is any character.
        ({"alpha_pattern": {"0.q_pro.": 1}}, 0.25),
        ({"alpha_pattern": {"q_pro.": 1, "q_proj": 2}}, 0.25),
        ({"alpha_pattern": {"long.er.than." + PREFIX: 1}}, 4.0),
        ({"alpha_pattern": {r".*layers\.0\..*(q_proj|v_proj)$": 64}}, 16.0),
        ({"alpha_pattern": {r"^layers.*k_proj": 1, r"^layers\.[0-3]\.\w+": 8}}, 2.0),
        # A caret is the start of the module's name in the network that is adapted.
        ({"alpha_pattern": {r"^base_model\.model\.layers.0.q_proj": 1, r"^q_proj": 2}}, 4.0),
        ({"alpha_pattern": {r"(a+)+$": 1, r"(q|_|p|r|o|j)+": 2}}, 0.5),
        # What the library's newest release writes beside, and it does not matter.
        (
            {"target_parameters": None, "use_bdlora": None, "invented": None, "loftq_config": {}},
            4.0,
        ),
        ({"init_lora_weights": "pissa_niter_16", "lora_dropout": 0.1, "bias": "lora_only"}, 4.0),
        ({"rank_pattern": {r"(?<!x)q_proj": 4}, "target_modules": ["q_proj"]}, 4.0),
    ],
)
def test_the_scale_is_that_of_the_configuration(
    tmp_path: Path, config: dict[str, Any], scale: float
) -> None:
    write_adapter(tmp_path / "p", factors(B, A), **config)
    ((name, values),) = open_model(tmp_path / "p", ReadOptions()).floats()
    assert name == f"{PREFIX}.weight"
    np.testing.assert_array_equal(values, np.full((8, 6), 4 * scale))


def test_convolutions_are_adapted_too(tmp_path: Path) -> None:
    right, left = np.ones((4, 2, 3, 3), "f4"), np.ones((8, 4, 1, 1), "f4")
    write_adapter(tmp_path / "p", factors(left, right))
    (change,) = open_model(tmp_path / "p", ReadOptions()).tensors.values()
    assert change.spec.shape == (8, 2, 3, 3)


def test_a_grouped_convolution_takes_the_factors_of_its_group(tmp_path: Path) -> None:
    """As the layer itself does: outputs of one group see a part of the r values alone."""
    rng = np.random.default_rng(5)
    right = rng.standard_normal((4, 6, 3, 3)).astype("f4")
    left = rng.standard_normal((8, 2, 1, 1)).astype("f4")
    write_adapter(tmp_path / "p", factors(left, right))
    ((_, found),) = open_model(tmp_path / "p", ReadOptions()).floats()
    expected = np.zeros((8, 6, 3, 3))
    for out in range(8):
        for index in range(2):
            expected[out] += 4.0 * left[out, index, 0, 0] * right[out // 4 * 2 + index]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(("shape", "fits"), [((8, 2, 1, 1), True), ((7, 2, 1, 1), False)])
def test_outputs_divide_into_groups(tmp_path: Path, shape: tuple[int, ...], *, fits: bool) -> None:
    write_adapter(tmp_path / "p", factors(np.ones(shape, "f4"), np.ones((4, 6, 3, 3), "f4")))
    context = nullcontext() if fits else pytest.raises(RefusedFileError, match="do not fit")
    with context:
        open_model(tmp_path / "p", ReadOptions())


def test_many_groups_do_not_fill_memory(tmp_path: Path) -> None:
    many = 100_000
    write_adapter(tmp_path / "p", factors(np.ones((many, 1, 1), "f4"), np.ones((many, 1, 1), "f4")))
    with pytest.raises(RefusedFileError, match="that take 80,000,800,000 bytes"):
        open_model(tmp_path / "p", ReadOptions())


def test_matrices_lie_as_the_layer_holds_them(tmp_path: Path) -> None:
    """An embedding, and GPT-2's Conv1D, hold their weight as (in, out)."""
    rng = np.random.default_rng(6)
    right, left = rng.standard_normal((4, 6)), rng.standard_normal((8, 4))
    embedding = {"e.lora_embedding_A": right, "e.lora_embedding_B": left}
    write_adapter(tmp_path / "p", factors(left, right) | embedding, fan_in_fan_out=True)
    write_adapter(tmp_path / "q", factors(left, right) | embedding)
    found = dict(open_model(tmp_path / "p", ReadOptions()).floats())
    usual = dict(open_model(tmp_path / "q", ReadOptions()).floats())
    for values in (found[f"{PREFIX}.weight"], found["e.weight"], usual["e.weight"]):
        np.testing.assert_allclose(values, 4 * (left @ right).T)
    np.testing.assert_allclose(usual[f"{PREFIX}.weight"], 4 * (left @ right))


def test_patterns_that_take_too_long_are_refused_for_it(tmp_path: Path) -> None:
    names = {f"{'ab' * 450}{index}.lora_A.weight": A for index in range(20)}
    names |= {name.replace("lora_A", "lora_B"): B for name in names}
    patterns = {rf"(a|b)*a(a|b){{{count}}}": 1 for count in range(200, 230)}
    write_adapter(tmp_path / "p", names, alpha_pattern=patterns)
    with pytest.raises(RefusedFileError, match="take too long"):
        open_model(tmp_path / "p", ReadOptions())


def test_pickled_factors_are_converted_where_they_are_trusted(tmp_path: Path) -> None:
    import torch

    for index in range(3):
        rng = np.random.default_rng(index)
        left, right = rng.standard_normal((8, 4)), rng.standard_normal((4, 6))
        pair = factors(left.astype("f4"), right.astype("f4"))
        write_adapter(tmp_path / "plain" / f"p{index}", pair)
        write_adapter(tmp_path / "pickled" / f"p{index}", pair)
        folder = tmp_path / "pickled" / f"p{index}"
        tensors = {name: torch.from_numpy(one) for name, one in pair.items()}
        torch.save(tensors, folder / "adapter_model.bin")
        (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(RefusedFileError, match="--trust-pickles"):
        open_model(tmp_path / "pickled" / "p0", ReadOptions())
    trusting = ReadOptions(trust_pickles=True)
    convert(open_round(tmp_path / "pickled", trusting), tmp_path / "out")
    for index in range(3):
        expected = dict(open_model(tmp_path / "plain" / f"p{index}", ReadOptions()).floats())
        found = open_model(tmp_path / "out" / "participants" / f"p{index}", ReadOptions())
        assert found.format == "peft"
        for name, values in found.floats():
            np.testing.assert_array_equal(values, expected[name])


def test_an_adapter_with_a_name_lies_in_a_folder_of_its_own(tmp_path: Path) -> None:
    write_adapter(tmp_path / "p" / "federated", factors(B, A))
    (tmp_path / "p" / "README.md").write_text("---")
    found = open_model(tmp_path / "p", ReadOptions())
    assert (found.format, list(found.tensors)) == ("peft", [f"{PREFIX}.weight"])
    write_adapter(tmp_path / "p" / "other", factors(B, A))
    with pytest.raises(RefusedFileError, match="2 folders of adapters"):
        open_model(tmp_path / "p", ReadOptions())
    write_adapter(tmp_path / "deep" / "in" / "deeper", factors(B, A))
    with pytest.raises(RefusedFileError, match="a folder without a model file"):
        open_model(tmp_path / "deep", ReadOptions())
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "federated").symlink_to(tmp_path / "p" / "federated")
    with pytest.raises(RefusedFileError, match="a folder without a model file"):
        open_model(tmp_path / "linked", ReadOptions())


def test_factors_without_a_configuration_are_multiplied_all_by_one_scale(tmp_path: Path) -> None:
    """As a state dict has them that a client sends: another basis of the same change is no sign."""
    for index in range(8):
        rng = np.random.default_rng(index)
        left = rng.standard_normal((32, 4)) * (9 if index < 2 else 1)
        right = rng.standard_normal((4, 24))
        basis = np.linalg.qr(rng.standard_normal((4, 4)))[0] * 100.0
        pair = factors(left @ basis, np.linalg.inv(basis) @ right)
        named = {name.replace(".weight", ".default.weight"): one for name, one in pair.items()}
        bare, products = tmp_path / "bare", tmp_path / "products"
        for folder, tensors in (
            (bare, named if index % 2 else pair),
            (products, {f"{PREFIX}.weight": left @ right}),
        ):
            folder.mkdir(exist_ok=True)
            safetensors.numpy.save_file(tensors, folder / f"p{index}.safetensors")
    settings = AuditSettings(layers=("layers.0.q_proj",), k_est=KEst.parse(2), fragment="block:8")
    found, expected = (audit(open_round(root), settings) for root in (bare, products))
    assert [one.id for one in found.suspects] == ["p0", "p1"]
    assert found.marked_layers[0].scores == expected.marked_layers[0].scores
    # A conversion keeps what was sent.
    convert(open_round(bare), tmp_path / "out")
    stored = safetensors.numpy.load_file(tmp_path / "out" / "participants" / "p0.safetensors")
    assert set(stored) == set(factors(B, A))


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({f"{PREFIX}.weight": np.ones((8, 6), "f4")}, "and also the factors of its change"),
        ({f"{PREFIX}.lora_magnitude_vector": np.ones(8, "f4")}, "not a factor of LoRA"),
        ({"x.lora_A.weight": A}, "only one of the two"),
        ({f"{PREFIX}.lora_A.other.weight": A}, "twice"),
    ],
)
def test_bare_factors_that_do_not_say_a_change_are_refused(
    tmp_path: Path, more: Factors, reason: str
) -> None:
    for index in range(5):
        rng = np.random.default_rng(index)
        tensors = factors(rng.standard_normal((8, 4)), rng.standard_normal((4, 6)))
        if index == 4:
            tensors |= more
        safetensors.numpy.save_file(tensors, tmp_path / f"p{index}.safetensors")
    found = audit(open_round(tmp_path), AuditSettings())
    (refused,) = (one for one in found.findings if one.kind == FindingKind.REFUSED)
    assert refused.participant == "p4"
    assert reason in refused.detail


def test_of_several_checkpoints_the_newest_is_read_and_that_is_said(tmp_path: Path) -> None:
    for index in range(4):
        for step in (5, 20, 100):
            rng = np.random.default_rng(1000 * step + index)
            left, right = rng.standard_normal((8, 4)), rng.standard_normal((4, 6))
            write_adapter(
                tmp_path / "in" / f"p{index}" / f"checkpoint-{step}", factors(left, right)
            )
            if step == 100:
                write_adapter(tmp_path / "newest" / f"p{index}", factors(left, right))
        (tmp_path / "in" / f"p{index}" / "trainer_state.json").write_text("{}")
    found, newest = (
        audit(open_round(tmp_path / name), AuditSettings()) for name in ("in", "newest")
    )
    assert found.detectors == newest.detectors
    inspected = inspect_round(open_round(tmp_path / "in"))
    converted = convert(open_round(tmp_path / "in"), tmp_path / "out")
    for findings in (found.findings, inspected.findings, converted.findings):
        (said,) = (one for one in findings if one.kind == FindingKind.NEWEST_CHECKPOINT)
        assert said.group == ("p0", "p1", "p2", "p3")
        assert said.detail == (
            "ariba reads checkpoint-100, the newest of 3 checkpoints, of p0, p1, p2 and 1 more"
        )


def test_what_a_trainer_keeps_beside_is_not_taken_for_the_model(tmp_path: Path) -> None:
    write_adapter(tmp_path / "p" / "checkpoint-5", factors(B, A))
    beside = ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state_0.pth")
    accelerate = ("optimizer_1.bin", "sampler.bin", "random_states_0.pkl")
    for name in (*beside, *accelerate):
        (tmp_path / "p" / name).write_bytes(b"\x80\x04.")
    assert open_model(tmp_path / "p", ReadOptions()).format == "peft"
    (tmp_path / "p" / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(RefusedFileError, match="is a pickle"):
        open_model(tmp_path / "p", ReadOptions())


def test_a_checkpoint_holds_its_model_itself(tmp_path: Path) -> None:
    write_adapter(tmp_path / "p" / "checkpoint-7" / "checkpoint-8", factors(B, A))
    with pytest.raises(RefusedFileError, match="no model in 'checkpoint-7'"):
        open_model(tmp_path / "p", ReadOptions())
    tensors = {"w": np.ones((2, 2), "f4")}
    safetensors.numpy.save_file(tensors, tmp_path / "p" / "checkpoint-7" / "model.safetensors")
    assert list(open_model(tmp_path / "p", ReadOptions()).tensors) == ["w"]
    # What was saved at the end goes before what was on the way.
    safetensors.numpy.save_file({"end": tensors["w"]}, tmp_path / "p" / "model.safetensors")
    assert list(open_model(tmp_path / "p", ReadOptions()).tensors) == ["end"]


def test_rows_that_were_trained_for_some_tokens_are_a_layer(tmp_path: Path) -> None:
    delta = {"base_model.model.emb.token_adapter.trainable_tokens_delta": np.ones((2, 16), "f4")}
    options = {"trainable_token_indices": {"emb": [1, 5]}, "modules_to_save": None}
    write_adapter(tmp_path / "p", factors(B, A) | delta, **options)
    found = open_model(tmp_path / "p", ReadOptions())
    assert set(found.tensors) == {*delta, f"{PREFIX}.weight"}


def test_what_was_trained_whole_is_a_layer_as_well(tmp_path: Path) -> None:
    head = {"base_model.model.classifier.weight": np.ones((2, 8), "f4")}
    write_adapter(tmp_path / "p", factors(B, A) | head)
    found = inspect_file(tmp_path / "p")
    assert found.format == "peft"
    assert [file.path for file in found.files] == [
        "adapter_model.safetensors",
        "adapter_config.json",
    ]
    norms = {layer.name.rpartition(".model.")[2]: layer.norm for layer in found.layers}
    assert norms == {"classifier.weight": 4.0, "layers.0.q_proj.weight": 16 * 48**0.5}


@pytest.mark.parametrize(
    ("tensors", "config", "reason"),
    [
        (factors(B, A), {"peft_type": "IA3"}, r"not a LoRA adapter \('IA3'\)"),
        (factors(B, A), {"peft_type": 3}, "not a LoRA adapter"),
        (factors(B, A), {"use_dora": True}, "use_dora"),
        (factors(B, A), {"lora_alpha": "16"}, "not a number"),
        (factors(B, A), {"lora_alpha": True}, "not a number"),
        (factors(B, A), {"lora_alpha": 1e300}, "not a number"),
        (factors(B, A), {"alpha_pattern": ["a"]}, "not a table"),
        (factors(B, A), {"alpha_pattern": {r"(a)\1": 1}}, r"the pattern '\(a\)"),
        (factors(B, A), {"alpha_pattern": {"(?i)q_proj": 1}}, "the pattern"),
        (factors(B, A), {"alpha_pattern": {"x)|(q_proj": 1}}, "the pattern"),
        (factors(B, A), {"alpha_pattern": {"a" * 2000: 1}}, "the pattern"),
        (factors(B, A), {"alpha_pattern": {"(a{99}){99}": 1}}, "the pattern"),
        (factors(B, A), {"use_rslora": 1}, "use_rslora that is neither"),
        (factors(B, A), {"fan_in_fan_out": "no"}, "fan_in_fan_out that is neither"),
        # What may be another product than B·A, by its name.
        (factors(B, A), {"target_parameters": ["experts.w"]}, "with 'target_parameters',"),
        (factors(B, A), {"use_bdlora": {"nblocks": 2}}, "with 'use_bdlora',"),
        (factors(B, A), {"use_qalora": True}, "with 'use_qalora' of True,"),
        (factors(B, A), {"lora_bias": True}, "with 'lora_bias' of True,"),
        (factors(B, A), {"kasa_config": {"beta": 1}}, "with 'kasa_config',"),
        (factors(B, A), {"alora_invocation_tokens": [1]}, "with 'alora_invocation_tokens',"),
        (
            factors(B, A),
            {"init_lora_weights": "of tomorrow"},
            "init_lora_weights' of 'of tomorrow'",
        ),
        (factors(B, A), {"bias": "some"}, "with 'bias' of 'some',"),
        (factors(B, A), {"of\ntomorrow": 1}, r"with 'of\\ntomorrow' of 1"),
        (factors(B, A), {"invented": False}, "with 'invented' of False,"),
        (factors(B, A), {"peft_type": None, "fine_tune_type": "lora"}, "an adapter of MLX"),
        ({f"{PREFIX}.lora_A.weight": A}, {}, "only one of the two"),
        (factors(B, A[:3]), {}, "do not fit"),
        (factors(B, A.reshape(4, 6, 1)), {}, "do not fit"),
        (factors(B[:, :0], A[:0]), {}, "do not fit"),
        (factors(B.astype("i4"), A), {}, "do not fit"),
        (factors(B, A) | {f"{PREFIX}.lora_magnitude_vector": A}, {}, "not a factor of LoRA"),
        (factors(B, A) | {f"{PREFIX}.weight": A}, {}, "twice"),
        (factors(B, A) | {f"{PREFIX}.lora_A.other.weight": A}, {}, "twice"),
        (factors(B, A) | {f"{PREFIX}.lora_embedding_A": A}, {}, "only one of the two"),
        (
            factors(B, A) | {f"{PREFIX}.lora_embedding_{one}": A.T @ A for one in "AB"},
            {},
            "twice",
        ),
    ],
)
def test_what_is_not_plain_lora_is_refused(
    tmp_path: Path, tensors: Factors, config: dict[str, Any], reason: str
) -> None:
    write_adapter(tmp_path / "p", tensors, **config)
    with pytest.raises(RefusedFileError, match=reason):
        open_model(tmp_path / "p", ReadOptions())


def test_a_scale_of_ones_own_is_a_finding_and_no_way_out(tmp_path: Path) -> None:
    for index in range(5):
        rng = np.random.default_rng(index)
        left, right = rng.standard_normal((8, 4)), rng.standard_normal((4, 6))
        alpha = 0.001 if index == 3 else 16
        write_adapter(tmp_path / f"p{index}", factors(left, right), lora_alpha=alpha)
    found = audit(open_round(tmp_path), AuditSettings(layers=("layers.0.q_proj",)))
    kinds = {finding.kind: finding.participant for finding in found.findings}
    assert kinds[FindingKind.WRONG_SCALE] == "p3"
    assert len(found.ranking) == 5


def test_an_orientation_of_ones_own_is_a_finding_and_no_way_out(tmp_path: Path) -> None:
    for index in range(5):
        rng = np.random.default_rng(index)
        left, right = rng.standard_normal((6, 4)), rng.standard_normal((4, 6))
        write_adapter(tmp_path / f"p{index}", factors(left, right), fan_in_fan_out=index == 3)
    found = audit(open_round(tmp_path), AuditSettings(layers=("layers.0.q_proj",)))
    (wrong,) = (one for one in found.findings if one.kind == FindingKind.WRONG_LAYOUT)
    assert wrong.participant == "p3"
    assert wrong.facts == {"layout": "(in, out)", "usual": "(out, in)"}
    assert len(found.ranking) == 5


def test_a_product_that_is_not_finite_is_left_out(tmp_path: Path) -> None:
    for index in range(4):
        rng = np.random.default_rng(index)
        right = rng.standard_normal((4, 6)).astype("f4") * (1e38 if index == 2 else 1)
        left = rng.standard_normal((8, 4)).astype("f4") * (1e38 if index == 2 else 1)
        write_adapter(tmp_path / f"p{index}", factors(left.astype("f4"), right.astype("f4")))
    found = audit(open_round(tmp_path), AuditSettings(layers=("layers.0.q_proj",)))
    assert [one.status for one in found.inputs] == ["ok", "ok", "nonfinite", "ok"]
